//! The shapes of the file as tables: every key, its other spellings, what it holds, what it is for.
//!
//! One source for three readers: `read` knows from it which keys there are, `format` in which order they stand, and
//! `json_schema` what an editor is told. What a value means is said in `read`.

use cuelight_base::{HTTP_REDIRECTS_MAX, PROCESS_FILES_LEAST, PROCESS_FILES_MOST, PROCESSES_MOST};

/// A mapping with fixed keys.
#[derive(Debug)]
pub(super) struct Table {
    /// The name of this mapping in messages: `a step`.
    pub(super) what: &'static str,
    /// The keys in canonical order.
    pub(super) keys: &'static [Key],
}

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) also: &'static [Spelling],
    pub(super) shape: Shape,
    pub(super) doc: &'static str,
    pub(super) required: bool,
}

/// Another system's word for a key, and what becomes of its value.
#[derive(Debug)]
pub(super) struct Spelling {
    pub(super) name: &'static str,
    pub(super) value: Convert,
}

/// The conversion of a value whose key has another spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Convert {
    /// The value stays as it is.
    Same,
    /// A bare number of minutes or seconds gets its unit.
    Unit(&'static str),
    /// Repetitions become calls in all.
    PlusOne,
}

/// The shape of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Text that may hold `${{ }}`; numbers and booleans are taken as they are written.
    Text,
    /// Text that holds no expressions.
    Word,
    Bool,
    Whole(u64, u64),
    /// A decimal number, such as `0.25`.
    Decimal,
    Duration,
    /// A number of bytes: `512MiB`.
    Size,
    /// One expression, with or without `${{ }}`.
    Expression,
    OneOf(&'static [&'static str]),
    Any,
    OneOrMany(&'static Self),
    List(&'static Self),
    /// A mapping with free keys.
    Map(&'static Self),
    Table(&'static Table),
    /// A value of any of these shapes.
    Either(&'static [Self]),
}

impl Key {
    const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, also: &[], shape, doc, required: false }
    }

    const fn also(mut self, also: &'static [Spelling]) -> Self {
        self.also = also;
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

const fn same(name: &'static str) -> Spelling {
    Spelling { name, value: Convert::Same }
}

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key::new(name, shape, doc)
}

use Shape::{
    Any, Bool, Decimal, Duration, Either, Expression, List, Map, OneOf, OneOrMany, Size, Text, Whole, Word,
};

const TIMEOUTS: &[Spelling] = &[
    Spelling { name: "timeout-minutes", value: Convert::Unit("m") },
    Spelling { name: "timeout_minutes", value: Convert::Unit("m") },
    Spelling { name: "timeout_sec", value: Convert::Unit("s") },
    Spelling { name: "timeout-sec", value: Convert::Unit("s") },
];
const RETRIES: &[Spelling] = &[same("retry_policy"), same("retryStrategy")];
const PARAMETERS: &[Spelling] = &[same("params"), same("parameters")];

/// Kinds of values of inputs, forms and outputs.
pub(super) const VALUE_KINDS: &[&str] = &["string", "number", "integer", "boolean", "array", "object", "any"];
pub(super) const ON_FAILURE: &[&str] = &["stop", "continue", "compensate"];
pub(super) const ON_ERROR: &[&str] = &["abort", "skip", "continue"];
pub(super) const ON_CONFLICT: &[&str] = &["queue", "skip", "cancel-running"];
pub(super) const OVERLAPS: &[&str] = &["skip", "queue", "cancel", "allow"];
pub(super) const ON_EXCEED: &[&str] = &["warn", "block", "gate"];
pub(super) const BACKOFFS: &[&str] = &["exponential", "constant", "linear", "none"];
pub(super) const BELOW: &[&str] = &["gate", "fail", "warn"];
pub(super) const EFFECTS: &[&str] = &["pure", "idempotent", "keyed", "queryable", "once"];
pub(super) const ON_CONSOLE_DEATH: &[&str] = &["keep", "kill"];
pub(super) const SANDBOXES: &[&str] = &["strict", "off"];
pub(super) const RISKS: &[&str] = &["read-only", "reversible", "externally-reversible", "irreversible"];
pub(super) const ON_TIMEOUT: &[&str] = &["reject", "approve", "escalate"];
/// Proofs that an approval can require.
pub(super) const PROOFS: &[&str] = &["touch"];
pub(super) const GATE_SCOPES: &[&str] = &["step", "matrix"];
pub(super) const CONSENTS: &[&str] = &["files", "snapshot"];
pub(super) const SCOPES: &[&str] = &["run", "session", "global"];
pub(super) const RELIABILITIES: &[&str] = &["high", "medium", "low", "experimental"];
pub(super) const PROVIDERS: &[&str] = &["openai", "anthropic", "gemini", "stand-in"];
pub(super) const TOOL_GATES: &[&str] = &["changes", "all"];
pub(super) const GRADES: &[&str] = &["low", "medium", "high"];
pub(super) const WHEN_OPEN: &[&str] = &["wait", "fail"];
pub(super) const ROUTES: &[&str] =
    &["round-robin", "capability", "least-loaded", "priority", "manual", "learned"];
pub(super) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The keys of a workflow file.
pub(super) const WORKFLOW: Table = Table {
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
        key("steps", List(&Shape::Table(&STEP)), "What is done.").required(),
    ],
};

/// An input, or a field of a form.
pub(super) const FIELD: Table = Table {
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

pub(super) const TRIGGERS: Table = Table {
    what: "`on`",
    keys: &[
        key("manual", Any, "Started by hand; implied."),
        key("schedule", OneOrMany(&Shape::Table(&SCHEDULE)), "Started at fixed times."),
    ],
};

pub(super) const SCHEDULE: Table = Table {
    what: "a schedule",
    keys: &[
        key("cron", Word, "Five fields: minute, hour, day, month, weekday.").required(),
        key("timezone", Word, "An IANA name; UTC when absent."),
        key("overlap", OneOf(OVERLAPS), "What happens when the run before is still going."),
        key("catch-up", Duration, "How late a missed start is still made up for."),
    ],
};

pub(super) const CONCURRENCY: Table = Table {
    what: "`concurrency`",
    keys: &[
        key("group", Text, "Runs with the same group do not run at once.").required(),
        key("on-conflict", OneOf(ON_CONFLICT), "What the newcomer does."),
        key("cancel-waiting", Bool, "Whether `cancel-running` also cancels a run that waits at a gate."),
    ],
};

pub(super) const BUDGET: Table = Table {
    what: "a budget",
    keys: &[
        key("cost-usd", Decimal, "In dollars."),
        key("calls", Whole(0, u64::MAX), "Attempts of steps."),
        key("tokens", Whole(0, u64::MAX), "Tokens of models."),
        key("on-exceed", OneOf(ON_EXCEED), "What happens when it is used up."),
    ],
};

/// The keys of `estimate`: the expected usage of one call of a step.
pub(super) const ESTIMATE: Table = Table {
    what: "`estimate`",
    keys: &[key("cost-usd", Decimal, "In dollars."), key("tokens", Whole(0, u64::MAX), "Tokens of models.")],
};

pub(super) const DEFAULTS: Table = Table {
    what: "`defaults`",
    keys: &[
        key("timeout", Duration, "Of one attempt.").also(TIMEOUTS),
        key("retry", Shape::Table(&RETRY), "How failed attempts are repeated.").also(RETRIES),
        key("shell", Word, "The program that runs scripts."),
        key("working-directory", Text, "Where scripts run."),
    ],
};

pub(super) const RETRY: Table = Table {
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

/// A step. The kinds come first among what it does.
pub(super) const STEP: Table = Table {
    what: "a step",
    keys: &[
        key("id", Word, "Unique in the file: a-z, then a-z 0-9 _ -.").required(),
        key("name", Text, "For people."),
        key("needs", OneOrMany(&Word), "Steps that must have come to rest; absent: starts at once.")
            .also(&[same("depends"), same("dependencies")]),
        key("if", Expression, "Whether it runs; `success()` when absent.").also(&[same("when")]),
        key("matrix", Either(&[Shape::Table(&MATRIX), Text]), "Its copies."),
        key("strategy", Shape::Table(&STRATEGY), "GitHub's way to write `matrix`."),
        key(
            "run",
            Either(&[Text, List(&Text)]),
            "A shell script; or a list: a command and its words, with no shell between.",
        ),
        key(
            "uses",
            Either(&[Word, Shape::Table(&ROUTE)]),
            "A tool: name@version or mcp:server/tool; or several, of which one is chosen.",
        ),
        key("http", Shape::Table(&HTTP), "One request."),
        key("llm", Shape::Table(&LLM), "One model call."),
        key("agent", Either(&[Shape::Table(&AGENT), Word]), "Work for an agent."),
        key("gate", Either(&[Shape::Table(&GATE), Text]), "Waits for a decision.")
            .also(&[same("suspend"), same("approval")]),
        key("workflow", Word, "Another workflow file."),
        key("wait", Either(&[Duration, Shape::Table(&WAIT)]), "Waits for time or an event."),
        key("emit", Shape::Table(&EMIT), "Publishes an event."),
        key("set", Shape::Table(&SET), "Writes state."),
        key("with", Map(&Any), "Parameters of `uses`, `workflow` or `agent`.").also(&[
            same("inputs"),
            same("params"),
            same("parameters"),
        ]),
        key("shell", Word, "The program that runs the script: bash -euo pipefail -c."),
        key("working-directory", Text, "Where the script runs."),
        key("env", Map(&Text), "Environment variables."),
        key("outputs", Map(&OneOf(VALUE_KINDS)), "Declared outputs and their types."),
        key("artifacts", OneOrMany(&Text), "Files to be kept."),
        key("cache", Shape::Table(&CACHE), "When an earlier success may stand for it."),
        key("confidence", Shape::Table(&CONFIDENCE), "What a low confidence does."),
        key("retry", Shape::Table(&RETRY), "How failed attempts are repeated.").also(RETRIES),
        key("timeout", Duration, "Of one attempt.").also(TIMEOUTS),
        key("on-error", OneOf(ON_ERROR), "What its failure means for the run."),
        key(
            "fallback",
            OneOrMany(&Either(&[Word, Shape::Table(&ACTION)])),
            "Tried in order after the last attempt.",
        ),
        key(
            "undo",
            Either(&[Word, Shape::Table(&ACTION)]),
            "How it is taken back; `none` when it cannot be.",
        )
        .also(&[same("compensate")]),
        key("effect", OneOf(EFFECTS), "What a crash in mid-step means."),
        key("check", Text, "The command that tells whether a queryable effect happened."),
        key(
            "on-console-death",
            OneOf(ON_CONSOLE_DEATH),
            "What becomes of its process when the console dies.",
        ),
        key("sandbox", OneOf(SANDBOXES), "What its process can reach."),
        key("limits", Shape::Table(&LIMITS), "What its processes may use."),
        key("requires", Shape::Table(&REQUIRES), "Where it may run."),
        key("budget", Shape::Table(&BUDGET), "What all its calls together may cost."),
        key("estimate", Shape::Table(&ESTIMATE), "What one call is expected to cost."),
        key("category", Word, "Gives its failures their type: data-load, validate, transform …"),
        key("priority", Any, "Higher goes first among ready steps; a whole number, 0 when absent."),
    ],
};

/// The keys of which a step has exactly one.
pub(super) const KINDS: &[&str] =
    &["run", "uses", "http", "llm", "agent", "gate", "workflow", "wait", "emit", "set"];

/// Keys beside the axes.
pub(super) const MATRIX: Table = Table {
    what: "a matrix",
    keys: &[
        key("include", List(&Map(&Any)), "Added to the copies they fit, or new copies."),
        key("exclude", List(&Map(&Any)), "Left out."),
        key("max-parallel", Whole(1, 10_000), "Copies running at once."),
        key("fail-fast", Bool, "Whether one failed copy stops the others; true when absent."),
    ],
};

pub(super) const STRATEGY: Table = Table {
    what: "`strategy`",
    keys: &[
        key("matrix", Any, "Its copies."),
        key("max-parallel", Whole(1, 10_000), "Copies running at once."),
        key("fail-fast", Bool, "Whether one failed copy stops the others; true when absent."),
    ],
};

pub(super) const HTTP: Table = Table {
    what: "`http`",
    keys: &[
        key("method", OneOf(METHODS), "GET when absent."),
        key("url", Text, "Where to.").required(),
        key("headers", Map(&Text), "Header fields."),
        key("body", Text, "What is sent."),
        key("json", Any, "What is sent, as JSON."),
        key("expect", Shape::Table(&EXPECT), "What counts as success."),
        key(
            "redirects",
            Whole(0, HTTP_REDIRECTS_MAX as u64),
            "Redirects that are followed; none when absent.",
        ),
        key("max-bytes", Size, "Bytes that the answer may have; 1GiB when absent."),
    ],
};

pub(super) const EXPECT: Table = Table {
    what: "`expect`",
    keys: &[
        key(
            "status",
            OneOrMany(&Whole(100, 599)),
            "Status codes that count as success; 200 to 299 when absent.",
        ),
        key("json", Map(&Any), "Paths into the JSON answer and the values they must have."),
    ],
};

pub(super) const LLM: Table = Table {
    what: "`llm`",
    keys: &[
        key(
            "model",
            OneOrMany(&Word),
            "The model, then those tried when it fails; auto or absent: the best for `hints`.",
        ),
        key("hints", Shape::Table(&HINTS), "What is wanted of the model when none is named."),
        key("system", Text, "The system prompt."),
        key("prompt", Text, "What is asked.").required(),
        key("json-schema", Any, "JSON Schema that the answer must fit; its parts become outputs."),
        key("temperature", Decimal, "0 to 2."),
        key("max-tokens", Whole(1, 10_000_000), "Tokens of the answer."),
        key(
            "tools",
            OneOrMany(&Word),
            "Tools of the registry that it may ask for; each call is a step of its own.",
        ),
        key("rounds", Whole(1, 50), "How often what it asks for is worked off; 8 when absent."),
        key(
            "gates",
            Either(&[OneOf(TOOL_GATES), Shape::Table(&CALL_GATES)]),
            "Which of its calls wait at a gate, and what those gates want: changes (the default), or all.",
        ),
    ],
};

pub(super) const AGENT: Table = Table {
    what: "`agent`",
    keys: &[
        key("name", OneOrMany(&Word), "The agent, or several of which one is chosen: reviewer, reviewer@1."),
        key(
            "capability",
            OneOrMany(&Word),
            "What the agent must be able to do; without `name`: any that can.",
        )
        .also(&[same("capabilities")]),
        key("route", OneOf(ROUTES), "How one of several is chosen; capability when absent."),
        key(
            "command",
            Either(&[Text, List(&Text)]),
            "In place of those: words, or a script, started as an agent; both may read ${{ input.… }}.",
        ),
        key("shell", Word, "The program that runs the script: bash -euo pipefail -c."),
        key(
            "heartbeat",
            Duration,
            "How often the command gives a sign of life; it may be silent when absent.",
        ),
        key("task", Text, "What it is to do.").also(&[same("prompt")]),
    ],
};

pub(super) const GATE: Table = Table {
    what: "a gate",
    keys: &[
        key("prompt", Text, "What is asked."),
        key("claim", Text, "The requester's own words; shown below everything else, marked as a claim."),
        key("risk", OneOf(RISKS), "How bad a wrong yes is."),
        key("require", OneOrMany(&Shape::Table(&QUORUM)), "Who must agree."),
        key("forbid", OneOrMany(&Word), "Who may not: a person, group:name, or run.actor for four eyes."),
        key("evidence", OneOrMany(&Text), "What is shown: files or texts."),
        key("binds", OneOrMany(&Text), "Values the approval holds for; another value asks again."),
        key("form", Map(&Either(&[Shape::Table(&FIELD), Word])), "What the decider fills in."),
        key("auto", Expression, "Approves by policy when true."),
        key("remind", OneOrMany(&Duration), "When people are reminded."),
        key("escalate", Shape::Table(&ESCALATE), "Who is asked when nobody answers."),
        key("timeout", Duration, "When it expires; never when absent.").also(TIMEOUTS),
        key("on-timeout", OneOf(ON_TIMEOUT), "What expiry means; reject when absent."),
        key("on-reject", OneOf(ON_FAILURE), "What a no means for the run."),
        key("send-back", Word, "The step from which all is done again when the ask is sent back."),
        key("undo-window", Duration, "How long an approval can be taken back."),
        key(
            "consent",
            Either(&[OneOf(CONSENTS), Shape::Table(&CONSENT)]),
            "What the approval binds: the files that calls name, or a snapshot from which the steps behind it run.",
        ),
        key("scope", OneOf(GATE_SCOPES), "Whether one approval covers all copies of a matrix."),
        key("reason", OneOf(&["optional", "required"]), "Whether an approval needs a reason too."),
        key(
            "proof",
            OneOf(PROOFS),
            "What an approval must prove: touch is a security key that somebody touched.",
        ),
    ],
};

pub(super) const CONSENT: Table = Table {
    what: "`consent`",
    keys: &[key(
        "snapshot",
        OneOrMany(&Word),
        "Patterns of the files that are captured; `!pattern` leaves files out.",
    )
    .required()],
};

pub(super) const QUORUM: Table = Table {
    what: "an entry of `require`",
    keys: &[
        key("group", Word, "The group; anybody when absent."),
        key("count", Whole(1, 100), "How many different people; 1 when absent."),
    ],
};

/// Only what makes the gates of a model's calls stricter stands here.
pub(super) const CALL_GATES: Table = Table {
    what: "`gates` of a model",
    keys: &[
        key(
            "calls",
            OneOf(TOOL_GATES),
            "Which calls wait at a gate: those that change something (the default), or all.",
        ),
        key("require", OneOrMany(&Either(&[Shape::Table(&QUORUM), Word])), "Who must agree to each call."),
        key("forbid", OneOrMany(&Word), "Who may not: a person, group:name, or run.actor for four eyes."),
        key("risk", OneOf(RISKS), "How bad a wrong yes is at least; that of the tool where it is worse."),
        key("remind", OneOrMany(&Duration), "When people are reminded."),
        key("timeout", Duration, "When such a gate expires, which is a no; never when absent.")
            .also(TIMEOUTS),
        key("reason", OneOf(&["optional", "required"]), "Whether an approval needs a reason too."),
        key(
            "proof",
            OneOf(PROOFS),
            "What an approval must prove: touch is a security key that somebody touched.",
        ),
    ],
};

pub(super) const ESCALATE: Table = Table {
    what: "`escalate`",
    keys: &[
        key("after", Duration, "How long after the opening.").required(),
        key("to", Text, "A person or group:name.").required(),
    ],
};

pub(super) const MESSAGE_KINDS: &[&str] = &[
    "event",
    "task",
    "tool-call",
    "debate-proposal",
    "debate-critique",
    "debate-decision",
    "control",
    "error",
];

pub(super) const WAIT: Table = Table {
    what: "`wait`",
    keys: &[
        key("for", Duration, "So long."),
        key("until", Text, "An instant, RFC 3339."),
        key("event", Text, "A message about this topic.").also(&[same("topic")]),
        key(
            "filter",
            Map(&Any),
            "What the message must have: type, from, to, correlation, or a field of its data.",
        ),
        key("count", Whole(1, 1000), "How many messages; 1 when absent."),
    ],
};

pub(super) const EMIT: Table = Table {
    what: "`emit`",
    keys: &[
        key("event", Text, "The topic.").also(&[same("topic")]).required(),
        key("type", OneOf(MESSAGE_KINDS), "What it is; event when absent."),
        key("id", Text, "The same id again is the same message."),
        key("to", Text, "To whom, when it is not for all."),
        key("correlation", Text, "What it belongs to or answers."),
        key("data", Any, "What is said."),
        key("ttl", Duration, "How long it can be taken; 24h when absent."),
    ],
};

pub(super) const SET: Table = Table {
    what: "`set`",
    keys: &[
        key("scope", OneOf(SCOPES), "How long and how far it is seen; run when absent."),
        key("values", Map(&Any), "Keys and values.").required(),
        key("ttl", Duration, "When it is forgotten."),
        key(
            "if-etag",
            Map(&Any),
            "By key the etag that was read, or `none`: nothing is written if another one stands there.",
        ),
    ],
};

pub(super) const CACHE: Table = Table {
    what: "`cache`",
    keys: &[
        key("key", Text, "Same key, same outputs.").required(),
        key("ttl", Duration, "How long; until it is cleared when absent."),
    ],
};

pub(super) const CONFIDENCE: Table = Table {
    what: "`confidence`",
    keys: &[
        key("from", Word, "The output that holds it; what the step reports when absent."),
        key("min", Decimal, "Anything lower acts, 0 to 1.").required(),
        key("below", OneOf(BELOW), "How; gate when absent."),
    ],
};

pub(super) const LIMITS: Table = Table {
    what: "`limits`",
    keys: &[
        key("memory", Size, "Bytes of memory of each process: 512MiB."),
        key(
            "files",
            Whole(PROCESS_FILES_LEAST, PROCESS_FILES_MOST),
            "Files that each process may have open.",
        ),
        key("cpu", Duration, "Processor time of each process, in whole seconds."),
        key("processes", Whole(1, PROCESSES_MOST), "Processes of the step that live at once."),
        key("file-size", Size, "Bytes of each file that is written."),
        key("output", Size, "Bytes of output kept."),
    ],
};

pub(super) const REQUIRES: Table = Table {
    what: "`requires`",
    keys: &[
        key("labels", OneOrMany(&Text), "Labels of the machine; of the inputs and the copy of a matrix."),
        key("capabilities", OneOrMany(&Word), "Capabilities of the worker."),
    ],
};

/// Several tools, of which one is chosen when the step begins.
pub(super) const ROUTE: Table = Table {
    what: "`uses`",
    keys: &[
        key(
            "any",
            OneOrMany(&Word),
            "The candidates, name@version; absent: every tool with these capabilities.",
        ),
        key("capabilities", OneOrMany(&Word), "What the tool has to be able to do."),
        key("route", OneOf(ROUTES), "How one of them is chosen; capability when absent."),
    ],
};

/// The keys of a fallback or an undo.
pub(super) const ACTION: Table = Table {
    what: "this",
    keys: &[
        key("run", Text, "A shell script."),
        key("uses", Word, "A tool."),
        key("with", Map(&Any), "Parameters of the tool."),
    ],
};

/// When the circuit of a tool opens and closes.
pub(super) const BREAKER: Table = Table {
    what: "`breaker`",
    keys: &[
        key("failures", Whole(1, 1000), "It opens after so many failed calls in a row; 5 when absent."),
        key("open-for", Duration, "For so long nothing is called; 30s when absent."),
        key("successes", Whole(1, 1000), "It closes after so many successes in a row; 2 when absent."),
        key("when-open", OneOf(WHEN_OPEN), "What a call does meanwhile: wait, or fail at once."),
    ],
};

/// The keys of `rate`: the number of calls that a tool accepts.
pub(super) const RATE: Table = Table {
    what: "`rate`",
    keys: &[
        key("calls", Whole(1, 4_294_967_295), "So many, in the time below."),
        key("per", Duration, "In so long; 1s when absent."),
        key(
            "burst",
            Whole(1, 4_294_967_295),
            "So many at once after a while without any; as `calls` when absent.",
        ),
        key("per-day", Whole(1, u64::MAX), "So many on one day."),
        key("timezone", Word, "Where the day begins; the zone of the workspace when absent."),
    ],
};

/// The keys of `hints`: properties of a model, or wishes of a step.
pub(super) const HINTS: Table = Table {
    what: "`hints`",
    keys: &[
        key("complexity", OneOf(GRADES), "How hard the work is; counts first."),
        key("cost", OneOf(GRADES), "What it may cost; counts second."),
        key("speed", OneOf(GRADES), "How fast it has to be; counts last."),
    ],
};

/// The keys of `price`: the cost of the tokens of a model.
pub(super) const PRICE: Table = Table {
    what: "`price`",
    keys: &[
        key("input-usd", Decimal, "A million tokens of what is asked, in dollars.").required(),
        key("output-usd", Decimal, "A million tokens of what is answered, in dollars.").required(),
    ],
};

/// A file that describes a model.
pub(super) const MODEL: Table = Table {
    what: "a model",
    keys: &[
        key("name", Word, "How workflows call it: claude-sonnet.").required(),
        key("description", Word, "What it is, in a sentence."),
        key("provider", OneOf(PROVIDERS), "Whose format it speaks; local servers mostly speak openai.")
            .required(),
        key("model", Word, "What its provider calls it.").required(),
        key(
            "url",
            Word,
            "Where it is, up to the version: http://127.0.0.1:11434/v1; the provider's own when absent.",
        ),
        key(
            "key",
            Word,
            "The secret that is its key; the provider's usual one when `url` is absent, else none.",
        ),
        key("price", Shape::Table(&PRICE), "What a million tokens cost; nobody knows when absent."),
        key(
            "max-tokens",
            Whole(1, 10_000_000),
            "Tokens of an answer where a step says nothing; 4096 when absent.",
        ),
        key("hints", Shape::Table(&HINTS), "What it is good for; medium when absent."),
        key("breaker", Shape::Table(&BREAKER), "When calls to it are held back because it fails."),
        key("rate", Shape::Table(&RATE), "How many calls it takes."),
    ],
};

/// A file that describes an agent.
pub(super) const AGENT_FILE: Table = Table {
    what: "an agent",
    keys: &[
        key("name", Word, "How workflows call it: reviewer.").required(),
        key("version", Word, "One to three numbers; a step may ask for name@1.").required(),
        key("description", Word, "What it does, in a sentence.").required(),
        key("capabilities", OneOrMany(&Word), "What it can do, in words that steps ask for."),
        key("command", Either(&[Text, List(&Text)]), "Words, or a script; both may read ${{ input.… }}."),
        key(
            "claim",
            Bool,
            "In place of a command: an agent that has registered over HTTP comes for the work.",
        ),
        key("shell", Word, "The program that runs the script: bash -euo pipefail -c."),
        key("env", Map(&Text), "What it finds in its environment; may read ${{ input.… }}."),
        key("heartbeat", Duration, "How often it gives a sign of life; it may be silent when absent."),
        key("reliability", OneOf(RELIABILITIES), "How far its results can be trusted; medium when absent."),
        key("duration", Duration, "How long it takes, as a rule."),
        key("cost-usd", Decimal, "What a call costs, in dollars."),
        key("effect", OneOf(EFFECTS), "What a crash in the middle of it means; once when absent."),
        key("risk", OneOf(RISKS), "How bad a wrong call is; externally-reversible when absent."),
        key("breaker", Shape::Table(&BREAKER), "When calls to it are held back because it fails."),
        key("rate", Shape::Table(&RATE), "How many calls it takes."),
        key(
            "priority",
            Whole(0, 1000),
            "Where one is chosen by priority: the higher, the sooner; 0 when absent.",
        ),
        key("preconditions", OneOrMany(&Word), "What has to be so before, for people."),
        key("postconditions", OneOrMany(&Word), "What is so afterwards, for people."),
        key("input", Any, "JSON Schema of what it is given; its `task` is always part of it."),
        key("output", Any, "JSON Schema of its answer."),
    ],
};

/// A tool of an MCP server.
pub(super) const MCP: Table = Table {
    what: "`mcp`",
    keys: &[
        key("command", List(&Word), "The program that is the server, and its words; started for each call."),
        key("url", Word, "Where the server is."),
        key("headers", Map(&Text), "Header fields for that address; may read ${{ env.… }} of the step."),
        key("tool", Word, "What the server calls it.").required(),
        key(
            "says",
            Any,
            "What the server said of it when it was accepted; a call is refused when it says otherwise.",
        )
        .required(),
    ],
};

/// A file that describes a tool.
pub(super) const TOOL: Table = Table {
    what: "a tool",
    keys: &[
        key("name", Word, "How workflows call it: deploy, image.push.").required(),
        key("version", Word, "One to three numbers; a step asks for name@1.").required(),
        key("description", Word, "What it does, in a sentence.").required(),
        key("category", Word, "What it belongs to; the first word of the name when absent."),
        key("reliability", OneOf(RELIABILITIES), "How far its results can be trusted; medium when absent."),
        key("duration", Duration, "How long it takes, as a rule."),
        key("cost-usd", Decimal, "What a call costs, in dollars."),
        key("effect", OneOf(EFFECTS), "What a crash in the middle of it means; once when absent."),
        key("risk", OneOf(RISKS), "How bad a wrong call is; externally-reversible when absent."),
        key("breaker", Shape::Table(&BREAKER), "When calls to it are held back because it fails."),
        key("rate", Shape::Table(&RATE), "How many calls it takes."),
        key("capabilities", OneOrMany(&Word), "What it can do, in words that steps ask for."),
        key(
            "priority",
            Whole(0, 1000),
            "Where one is chosen by priority: the higher, the sooner; 0 when absent.",
        ),
        key("preconditions", OneOrMany(&Word), "What has to be so before, for people."),
        key("postconditions", OneOrMany(&Word), "What is so afterwards, for people."),
        key("input", Any, "JSON Schema of what it is given."),
        key("output", Any, "JSON Schema of what it gives."),
        key("command", Either(&[Text, List(&Text)]), "Words, or a script; both may read ${{ input.… }}."),
        key(
            "undo",
            Either(&[Text, List(&Text)]),
            "How a call of it is taken back: words, or a script; both may read ${{ input.… }} and ${{ output.… }}. Or none: it cannot be.",
        ),
        key("http", Shape::Table(&HTTP), "A request, which may read ${{ input.… }}."),
        key("mcp", Shape::Table(&MCP), "A tool of an MCP server; `cuelight tool add` writes it."),
        key("shell", Word, "The program that runs the script: bash -euo pipefail -c."),
        key("built-in", Bool, "For our own."),
    ],
};

/// The keys of a step in the order in which they are written.
pub fn step_keys() -> impl Iterator<Item = &'static str> {
    STEP.keys.iter().map(|key| key.name)
}

/// The keys of a workflow in the order in which they are written.
pub fn workflow_keys() -> impl Iterator<Item = &'static str> {
    WORKFLOW.keys.iter().map(|key| key.name)
}
