//! What the operator sees and presses. (room: console)
//!
//! Keys become commands in `keymap`, `update` changes the model and says what it wants of the world, `draw` makes cells
//! of a model. Only `event_loop` waits, only `terminal` knows the terminal.

mod ask;
mod ask_text;
mod dag;
mod dialog;
mod doubt_text;
mod event_loop;
mod field;
mod gates;
mod hangup;
mod intent;
mod keymap;
mod layout;
mod log_lines;
mod log_rows;
mod marks;
mod message;
mod model;
mod picture;
mod prose;
mod query;
mod sign;
mod terminal;
mod text;
mod theme;
mod update;
mod view;
mod widget;

pub use ask::{Answer, Lookup, Sheet, Wish};
pub use dag::{
    DagGraph, DagNode, DagView, Direction, FoldKey, FoldKind, Folding, Layout, Neighbourhood, Order, Place,
    Shown, ShownNode, Zoom, fold, layout, neighbourhood, paint, paint_map,
};
pub use dialog::{About, Dialog, DialogFact, DialogField, Focus, Preview, Proof, Reaction, Step};
pub use event_loop::{ConsoleOptions, Leave, SavePicture, run_console};
pub use field::Field;
pub use intent::{Group, Intent, Level};
pub use keymap::{Binding, Found, Hint, Keymap, KeymapError, Scope, parse_keys};
pub use layout::Width;
pub use marks::{mark_of_gate, mark_of_run, mark_of_step};
pub use message::{Key, Link, Message, Mouse, Press, SETTLE};
pub use model::{Danger, LookOfScreen, Mode, Model, Seat, View};
pub use picture::{snap, to_svg, to_text};
pub use query::Query;
pub use sign::Mark;
pub use text::{Glyphs, put, put_right, put_untrusted};
pub use theme::{Depth, Kind, Role, Theme, ThemeError};
pub use update::update;
pub use view::{draw, picture_of, status_line, text_of};
pub use widget::{PaneLook, centred, dialog, fill, gauge, meter_role, pane, sparkline};
