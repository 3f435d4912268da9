//! The place of a run in a trace, from which the places of its steps and calls follow.

use cuelight_base::{RunId, StepIx, TraceContext, hex};

/// The place of a run in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSpan {
    /// Its trace, and its own span in it.
    pub own: TraceContext,
    /// The span under which it was started, where the request for it named one.
    pub parent: Option<[u8; 8]>,
}

impl RunSpan {
    /// A run continues the trace it was started in, where it belongs to a `traceparent`; else its trace is its own. The seed is in the
    /// first event of each run, so no two logs give one trace.
    pub(super) fn of(run: RunId, seed: &str, belongs_to: &str) -> Self {
        let name = run.to_string();
        match TraceContext::parse(belongs_to) {
            Some(parent) => {
                let own = parent.with_span(parent.span_named(&["run", &name, seed]));
                Self { own, parent: Some(parent.span) }
            }
            None => Self { own: TraceContext::derived(&["run", &name, seed, belongs_to]), parent: None },
        }
    }

    /// The span of a step.
    pub fn step(&self, step: StepIx) -> TraceContext {
        self.own.with_span(self.own.span_named(&["step", &hex(&self.own.span), &step.0.to_string()]))
    }

    /// The span of a call of it.
    pub fn attempt(&self, step: StepIx, number: u32) -> TraceContext {
        let words = ["attempt", &hex(&self.own.span), &step.0.to_string(), &number.to_string()];
        self.own.with_span(self.own.span_named(&words))
    }
}
