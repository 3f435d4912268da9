//! Commands in, journal out. One file per noun; the door is `door::check`.

mod attempt;
mod bad_decision;
mod budget;
mod bus;
mod cache;
mod clock;
mod concurrency;
mod consent;
mod door;
mod failure;
mod fork;
mod frame;
mod gate;
mod gate_rules;
mod guards;
mod people;
mod resume;
mod retry;
mod route;
mod run;
mod schedule;
mod scope;
mod step;
mod target;
mod timeout;
mod undo;
