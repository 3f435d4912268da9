//! What makes it go: the loop that decides, the calls it asks for, and the desk through which all others see it.
//!
//! It carries, it does not judge: what may happen is `engine`'s matter, what is kept `store`'s, what runs `tool`'s.

mod bytes_as_text;
mod desk;
mod entropy;

pub use desk::{
    Boards, Desk, InputText, LaunchRequest, OutputPart, Page, Receipt, Reply, Request, RequestId, Seen,
    Signal, Signals, Source, Trouble, Want, stamped,
};
pub use entropy::Entropy;
