//! Tables of the kinds of steps: requests, models, agents, messages, values. A gate has its own file.

use super::gate::CALL_GATES;
use super::table::Shape::{
    Any, Decimal, Duration, Either, List, Map, OneOf, OneOrMany, Size, Text, Whole, Word,
};
use super::table::{Shape, Table, key, same};
use super::tool::HINTS;
use super::words::{MESSAGE_KINDS, METHODS, ROUTES, SCOPES, TOOL_GATES};
use cuelight_base::HTTP_REDIRECTS_MAX;

pub(crate) const HTTP: Table = Table {
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

pub(crate) const EXPECT: Table = Table {
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

pub(crate) const LLM: Table = Table {
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

pub(crate) const AGENT: Table = Table {
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

pub(crate) const WAIT: Table = Table {
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

pub(crate) const EMIT: Table = Table {
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

pub(crate) const SET: Table = Table {
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
