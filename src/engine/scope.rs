//! Values that outlive a run: set by steps and by people. Each has a version, which grows with every change,
//! and an etag. With the etag a reader can change a value only if nobody else has meanwhile.

mod value;

pub(super) use value::Stored;
pub use value::{Expected, NewValue};

use crate::{Fact, Refusal, ScopeEvent, handle::Turn, world::World};
use cuelight_base::{
    Actor, EVENT_CONTENT_BYTES_MAX, RunId, SCOPE_KEY_CHARS_MAX, SCOPE_KEYS_MAX, SCOPE_VALUE_BYTES_MAX, Span,
    Timestamp, Value, canonical_json, json_bytes, sha256,
};
use cuelight_plan::Scope;

const _: () = assert!(SCOPE_VALUE_BYTES_MAX < EVENT_CONTENT_BYTES_MAX);

/// The etag that tells this value, set for this time, from every other.
pub fn etag(value: &Value, version: u64) -> String {
    let text = canonical_json(value);
    let digest = sha256("cuelight-etag-v1", &[text.as_bytes(), &version.to_be_bytes()]);
    digest.to_string().chars().take(16).collect()
}

/// The owner of the values that an actor sees in a scope: a session belongs to the actor, and each project
/// has its own of both scopes.
pub fn owner_of(scope: Scope, by: &Actor) -> String {
    let whose = if scope == Scope::Session { by.principal() } else { String::new() };
    by.project().map_or(whose.clone(), |project| format!("project:{project}/{whose}"))
}

impl World {
    /// Applies an event about a value that was set or removed. A removed or expired value is absent, and its
    /// version is counted on.
    pub(super) fn apply_scope(&mut self, run: Option<RunId>, at: Timestamp, event: &ScopeEvent) {
        let (scope, owner, key, value, expires_at) = match event {
            ScopeEvent::Set { scope, owner, key, value, expires_at, .. } => {
                (scope, owner, key, value.clone(), *expires_at)
            }
            ScopeEvent::Removed { scope, owner, key, .. } => (scope, owner, key, Value::Null, Some(at)),
        };
        if let (Scope::Run, Some(run)) = (scope, run) {
            self.run_mut(run).vars.insert(key.clone(), value);
            return;
        }
        let values = self.scopes.entry((*scope, owner.clone())).or_default();
        let version = values.get(key).map_or(0, |value| value.version) + 1;
        values.insert(key.clone(), Stored { value, expires_at, version });
    }

    /// A value of the session or the workspace that still stands.
    pub(super) fn stored(&self, scope: Scope, by: &Actor, key: &str, now: Timestamp) -> Option<&Value> {
        self.kept(scope, by, key, now).map(|stored| &stored.value)
    }

    /// The etag of such a value.
    pub(super) fn etag_of(&self, scope: Scope, by: &Actor, key: &str, now: Timestamp) -> Option<String> {
        self.kept(scope, by, key, now).map(|stored| etag(&stored.value, stored.version))
    }

    /// Why a value is not the one that was seen, if it is not.
    pub(super) fn differs(
        &self,
        scope: Scope,
        by: &Actor,
        key: &str,
        seen: &Expected,
        now: Timestamp,
    ) -> Option<String> {
        match (seen, self.etag_of(scope, by, key, now)) {
            (Expected::Absent, None) => None,
            (Expected::Etag(seen), Some(etag)) if *seen == etag => None,
            (_, Some(etag)) => Some(format!(
                "it has changed meanwhile, its etag is {etag} now; read it again and decide anew"
            )),
            (Expected::Etag(_), None) => {
                Some("it is not there any more; read what is there and decide anew".to_owned())
            }
        }
    }

    fn kept(&self, scope: Scope, by: &Actor, key: &str, now: Timestamp) -> Option<&Stored> {
        self.scopes.get(&(scope, owner_of(scope, by)))?.get(key).filter(|stored| stored.is_there(now))
    }

    /// Why one more key cannot be kept, if it cannot.
    pub(super) fn lacks_room_for(&self, scope: Scope, by: &Actor, key: &str) -> Option<String> {
        if key.is_empty() || key.chars().count() > SCOPE_KEY_CHARS_MAX || key.chars().any(char::is_control) {
            let key = cuelight_base::shorten(key, 40);
            return Some(format!(
                "{key:?} is no key; 1 to {SCOPE_KEY_CHARS_MAX} characters, none of them a control character"
            ));
        }
        let values = self.scopes.get(&(scope, owner_of(scope, by)))?;
        let full = values.len() >= SCOPE_KEYS_MAX && !values.contains_key(key);
        full.then(|| {
            format!("{SCOPE_KEYS_MAX} keys are kept there, which is the most; use one of them again")
        })
    }
}

impl Turn<'_> {
    /// Somebody sets a value, or takes it away.
    pub(super) fn set_value(&mut self, wanted: NewValue, by: Actor) -> Result<(), Refusal> {
        let NewValue { scope, key, value, ttl, expect } = wanted;
        let cannot = |why: String| Refusal::State { key: cuelight_base::shorten(&key, 60), why };
        if scope == Scope::Run {
            return Err(cannot("what a run keeps is set by its steps; choose session or global".to_owned()));
        }
        let differs = expect.and_then(|seen| self.world.differs(scope, &by, &key, &seen, self.now));
        if let Some(why) = differs {
            return Err(cannot(why));
        }
        let owner = owner_of(scope, &by);
        let Some(value) = value else {
            if self.world.kept(scope, &by, &key, self.now).is_none() {
                return Err(cannot("it is not there; `cuelight state list` lists the keys".to_owned()));
            }
            self.emit(Fact::Scope(None, ScopeEvent::Removed { scope, owner, key, by }));
            return Ok(());
        };
        if let Some(why) = self.world.lacks_room_for(scope, &by, &key) {
            return Err(cannot(why));
        }
        if json_bytes(&value) > SCOPE_VALUE_BYTES_MAX {
            return Err(cannot(
                "the value is larger than 1 MiB; keep it in a file and its path here".to_owned(),
            ));
        }
        if ttl == Some(Span(0)) {
            return Err(cannot("it would be gone at once; give --ttl a time, or leave it out".to_owned()));
        }
        let (expires_at, by) = (ttl.map(|ttl| self.now + ttl), Some(by));
        self.emit(Fact::Scope(None, ScopeEvent::Set { scope, owner, key, value, expires_at, by }));
        Ok(())
    }
}
