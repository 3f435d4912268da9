//! The screen and keys of the operator. (room: console)
//!
//! Keys become commands in `keymap`. `update` changes the model and returns requests to the world. `draw`
//! makes cells of a model. Only `event_loop` and `look_up` wait, only `terminal` knows the terminal.
//!
//! Each view, and each window over the views, has a folder with its state, its keys and its drawing.

mod actions;
mod agents;
mod ask;
mod audit;
mod dag;
mod dialog;
mod errors;
mod event_loop;
mod field;
mod frames;
mod gates;
mod graph;
mod ground;
mod hangup;
mod health;
mod help;
mod intent;
mod keymap;
mod launching;
mod layout;
mod leaving;
mod logs;
mod look_up;
mod marks;
mod message;
mod model;
mod notify;
mod palette;
mod panes;
mod pattern;
mod picture;
mod popup;
mod preferences;
mod query;
mod rung;
mod runs;
mod searches;
mod sign;
mod terminal;
mod text;
mod theme;
mod time;
mod tools;
mod travel;
mod update;
mod view;
mod widget;

pub use ask::{Answer, Lookup, Offered, OfferedInput, Sheet, Wish};
pub use dag::{
    DagGraph, DagNode, DagView, Direction, Fate, Fates, FoldKey, FoldKind, Folding, Layout, Neighbourhood,
    Notes, Order, Place, Shown, ShownNode, Zoom, fold, layout, neighbourhood, paint, paint_map, paint_with,
};
pub use dialog::state::{About, Dialog, DialogFact, DialogField, Focus, Preview, Proof, Reaction, Step};
pub use event_loop::{ConsoleOptions, EditText, Leave, ReadThemes, SavePicture, ThemesByGround, run_console};
pub use field::Field;
pub use frames::FrameCost;
pub use graph::scene::{Arranged, Scene};
pub use ground::Ground;
pub use hangup::was_terminal;
pub use intent::{Group, Intent, Level};
pub use keymap::{Binding, Found, Hint, Keymap, KeymapError, Scope, parse_keys};
pub use layout::Width;
pub use logs::needle::LineFilter;
pub use look_up::look_up;
pub use marks::{mark_of_gate, mark_of_run, mark_of_step};
pub use message::{Key, Link, Message, Mouse, Press, SETTLE};
pub use model::{Danger, LookOfScreen, Mode, Model, Seat, View};
pub use notify::Notify;
pub use picture::{snap, to_svg, to_text};
pub use preferences::{Motion, Preferences, Preferred};
pub use query::Query;
pub use sign::Mark;
pub use terminal::size as terminal_size;
pub use text::{Glyphs, put, put_right, put_untrusted};
pub use theme::{Depth, Kind, Role, Theme, ThemeError, Themes};
pub use update::update;
pub use view::{SPINNER, cursor_of, draw, picture_of, running_cells, status_line, text_of};
pub use widget::{PaneLook, centred, condensed, dialog, fill, gauge, meter_role, pane, sparkline};
