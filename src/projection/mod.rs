//! What can be seen: the board, a fold over events. It decides nothing.

mod board;

pub use board::Board;
