//! The HTTP API: one port, one table of routes, and a desk behind it for a caller that shows a token.
//!
//! It reads boards and submits commands, and judges nothing but who asks and how much at once. The table of routes makes the router and
//! the `OpenAPI` document alike.

mod agents;
mod answer;
mod asked;
mod context;
mod door;
mod events;
mod gates;
mod knowledge;
mod limits;
mod listen;
mod listeners;
mod log;
mod openapi;
mod probes;
mod problem;
mod results;
mod router;
mod routes;
mod runs;
mod shapes;
mod spawn;
mod state;
mod strangers;
mod tls;
mod work;

pub use door::{HttpSetup, ResultRules, StepJudge};
pub use limits::{Rate, Rates};
pub use listen::{is_loopback, serve_http, serve_http_judged_by};
pub use listeners::Places;
pub use log::RequestLine;
pub use openapi::openapi;
pub use spawn::SpawnRule;
pub use tls::TlsFiles;
