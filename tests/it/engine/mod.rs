//! Commands in, journal out. One file per noun; the door is `door::check`.

mod attempt;
mod budget;
mod concurrency;
mod door;
mod frame;
mod gate;
mod guards;
mod resume;
mod retry;
mod run;
mod scope;
mod step;
mod undo;
