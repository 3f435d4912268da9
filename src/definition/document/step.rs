//! Tables of a step and of the keys that steps of every kind have.

use super::gate::GATE;
use super::kind::{AGENT, EMIT, HTTP, LLM, SET, WAIT};
use super::table::Shape::{
    Any, Bool, Decimal, Duration, Either, Expression, List, Map, OneOf, OneOrMany, Size, Text, Whole, Word,
};
use super::table::{Shape, Table, key, same};
use super::tool::ACTION;
use super::words::{
    BELOW, EFFECTS, ON_CONSOLE_DEATH, ON_ERROR, RETRIES, ROUTES, SANDBOXES, TIMEOUTS, VALUE_KINDS,
};
use super::workflow::{BUDGET, ESTIMATE, RETRY};
use cuelight_base::{PROCESS_FILES_LEAST, PROCESS_FILES_MOST, PROCESSES_MOST};

/// A step. The kinds come first among what it does.
pub(crate) const STEP: Table = Table {
    what: "a step",
    keys: &[
        key("id", Word, "Unique in the file: a-z, then a-z 0-9 _ -.").required(),
        key("name", Text, "For people."),
        key("needs", OneOrMany(&Word), "Steps that must have ended; absent: starts at once.")
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

/// Keys beside the axes.
pub(crate) const MATRIX: Table = Table {
    what: "a matrix",
    keys: &[
        key("include", List(&Map(&Any)), "Added to the copies they fit, or new copies."),
        key("exclude", List(&Map(&Any)), "Left out."),
        key("max-parallel", Whole(1, 10_000), "Copies running at once."),
        key("fail-fast", Bool, "Whether one failed copy stops the others; true when absent."),
    ],
};

pub(crate) const STRATEGY: Table = Table {
    what: "`strategy`",
    keys: &[
        key("matrix", Any, "Its copies."),
        key("max-parallel", Whole(1, 10_000), "Copies running at once."),
        key("fail-fast", Bool, "Whether one failed copy stops the others; true when absent."),
    ],
};

pub(crate) const CACHE: Table = Table {
    what: "`cache`",
    keys: &[
        key("key", Text, "Same key, same outputs.").required(),
        key("ttl", Duration, "How long; until it is cleared when absent."),
    ],
};

pub(crate) const CONFIDENCE: Table = Table {
    what: "`confidence`",
    keys: &[
        key("from", Word, "The output that holds it; what the step reports when absent."),
        key("min", Decimal, "Anything lower acts, 0 to 1.").required(),
        key("below", OneOf(BELOW), "How; gate when absent."),
    ],
};

pub(crate) const LIMITS: Table = Table {
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

pub(crate) const REQUIRES: Table = Table {
    what: "`requires`",
    keys: &[
        key("labels", OneOrMany(&Text), "Labels of the machine; of the inputs and the copy of a matrix."),
        key("capabilities", OneOrMany(&Word), "Capabilities of the worker."),
    ],
};

/// Several tools, of which one is chosen when the step begins.
pub(crate) const ROUTE: Table = Table {
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
