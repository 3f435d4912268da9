//! Health of the engine, for monitoring.

use super::{
    answer::{json, text_of},
    door::Door,
    shapes::{AgentCounts, EventCounts, Health, Performance, Status, StorageCounts},
};
use axum::{http::StatusCode, response::Response};
use cuelight_projection::Board;
use cuelight_runtime::{ContextCounts, Desk as _, Trouble};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

/// Well as long as it does not stop for good; what holds it up for a while is told.
pub(super) fn health(door: &Door) -> Response {
    let trouble = door.desk.boards().borrow().trouble.clone();
    let (status, word) = match trouble {
        None => (StatusCode::OK, "healthy"),
        Some(Trouble::Holding(_) | Trouble::Unheard(_) | Trouble::Strays(_)) => (StatusCode::OK, "degraded"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    json(status, &told(door, word, trouble))
}

/// Reports if a request can be recorded now.
pub(super) fn ready(door: &Door) -> Response {
    let trouble = door.desk.boards().borrow().trouble.clone();
    let (status, word) = if matches!(trouble, None | Some(Trouble::Strays(_))) {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    json(status, &told(door, word, trouble))
}

fn told(door: &Door, status: &'static str, trouble: Option<Trouble>) -> Health {
    let store = match trouble {
        None => "ok".to_owned(),
        Some(
            Trouble::Holding(why)
            | Trouble::Stopped(why)
            | Trouble::TakenOver(why)
            | Trouble::Unheard(why)
            | Trouble::Strays(why)
            | Trouble::Lost(why),
        ) => why,
        Some(Trouble::Unowned) => "no engine runs here".to_owned(),
    };
    let keys = door.ring().err().unwrap_or_else(|| "ok".to_owned());
    let mut checks = BTreeMap::from([("store", store), ("tokens", keys)]);
    if let Some(traces) = &door.setup.traces {
        // Nothing depends on it: that a collector is away is a word, and nobody is less well for it.
        checks.insert("traces", traces.state().1.unwrap_or_else(|| "ok".to_owned()));
    }
    Health {
        status,
        service: "orchestration-sidecar",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: door.uptime().0 / 1000,
        checks,
    }
}

struct Numbers {
    board: Arc<Board>,
    at_work: u64,
    present: u64,
    open_runs: u64,
    open_gates: u64,
    kept: u64,
    dead: u64,
    rejected: u64,
}

fn numbers(door: &Door) -> Numbers {
    let board = door.desk.board();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let now = door.now();
    let (open_runs, open_gates) = (count(board.open_runs().count()), count(board.open_gates().count()));
    let kept = count(board.bus().newest().filter(|said| said.message.expires_at > now).count());
    let dead = count(board.bus().newest().filter(|said| said.is_dead(now)).count());
    let rejected = board.topics().rejected().map(|pair| pair.1).sum();
    let at_work = count(board.agents_at_work());
    let present = count(board.present().present());
    Numbers { at_work, present, open_runs, open_gates, kept, dead, rejected, board }
}

/// Counts, and no names.
pub(super) fn status(door: &Door) -> Response {
    let numbers = numbers(door);
    let counts = door.counts();
    let requests: u64 = counts.values().map(|count| count.0).sum();
    let failed = counts.iter().filter(|count| count.0.2 >= 500).map(|count| count.1.0).sum();
    let spent: u64 = counts.values().map(|count| count.1).sum();
    let cached = door.desk.context_counts();
    let told = Status {
        uptime_seconds: door.uptime().0 / 1000,
        agents: AgentCounts { at_work: numbers.at_work, present: numbers.present },
        storage: StorageCounts {
            records: numbers.board.seq.0,
            runs: u64::try_from(numbers.board.run_count()).unwrap_or(u64::MAX),
            open_runs: numbers.open_runs,
            open_gates: numbers.open_gates,
            results: numbers.board.results(),
            knowledge: numbers.board.known(),
            context_cache_entries: cached.entries,
            context_cache_bytes: cached.bytes,
            cache_hit_rate: hit_rate(cached),
        },
        events: EventCounts { kept: numbers.kept, dead: numbers.dead, rejected: numbers.rejected },
        performance: Performance {
            requests,
            failed,
            mean_microseconds: spent.checked_div(requests).unwrap_or(0),
        },
    };
    json(StatusCode::OK, &told)
}

/// The share of contexts that were there already, in hundredths.
fn hit_rate(counts: ContextCounts) -> Option<f64> {
    let percent = counts.hits.saturating_mul(100).checked_div(counts.hits + counts.misses)?;
    u32::try_from(percent).ok().map(|number| f64::from(number) / 100.0)
}

/// The same for Prometheus: names and labels come from us alone.
pub(super) fn metrics(door: &Door) -> Response {
    let numbers = numbers(door);
    let is_well = u64::from(door.desk.boards().borrow().trouble.is_none());
    let cached = door.desk.context_counts();
    let mut out = String::new();
    let gauges = [
        ("cuelight_ready", "gauge", "Whether what is asked can be recorded.", is_well),
        ("cuelight_uptime_seconds", "gauge", "Since the engine began to listen.", door.uptime().0 / 1000),
        ("cuelight_log_records_total", "counter", "Records of the log.", numbers.board.seq.0),
        ("cuelight_runs_open", "gauge", "Runs that have not ended.", numbers.open_runs),
        ("cuelight_gates_open", "gauge", "Gates that have not closed.", numbers.open_gates),
        ("cuelight_agents_at_work", "gauge", "Calls of agents that run.", numbers.at_work),
        (
            "cuelight_agents_present",
            "gauge",
            "Agents that have registered and are not lost.",
            numbers.present,
        ),
        ("cuelight_results_total", "counter", "Results that agents have handed in.", numbers.board.results()),
        ("cuelight_context_cache_hits_total", "counter", "Contexts that were there already.", cached.hits),
        ("cuelight_context_cache_misses_total", "counter", "Contexts that were made.", cached.misses),
        ("cuelight_messages_kept", "gauge", "Messages that can be taken.", numbers.kept),
        ("cuelight_messages_dead", "gauge", "Messages that no step took in time.", numbers.dead),
        ("cuelight_messages_rejected_total", "counter", "Messages that were no good.", numbers.rejected),
    ];
    for (name, kind, about, value) in gauges {
        // Writing to a text cannot fail.
        let _ = write!(out, "# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
    if let Some(traces) = &door.setup.traces {
        let counts = traces.state().0;
        for (name, about, value) in [
            ("cuelight_trace_spans_sent_total", "Spans that the collector took.", counts.sent),
            ("cuelight_traces_dropped_total", "Runs and requests whose spans were left out.", counts.dropped),
        ] {
            let _ = write!(out, "# HELP {name} {about}\n# TYPE {name} counter\n{name} {value}\n");
        }
    }
    let counts = door.counts();
    let _ = write!(
        out,
        "# HELP cuelight_http_requests_total Requests that were answered.\n# TYPE cuelight_http_requests_total counter\n"
    );
    for ((method, path, status), (count, _)) in &counts {
        let _ = writeln!(
            out,
            "cuelight_http_requests_total{{method=\"{method}\",path=\"{path}\",status=\"{status}\"}} {count}"
        );
    }
    let _ = write!(
        out,
        "# HELP cuelight_http_request_seconds_total Time that answers took.\n# TYPE cuelight_http_request_seconds_total counter\n"
    );
    for ((method, path, status), (_, spent)) in &counts {
        let (whole, part) = (spent / 1_000_000, spent % 1_000_000);
        let _ = writeln!(
            out,
            "cuelight_http_request_seconds_total{{method=\"{method}\",path=\"{path}\",status=\"{status}\"}} {whole}.{part:06}"
        );
    }
    text_of(StatusCode::OK, "text/plain; version=0.0.4", out)
}
