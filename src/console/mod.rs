//! What the operator sees and presses. (room: console)

mod picture;
mod sign;
mod text;
mod theme;
mod widget;

pub use picture::{snap, to_svg, to_text};
pub use sign::Mark;
pub use text::{Glyphs, put, put_right, put_untrusted};
pub use theme::{Depth, Kind, Role, Theme, ThemeError};
pub use widget::{PaneLook, centred, dialog, fill, gauge, meter_role, pane, sparkline};
