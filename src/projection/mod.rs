//! What can be seen: the board, a fold over events. It decides nothing.
//!
//! Texts in it that came from outside (outputs, prompts, messages, tails, comments) are kept as they came. A console
//! shows them through `base::safe_pieces`; JSON carries them raw.

mod board;
mod gate;
mod numbers;
mod run;
mod shelf;
mod step;
mod words;

pub use board::{Board, ValueName};
pub use gate::{Approved, Comment, GateView, VoteView};
pub use numbers::{Counts, Health, Results, quality};
pub use run::{Line, RunSummary, RunView};
pub use shelf::{Rows, Shelf};
pub use step::{AttemptView, ByHand, Phase, StepView, UndoState, WaitKind, kind_word};
pub use words::{EventWords, event_words};
