//! The keys that what is said about a topic has to be signed with: a file of the workspace that its owner alone can read. What a signature
//! is, and when one is good, is for `gateway`.

use super::private::{locked, read_private, write_private};
use crate::{StoreError, Workspace};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use cuelight_base::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, fs, io, os::unix::fs::MetadataExt as _};

/// Keys of one topic that count at the same time: one, and the one that it replaces.
const LIVE_KEYS_MAX: usize = 2;
/// The time for which a replaced key stays valid.
const GRACE: Span = Span::seconds(24 * 3600);

/// The keys of all topics, by the name of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicKeys {
    topics: BTreeMap<String, Vec<TopicKey>>,
}

/// One key of a topic.
#[derive(Clone, PartialEq, Eq)]
pub struct TopicKey {
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it counts, when another one has replaced it.
    pub until: Option<Timestamp>,
    /// The secret that signs messages.
    pub secret: [u8; 32],
}

/// Prints the time of the key, never the secret.
impl fmt::Debug for TopicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "key of {}", self.made_at)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    made_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    secret: String,
}

impl TopicKeys {
    /// The keys of a workspace; empty if no key was made yet.
    ///
    /// # Errors
    /// When others could read it, or it is not what was written.
    pub fn of(workspace: &Workspace) -> Result<Self, StoreError> {
        let path = workspace.topic_keys();
        let next = "run `chmod 600` on it, and `cuelight event topics rotate` each topic twice";
        let Some(text) = read_private(&path, next)? else { return Ok(Self::default()) };
        let file: BTreeMap<String, Vec<Entry>> =
            serde_json::from_str(&text).map_err(|error| StoreError::damaged(&path, error.to_string()))?;
        let key = |key: Entry| {
            let secret = BASE64_URL_SAFE_NO_PAD.decode(&key.secret).ok()?.try_into().ok()?;
            Some(TopicKey { made_at: key.made_at, until: key.until, secret })
        };
        let topics = file
            .into_iter()
            .map(|(topic, keys)| Some((topic, keys.into_iter().map(key).collect::<Option<Vec<_>>>()?)));
        let topics = topics.collect::<Option<_>>();
        Ok(Self { topics: topics.ok_or_else(|| StoreError::damaged(&path, "a key is not 32 bytes"))? })
    }

    /// A stamp that changes when the file changes; none if the file does not exist.
    pub fn stamp(workspace: &Workspace) -> Option<(u64, i64, i64)> {
        let about = fs::symlink_metadata(workspace.topic_keys()).ok()?;
        Some((about.ino(), about.mtime(), about.mtime_nsec()))
    }

    /// Another secret for a topic; the one before it counts for a day more, and none besides.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn rotate(
        workspace: &Workspace,
        topic: &str,
        now: Timestamp,
        secret: [u8; 32],
    ) -> Result<(), StoreError> {
        let path = workspace.topic_keys();
        let failed = |error: io::Error| StoreError::io("write", &path, &error);
        let _lock = locked(path.parent().unwrap_or(&path)).map_err(failed)?;
        let mut all = Self::of(workspace)?;
        let keys = all.topics.entry(topic.to_owned()).or_default();
        for key in keys.iter_mut() {
            key.until = Some(key.until.map_or(now + GRACE, |until| until.min(now + GRACE)));
        }
        keys.push(TopicKey { made_at: now, until: None, secret });
        let spare = keys.len().saturating_sub(LIVE_KEYS_MAX);
        keys.drain(..spare);
        all.topics.values_mut().for_each(|topic| topic.retain(|key| key.is_live(now)));
        let entry = |key: &TopicKey| Entry {
            made_at: key.made_at,
            until: key.until,
            secret: BASE64_URL_SAFE_NO_PAD.encode(key.secret),
        };
        let file: BTreeMap<&String, Vec<Entry>> =
            all.topics.iter().map(|(topic, keys)| (topic, keys.iter().map(entry).collect())).collect();
        write_private(&path, &file).map_err(failed)
    }

    /// The keys of a topic that count at this moment, oldest first.
    pub fn live(&self, topic: &str, now: Timestamp) -> impl Iterator<Item = &TopicKey> + Clone {
        self.topics.get(topic).into_iter().flatten().filter(move |key| key.is_live(now))
    }
}

impl TopicKey {
    fn is_live(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}
