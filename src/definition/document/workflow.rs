//! Tables of a workflow file above its steps: inputs, triggers, budget, defaults.

use super::step::STEP;
use super::table::Shape::{
    Any, Bool, Decimal, Duration, Either, List, Map, OneOf, OneOrMany, Text, Whole, Word,
};
use super::table::{Convert, Shape, Spelling, Table, key, same};
use super::words::{
    BACKOFFS, ON_CONFLICT, ON_EXCEED, ON_FAILURE, OVERLAPS, PARAMETERS, RETRIES, TIMEOUTS, VALUE_KINDS,
};

/// The keys of a workflow file.
pub(crate) const WORKFLOW: Table = Table {
    what: "a workflow",
    keys: &[
        key("name", Word, "The name of the workflow; the name of the file when absent."),
        key("description", Word, "What it is for."),
        key("inputs", Map(&Either(&[Shape::Table(&FIELD), Word])), "What is asked of whoever starts it.")
            .also(PARAMETERS),
        key("env", Map(&Text), "Environment variables of every step."),
        key("secrets", List(&Word), "Names of secrets that steps may take into their `env`."),
        key(
            "on",
            Either(&[Shape::Table(&TRIGGERS), OneOrMany(&Word)]),
            "When it starts by itself; by hand is implied.",
        ),
        key("concurrency", Either(&[Shape::Table(&CONCURRENCY), Text]), "Which other runs it must not meet."),
        key("max-parallel", Whole(1, 10_000), "Steps running at once."),
        key("timeout", Duration, "Of the whole run; waiting at a gate counts.").also(TIMEOUTS),
        key("budget", Shape::Table(&BUDGET), "What a run may cost."),
        key("on-failure", OneOf(ON_FAILURE), "What a failure means for the run."),
        key("defaults", Shape::Table(&DEFAULTS), "What holds for every step that does not say otherwise."),
        key("sequence", Bool, "Steps without `needs` wait for the one before them."),
        key("outputs", Map(&Text), "What it hands to a workflow that calls it."),
        key("steps", List(&Shape::Table(&STEP)), "The steps, a list: `- {id: build, run: make}`.").required(),
    ],
};

/// An input, or a field of a form.
pub(crate) const FIELD: Table = Table {
    what: "an input",
    keys: &[
        key("type", OneOf(VALUE_KINDS), "What it holds; `string` when absent."),
        key("description", Word, "What it is for."),
        key("required", Bool, "Whether it must be given."),
        key("enum", List(&Any), "The only values allowed.").also(&[same("options"), same("choices")]),
        key("pattern", Word, "A regular expression that the text must match."),
        key("default", Any, "What it is when not given."),
    ],
};

pub(crate) const TRIGGERS: Table = Table {
    what: "`on`",
    keys: &[
        key("manual", Any, "Started by hand; implied."),
        key("schedule", OneOrMany(&Shape::Table(&SCHEDULE)), "Started at fixed times."),
    ],
};

pub(crate) const SCHEDULE: Table = Table {
    what: "a schedule",
    keys: &[
        key("cron", Word, "Five fields: minute, hour, day, month, weekday.").required(),
        key("timezone", Word, "An IANA name; UTC when absent."),
        key("overlap", OneOf(OVERLAPS), "What happens when the run before is still going."),
        key("catch-up", Duration, "How late a missed start is still made up for."),
    ],
};

pub(crate) const CONCURRENCY: Table = Table {
    what: "`concurrency`",
    keys: &[
        key("group", Text, "Runs with the same group do not run at once.").required(),
        key("on-conflict", OneOf(ON_CONFLICT), "What the newcomer does."),
        key("cancel-waiting", Bool, "Whether `cancel-running` also cancels a run that waits at a gate."),
    ],
};

pub(crate) const BUDGET: Table = Table {
    what: "a budget",
    keys: &[
        key("cost-usd", Decimal, "In dollars."),
        key("calls", Whole(0, u64::MAX), "Attempts of steps."),
        key("tokens", Whole(0, u64::MAX), "Tokens of models."),
        key("on-exceed", OneOf(ON_EXCEED), "What happens when it is used up."),
    ],
};

/// The keys of `estimate`: the expected usage of one call of a step.
pub(crate) const ESTIMATE: Table = Table {
    what: "`estimate`",
    keys: &[key("cost-usd", Decimal, "In dollars."), key("tokens", Whole(0, u64::MAX), "Tokens of models.")],
};

pub(crate) const DEFAULTS: Table = Table {
    what: "`defaults`",
    keys: &[
        key("timeout", Duration, "Of one attempt.").also(TIMEOUTS),
        key("retry", Shape::Table(&RETRY), "How failed attempts are repeated.").also(RETRIES),
        key("shell", Word, "The program that runs scripts."),
        key("working-directory", Text, "Where scripts run."),
    ],
};

pub(crate) const RETRY: Table = Table {
    what: "`retry`",
    keys: &[
        key("max-attempts", Whole(1, 1000), "All calls, the first included.")
            .also(&[Spelling { name: "limit", value: Convert::PlusOne }]),
        key("kind", OneOf(BACKOFFS), "How the delay grows."),
        key("delay", Duration, "Before the second call.")
            .also(&[Spelling { name: "interval_sec", value: Convert::Unit("s") }]),
        key("factor", Decimal, "By how much the delay grows each time."),
        key("max-delay", Duration, "No delay is longer."),
        key("jitter", Decimal, "Share of the delay that chance may add or take, 0 to 1."),
        key("on", OneOrMany(&Word), "Failure modes that are tried again."),
    ],
};
