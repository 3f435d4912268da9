//! One test binary; every module is one way we test. Text in, text out; no sleeps, no network, no order.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::type_complexity,
    clippy::zero_sized_map_values,
    let_underscore_drop,
    reason = "tests start programs, read what they are told to, say what they skip, and drop what they do not look at"
)]

mod again;
mod agents;
mod ahead;
mod architecture;
mod asking;
mod asking_mcp;
mod badly;
mod called;
mod cli;
mod cli_words;
mod coding;
mod command_risk;
mod confined;
mod consent;
mod console;
mod crash;
mod dag;
mod definition;
mod docs;
mod driver;
mod engine;
mod examples;
mod expression;
mod failures;
mod far;
mod flips;
mod forms;
mod fullness;
mod fuzz;
mod gateway;
mod guard;
mod hangup;
mod histories;
mod imported;
mod kept;
mod leaks;
mod ledger;
mod links;
mod logs;
mod looked;
mod looking;
mod mcp;
mod messages;
mod models;
mod plan;
mod power;
mod program;
mod projection;
mod proof;
mod requests;
mod runtime;
mod sagas;
mod sandbox;
mod sidecar;
mod signing;
mod snapshot;
mod stateless;
mod store;
mod strays;
mod supply;
mod syscalls;
mod takeover;
mod terminal;
mod tokens;
mod tool;
mod tools;
mod traces;
mod trail;
mod trust;
mod unsaid;
mod verifier;
mod ways_out;
mod wfinstances;
