//! One test binary; every module is one way we test. Text in, text out; no sleeps, no network, no order.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::type_complexity,
    clippy::zero_sized_map_values,
    let_underscore_drop,
    reason = "tests start programs, read what they are told to, say what they skip, and drop what they do not look at"
)]

mod agents;
mod answers;
mod architecture;
mod ask_words;
mod cache_and_history;
mod called_workflows;
mod cli;
mod cli_words;
mod coding_agents;
mod command_risk;
mod components;
mod consent;
mod console;
mod crash;
mod dag;
mod definition;
mod disk_corruption;
mod disk_fixture;
mod docs;
mod engine;
mod engine_log;
mod examples;
mod expression;
mod failures;
mod forms;
mod full_disk;
mod fuzz;
mod gate_command;
mod gateway;
mod guard;
mod hostile_input;
mod imported_workflows;
mod independent_verifier;
mod journal_fixtures;
mod json_on_terminals;
mod ledger;
mod mcp;
mod mcp_approvals;
mod mcp_stateless;
mod messages;
mod models;
mod plan;
mod power_cuts;
mod program;
mod projection;
mod read_only_commands;
mod remote_console;
mod requests;
mod resource_limits;
mod retry_and_fork;
mod run_and_answer;
mod runtime;
mod sagas;
mod sandbox;
mod sidecar;
mod signing;
mod snapshot;
mod spare_process;
mod step_escapes;
mod store;
mod stray_processes;
mod supply;
mod symbolic_links;
mod syscalls;
mod takeover;
mod terminal;
mod terminal_hangup;
mod token_redaction;
mod tokens;
mod tool;
mod tools;
mod touch_proof;
mod traces;
mod trail;
mod trust;
mod voice;
mod wfinstances;
