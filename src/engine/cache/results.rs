//! All results that are kept: the fold of cache events.

use crate::CacheEvent;
use cuelight_base::{
    CACHE_BYTES_MAX, CACHE_RESULTS_MAX, Digest, RunId, Score, Timestamp, ValueMap, json_bytes,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A result that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedResult {
    /// The key, as it was evaluated; untrusted text.
    pub key: String,
    /// The outputs of the step; untrusted.
    pub outputs: ValueMap,
    /// The confidence in the result.
    pub confidence: Score,
    /// The run that brought it about.
    pub run: RunId,
    /// The step's id there.
    pub step: String,
    /// The instant at which it was made.
    pub at: Timestamp,
    /// Until when it stands.
    pub expires_at: Option<Timestamp>,
    /// When it stood for a step last; at first when it was kept.
    pub used_at: Timestamp,
    /// The number of times that it was used.
    pub uses: u32,
    /// Its size as JSON.
    pub bytes: usize,
}

/// All results that are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cache {
    pub(super) results: BTreeMap<Digest, Arc<CachedResult>>,
    /// By use, the longest unused first.
    by_use: BTreeSet<(Timestamp, Digest)>,
    bytes: usize,
}

impl Cache {
    /// Applies an event to the state.
    pub fn apply(&mut self, at: Timestamp, event: &CacheEvent) {
        match event {
            CacheEvent::Stored { id, key, outputs, confidence, run, step, expires_at } => {
                self.remove(*id);
                self.insert(
                    *id,
                    CachedResult {
                        key: key.clone(),
                        outputs: outputs.clone(),
                        confidence: *confidence,
                        run: *run,
                        step: step.clone(),
                        at,
                        expires_at: *expires_at,
                        used_at: at,
                        uses: 0,
                        bytes: json_bytes(outputs) + key.len(),
                    },
                );
                self.make_room();
            }
            CacheEvent::Used { id, .. } => {
                if let Some(result) = self.remove(*id) {
                    self.insert(
                        *id,
                        CachedResult { used_at: at, uses: result.uses + 1, ..(*result).clone() },
                    );
                }
            }
            CacheEvent::Cleared { key: None, .. } | CacheEvent::Reset { .. } => *self = Self::default(),
            CacheEvent::Cleared { key: Some(key), .. } => {
                let ids: Vec<Digest> = self.of_key(key).map(|pair| pair.0).collect();
                for id in ids {
                    self.remove(id);
                }
            }
        }
    }

    fn insert(&mut self, id: Digest, result: CachedResult) {
        self.by_use.insert((result.used_at, id));
        self.bytes += result.bytes;
        self.results.insert(id, Arc::new(result));
    }

    fn remove(&mut self, id: Digest) -> Option<Arc<CachedResult>> {
        let result = self.results.remove(&id)?;
        self.by_use.remove(&(result.used_at, id));
        self.bytes -= result.bytes;
        Some(result)
    }

    fn make_room(&mut self) {
        while self.results.len() > CACHE_RESULTS_MAX || self.bytes > CACHE_BYTES_MAX {
            let Some((_, oldest)) = self.by_use.first().copied() else { return };
            self.remove(oldest);
        }
    }

    /// A result that still stands.
    pub fn get(&self, id: Digest, now: Timestamp) -> Option<&Arc<CachedResult>> {
        self.results.get(&id).filter(|result| result.expires_at.is_none_or(|until| until > now))
    }

    /// All results that have not expired, the last used first.
    pub fn all(&self, now: Timestamp) -> impl Iterator<Item = (Digest, &Arc<CachedResult>)> {
        self.by_use.iter().rev().filter_map(move |(_, id)| Some((*id, self.get(*id, now)?)))
    }

    pub(super) fn of_key<'a>(
        &'a self,
        key: &'a str,
    ) -> impl Iterator<Item = (Digest, &'a Arc<CachedResult>)> {
        self.results.iter().filter(move |entry| entry.1.key == key).map(|(id, result)| (*id, result))
    }

    /// The size of all results, in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}
