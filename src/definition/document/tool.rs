//! Tables of the files that describe a tool, an agent or a model.

use super::kind::HTTP;
use super::table::Shape::{
    Any, Bool, Decimal, Duration, Either, List, Map, OneOf, OneOrMany, Text, Whole, Word,
};
use super::table::{Shape, Table, key};
use super::words::{EFFECTS, GRADES, PROVIDERS, RELIABILITIES, RISKS, WHEN_OPEN};

/// The keys of a fallback or an undo.
pub(crate) const ACTION: Table = Table {
    what: "this",
    keys: &[
        key("run", Text, "A shell script."),
        key("uses", Word, "A tool."),
        key("with", Map(&Any), "Parameters of the tool."),
    ],
};

/// When the circuit of a tool opens and closes.
pub(crate) const BREAKER: Table = Table {
    what: "`breaker`",
    keys: &[
        key("failures", Whole(1, 1000), "It opens after so many failed calls in a row; 5 when absent."),
        key("open-for", Duration, "For so long nothing is called; 30s when absent."),
        key("successes", Whole(1, 1000), "It closes after so many successes in a row; 2 when absent."),
        key("when-open", OneOf(WHEN_OPEN), "What a call does meanwhile: wait, or fail at once."),
    ],
};

/// The keys of `rate`: the number of calls that a tool accepts.
pub(crate) const RATE: Table = Table {
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
pub(crate) const HINTS: Table = Table {
    what: "`hints`",
    keys: &[
        key("complexity", OneOf(GRADES), "How hard the work is; counts first."),
        key("cost", OneOf(GRADES), "What it may cost; counts second."),
        key("speed", OneOf(GRADES), "How fast it has to be; counts last."),
    ],
};

/// The keys of `price`: the cost of the tokens of a model.
pub(crate) const PRICE: Table = Table {
    what: "`price`",
    keys: &[
        key("input-usd", Decimal, "A million tokens of what is asked, in dollars.").required(),
        key("output-usd", Decimal, "A million tokens of what is answered, in dollars.").required(),
    ],
};

/// A file that describes a model.
pub(crate) const MODEL: Table = Table {
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
pub(crate) const AGENT_FILE: Table = Table {
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
pub(crate) const MCP: Table = Table {
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
pub(crate) const TOOL: Table = Table {
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
