//! One test binary; every module is one way we test. Text in, text out; no sleeps, no network, no order.

mod architecture;
mod badly;
mod cli;
mod console;
mod crash;
mod dag;
mod definition;
mod docs;
mod driver;
mod engine;
mod examples;
mod expression;
mod gateway;
mod plan;
mod program;
mod projection;
mod runtime;
mod store;
mod tool;
mod wfinstances;
