//! The events of the message bus.

use crate::{DeadLetter, TopicRule};
use cuelight_base::{Actor, Message};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The events of the message bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum BusEvent {
    /// A message was sent.
    Said {
        /// The message that was sent.
        message: Arc<Message>,
        /// The actor who sent it; none when it was a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// A step received messages and went on.
    Taken {
        /// The step with its run: `r-1/go`.
        by: String,
        /// The ids of the messages.
        ids: Vec<String>,
        /// The project that the messages belong to; none for the workspace's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project: Option<String>,
    },
    /// The rules of these topics were declared; any message may be sent on other topics.
    Declared {
        /// The rules of all declared topics, by topic name.
        topics: BTreeMap<String, TopicRule>,
    },
    /// A message was rejected and sent to nobody.
    Rejected {
        /// The message, and the reason why it was rejected.
        letter: Box<DeadLetter>,
        /// The actor who sent it; none when it was a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
}
