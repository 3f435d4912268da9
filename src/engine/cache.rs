//! Cached results that may stand for a step: earlier successes, by the author's key and by the step as it is
//! written. The least recently used result goes first when the room is used up. The fold is shared with
//! `projection`.

mod results;

pub use results::{Cache, CachedResult};

use crate::{
    CacheEvent, CachedFrom, Fact, Origin, Purpose, Refusal, StepEvent, StepState,
    call::{self, Unresolved},
    condition::View,
    handle::{Turn, required_reason},
    outcome,
    run::Run,
};
use cuelight_base::{Actor, CACHE_KEY_CHARS_MAX, Digest, RunId, StepIx, canonical_json, sha256, shorten};

/// The id of a result, made from the key, the step as it is written, and the files that the call was approved with: a
/// result that was made with other files is another result, whatever the author's key says. A call that is bound to no
/// file has the id that earlier versions gave it.
fn id_of(run: &Run, step: StepIx, key: &str, files: Option<Digest>) -> Digest {
    let plan = run.plan_step(step);
    let tool = call::tool_at(run, step, 0).map(|tool| tool.definition).unwrap_or_default();
    let env: Vec<&(String, String)> = run.env_of(step).collect();
    let written = canonical_json(&(&env, &plan.outputs, &plan.matrix));
    let template = call::template_hash(plan);
    let of_words = [key.as_bytes(), &template.0, &tool.0, written.as_bytes()];
    match &files {
        None => sha256("cuelight-cache-v1", &of_words),
        Some(files) => sha256("cuelight-cache-bound-v1", &[&of_words[..], &[&files.0]].concat()),
    }
}

impl Turn<'_> {
    /// The key of a step as it is now; none when its results are not cached.
    fn cache_key(&self, id: RunId, step: StepIx) -> Option<Result<String, Unresolved>> {
        let run = self.run(id);
        let rule = run.plan_step(step).cache.as_ref()?;
        let key = View::of(self.world, run, step, self.now).text(&rule.key);
        Some(key.map_err(Unresolved::from).and_then(|key| {
            if key.trim().is_empty() || key.chars().count() > CACHE_KEY_CHARS_MAX {
                let shown = shorten(&key, 40);
                let why = format!("its cache key {shown:?} is none; 1 to {CACHE_KEY_CHARS_MAX} characters");
                return Err(Unresolved::Failed(why));
            }
            Ok(key)
        }))
    }

    /// The key of a call that is about to be made; none when its result is not cached.
    pub(super) fn cache_key_of(
        &self,
        id: RunId,
        step: StepIx,
        purpose: Purpose,
    ) -> Result<Option<String>, Unresolved> {
        match self.cache_key(id, step).filter(|_| purpose == Purpose::Step) {
            None => Ok(None),
            // What was not known of files when it began is not asked for in the middle of the work.
            Some(Err(_)) if self.run(id).step(step).state() == StepState::Running => Ok(None),
            Some(key) => key.map(Some),
        }
    }

    /// True if a cached result of this key stands for this step: made by a call that was bound to these files, or to none.
    pub(super) fn is_cached(&mut self, id: RunId, step: StepIx, key: &str, files: Option<Digest>) -> bool {
        let key = key.to_owned();
        let run = self.run(id);
        let entry = id_of(run, step, &key, files);
        let Some(result) = self.world.cache.get(entry, self.now).cloned() else { return false };
        let judged = outcome::judge(run.plan_step(step), call::tool_at(run, step, 0), &result.outputs);
        if !judged.is_ok_and(|judged| judged.below.is_none()) {
            return false;
        }
        self.emit(Fact::Cache(CacheEvent::Used { id: entry, key: key.clone(), run: id, step }));
        let origin = Origin { run: result.run, by: None, reason: String::new() };
        let cached = CachedFrom { key, step: result.step.clone(), at: result.at };
        let done = StepEvent::Completed {
            outputs: result.outputs.clone(),
            confidence: Some(result.confidence),
            partial: false,
            fallback: 0,
            kept: true,
            released: Vec::new(),
            released_fallbacks: Vec::new(),
            released_later: None,
            origin: Some(Box::new(origin)),
            bound: None,
            cached: Some(Box::new(cached)),
            given: None,
        };
        self.emit_step(id, step, done);
        true
    }

    /// A success is kept, if its step says so.
    pub(super) fn keep_result(&mut self, id: RunId, step: StepIx, result: &outcome::Result) {
        if result.partial || self.run(id).step(step).tries.work != 0 {
            return;
        }
        let run = self.run(id);
        let Some(key) = run.step(step).target.cache_key.clone() else { return };
        let plan = run.plan_step(step);
        let expires_at = plan.cache.as_ref().and_then(|cache| cache.ttl).map(|ttl| self.now + ttl);
        let stored = CacheEvent::Stored {
            id: id_of(run, step, &key, run.step(step).target.cache_files),
            key,
            outputs: result.outputs.clone(),
            confidence: result.confidence,
            run: id,
            step: plan.id.clone(),
            expires_at,
        };
        self.emit(Fact::Cache(stored));
    }

    /// Clears the workspace. Runs that are open go on, and the log keeps everything.
    pub(super) fn reset(&mut self, reason: String, by: Actor) -> Result<(), Refusal> {
        let reason = required_reason(reason, "reset")?;
        let count = u32::try_from(self.world.cache.results.len()).unwrap_or(u32::MAX);
        self.emit(Fact::Cache(CacheEvent::Reset { count, reason, by }));
        Ok(())
    }

    /// Deletes cached results: those of one key, or all.
    pub(super) fn clear_cache(&mut self, key: Option<String>, by: Actor) -> Result<(), Refusal> {
        let count = match &key {
            Some(key) => self.world.cache.of_key(key).count(),
            None => self.world.cache.results.len(),
        };
        if count == 0 && key.is_some() {
            let why =
                "could not clear the cache: no result has that key; `cuelight cache list` lists all keys";
            return Err(Refusal::Other(why.to_owned()));
        }
        if count > 0 {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.emit(Fact::Cache(CacheEvent::Cleared { key, count, by }));
        }
        Ok(())
    }
}
