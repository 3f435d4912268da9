//! What the operator sees and presses. (room: console)

mod sign;
mod text;
mod theme;

pub use sign::Mark;
pub use text::{Glyphs, put, put_right, put_untrusted};
pub use theme::{Depth, Kind, Role, Theme, ThemeError};
