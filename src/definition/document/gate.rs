//! Tables of a gate: consent, quorum, escalation, and the gate of a call that a model asks for.

use super::table::Shape::{Duration, Either, Expression, Map, OneOf, OneOrMany, Text, Whole, Word};
use super::table::{Shape, Table, key};
use super::words::{CONSENTS, GATE_SCOPES, ON_FAILURE, ON_TIMEOUT, PROOFS, RISKS, TIMEOUTS, TOOL_GATES};
use super::workflow::FIELD;

pub(crate) const GATE: Table = Table {
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
        key("undo-window", Duration, "How long an approval can be withdrawn."),
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

pub(crate) const CONSENT: Table = Table {
    what: "`consent`",
    keys: &[key(
        "snapshot",
        OneOrMany(&Word),
        "Patterns of the files that are captured; `!pattern` leaves files out.",
    )
    .required()],
};

pub(crate) const QUORUM: Table = Table {
    what: "an entry of `require`",
    keys: &[
        key("group", Word, "The group; anybody when absent."),
        key("count", Whole(1, 100), "How many different people; 1 when absent."),
    ],
};

/// Only what makes the gates of a model's calls stricter stands here.
pub(crate) const CALL_GATES: Table = Table {
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

pub(crate) const ESCALATE: Table = Table {
    what: "`escalate`",
    keys: &[
        key("after", Duration, "How long after the opening.").required(),
        key("to", Text, "A person or group:name.").required(),
    ],
};
