//! Contexts of agents: made of the project's files and of what other agents handed in, and kept for the caller next, as long as
//! nothing of that has changed.

use super::{
    Clock as _, ContextQuery, LibraryQuery, LocalDesk, SystemClock, archive::Archive,
    library::result_of_bytes, tasks::WorkKind,
};
use cuelight_base::{
    CONTEXT_BYTES_LEAST, CONTEXT_BYTES_MAX, CONTEXT_CACHE_BYTES_MAX, CONTEXT_CACHE_ENTRIES_MAX, CONTEXT_KEPT,
    Seq, Span, Timestamp, Value, json_bytes,
};
use cuelight_engine::{Event, Fact};
use cuelight_exchange::{AgentResult, LibraryEvent};
use cuelight_tool::{
    AgentOutput, BuiltContext, ContextBody, ContextTrouble, ContextWish, Omitted, Project, Strategy,
    build_context, scan_project,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Time for which the list of files is reused without another walk.
const STRUCTURE_KEPT: Span = Span::seconds(60);
/// Results that are looked at for one context.
const RESULTS_MAX: u32 = 20;
/// A larger one is not looked into.
const RESULT_BYTES_READ: u64 = 1024 * 1024;
/// Bytes around a context, …
const AROUND_BYTES_MAX: usize = 64 * 1024;
/// … and the part of them for everything except the list of omitted files.
const HEAD_BYTES: usize = 600;
/// Characters of a decision that is told.
const DECISION_CHARS: usize = 4000;

/// A context, as it is answered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ContextAnswer {
    /// The piece of work.
    pub issue_id: String,
    /// The kind of agent.
    pub agent_type: String,
    /// The context for an agent of this type.
    pub context: ContextBody,
    /// True if something was left out for lack of room.
    pub truncated: bool,
    /// The method that made it fit.
    pub truncation_strategy: Strategy,
    /// Omitted entries, each with its reason.
    pub omitted: Vec<Omitted>,
    /// True if the context came from the cache.
    pub cache_hit: bool,
    /// When it is told.
    pub timestamp: String,
}

/// Why there is no context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoContext {
    /// It is another project's, whose files are not here.
    NotHere,
    /// Not even the least of it fits.
    TooLarge,
    /// Another failure, as a sentence that begins with `could not`.
    Failed(String),
}

impl std::fmt::Display for NoContext {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::NotHere => "could not find the files of that project; they are not in this workspace",
            Self::TooLarge => "could not make the context: not even the least of it fits; allow more bytes",
            Self::Failed(why) => why,
        })
    }
}

/// Counts of the context cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContextCounts {
    /// Contexts that are kept.
    pub entries: u64,
    /// Their bytes, without the list of files they were made of.
    pub bytes: u64,
    /// Asked for and there.
    pub hits: u64,
    /// Asked for and made.
    pub misses: u64,
}

type Key = (String, String, u32);

struct Kept {
    /// Without what is said anew each time.
    text: Arc<str>,
    project: Arc<Project>,
    /// The last result that it knows.
    last: Option<Seq>,
    made_at: Timestamp,
    used: u64,
}

/// The cache of contexts.
#[derive(Default)]
pub(super) struct Contexts {
    /// The files, when they were looked at, and whether they are to be walked again in any case. All that is kept was made of this list: there is
    /// no other, since one of 50,000 files is 10 MB.
    structure: Option<(Timestamp, Arc<Project>)>,
    walk_again: bool,
    kept: BTreeMap<Key, Kept>,
    counts: ContextCounts,
    uses: u64,
    /// Bytes that may be kept, where somebody has said so.
    bound: Option<u64>,
}

impl std::fmt::Debug for Contexts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Contexts").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Contexts {
    /// Keeps a context, unless the files it was made of are not those that are known any more.
    fn keep(&mut self, key: Key, kept: Kept) {
        self.forget(&key);
        let Some((_, project)) = &self.structure else { return };
        if !Arc::ptr_eq(project, &kept.project) {
            return;
        }
        let bound = self.bound.unwrap_or(CONTEXT_CACHE_BYTES_MAX);
        let room = bound.saturating_sub(project.weight() as u64);
        let now = kept.made_at;
        self.counts.entries += 1;
        self.counts.bytes += kept.text.len() as u64;
        self.kept.insert(key, kept);
        self.forget_all(|kept| now.since(kept.made_at) >= CONTEXT_KEPT);
        while self.counts.bytes > room || self.kept.len() > CONTEXT_CACHE_ENTRIES_MAX {
            let Some(oldest) = self.kept.iter().min_by_key(|entry| entry.1.used).map(|entry| entry.0.clone())
            else {
                return;
            };
            self.forget(&oldest);
        }
    }

    /// From now on these are the files, as they were at that moment; what was made of others is forgotten. Returns the list that is used.
    fn look_at(&mut self, now: Timestamp, project: Project) -> Arc<Project> {
        self.walk_again = false;
        let known = self.structure.take().map(|structure| structure.1).filter(|other| **other == project);
        let project = known.unwrap_or_else(|| Arc::new(project));
        self.structure = Some((now, Arc::clone(&project)));
        self.forget_all(|kept| !Arc::ptr_eq(&kept.project, &project));
        project
    }

    fn forget_all(&mut self, is_over: impl Fn(&Kept) -> bool) {
        let keys: Vec<Key> =
            self.kept.iter().filter(|entry| is_over(entry.1)).map(|entry| entry.0.clone()).collect();
        for key in keys {
            self.forget(&key);
        }
    }

    fn forget(&mut self, key: &Key) -> u64 {
        let bytes = self.kept.remove(key).map_or(0, |kept| kept.text.len() as u64);
        if bytes > 0 {
            self.counts.entries -= 1;
            self.counts.bytes -= bytes;
        }
        bytes
    }
}

impl Archive {
    /// The text of a context, as JSON.
    pub(super) fn context(&self, query: &ContextQuery) -> Result<String, NoContext> {
        // The files that are here are the workspace's own.
        if query.project.is_some() {
            return Err(NoContext::NotHere);
        }
        let now = SystemClock.now();
        let query = ContextQuery {
            bytes_max: query.bytes_max.clamp(CONTEXT_BYTES_LEAST, CONTEXT_BYTES_MAX),
            ..query.clone()
        };
        let key: Key = (query.issue.clone(), query.agent_type.clone(), query.bytes_max);
        let last = self.results_about(&query, 1)?.first().map(|pair| pair.0);
        let known = {
            let mut contexts = locked(self.contexts());
            contexts.uses += 1;
            let uses = contexts.uses;
            contexts
                .kept
                .get_mut(&key)
                .filter(|kept| kept.last == last && now.since(kept.made_at) < CONTEXT_KEPT)
                .map(|kept| {
                    kept.used = uses;
                    (Arc::clone(&kept.text), Arc::clone(&kept.project))
                })
        };
        if let Some((text, project)) = known
            && project.is_as_it_was()
        {
            locked(self.contexts()).counts.hits += 1;
            return Ok(told(&text, true, now));
        }
        let project = self.structure(now)?;
        let built = self.build(&project, &query, now)?;
        let text: Arc<str> = stored(&query, &built)?.into();
        let mut contexts = locked(self.contexts());
        contexts.counts.misses += 1;
        let used = contexts.uses;
        contexts.keep(key, Kept { text: Arc::clone(&text), project, last, made_at: now, used });
        drop(contexts);
        Ok(told(&text, false, now))
    }

    /// The files of the project, walked anew when they have changed or that was a while ago.
    fn structure(&self, now: Timestamp) -> Result<Arc<Project>, NoContext> {
        let known = {
            let contexts = locked(self.contexts());
            contexts.structure.clone().filter(|_| !contexts.walk_again)
        };
        if let Some((at, project)) = known
            && now.since(at) < STRUCTURE_KEPT
            && project.is_as_it_was()
        {
            return Ok(project);
        }
        let failed = |why: std::io::Error| {
            NoContext::Failed(format!(
                "could not look at the files of the workspace: {why}; see its permissions"
            ))
        };
        let project = scan_project(self.workspace().root()).map_err(failed)?;
        Ok(locked(self.contexts()).look_at(now, project))
    }

    fn results_about(&self, query: &ContextQuery, limit: u32) -> Result<Vec<(Seq, Event)>, NoContext> {
        let query = LibraryQuery { issue: Some(query.issue.clone()), limit, ..LibraryQuery::default() };
        self.find_in_library(&query).map(|pair| pair.0).map_err(NoContext::Failed)
    }

    fn build(
        &self,
        project: &Project,
        query: &ContextQuery,
        now: Timestamp,
    ) -> Result<BuiltContext, NoContext> {
        let results: Vec<(Event, AgentResult, Value)> = self
            .results_about(query, RESULTS_MAX)?
            .into_iter()
            .filter_map(|(_, event)| {
                let result = match &event.fact {
                    Fact::Library(LibraryEvent::HandedIn { result, .. }) => AgentResult::clone(result),
                    _ => return None,
                };
                let body = self.said_by(&result)?;
                Some((event, result, body))
            })
            .collect();
        let masker =
            self.secrets().masker().map_err(|why| NoContext::Failed(format!("could not mask: {why}")))?;
        let metric = |name: &str| {
            let mut found =
                results.iter().map(|result| &result.2["metrics"][name]).filter(|metric| !metric.is_null());
            found.next().cloned()
        };
        let build_status = metric("build_status").and_then(|metric| metric.as_str().map(str::to_owned));
        let wish = ContextWish {
            issue: &query.issue,
            agent_type: &query.agent_type,
            outputs: results.iter().flat_map(|(event, result, body)| outputs(event, result, body)).collect(),
            test_coverage: metric("test_coverage"),
            last_build_status: build_status,
            bytes_max: query.bytes_max as usize - around(query),
            now,
            masker: &masker,
        };
        build_context(project, &wish).map_err(|why| match why {
            ContextTrouble::TooLarge => NoContext::TooLarge,
            ContextTrouble::Unreadable(why) => NoContext::Failed(format!(
                "could not read the files of the workspace: {why}; see its permissions"
            )),
        })
    }

    fn said_by(&self, result: &AgentResult) -> Option<Value> {
        match (&result.body, result.blob) {
            (Some(body), _) => Some(body.clone()),
            (None, Some(blob)) if result.bytes <= RESULT_BYTES_READ => {
                result_of_bytes(&self.whole_blob(blob).ok()?).ok()
            }
            (None, _) => None,
        }
    }
}

/// The part of a result that is for other agents: each decision, else the outcome.
fn outputs(event: &Event, result: &AgentResult, body: &Value) -> Vec<AgentOutput> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let files = || -> Vec<String> {
        ["files_created", "files_modified", "files_deleted"]
            .iter()
            .flat_map(|key| texts(&body[*key]))
            .collect()
    };
    let short = |text: &str| cuelight_base::shorten(text, DECISION_CHARS);
    let one = |decision: &str, rationale: Option<&str>, files_affected: Vec<String>| AgentOutput {
        agent: result.agent.clone(),
        agent_type: result.agent_type.clone(),
        timestamp: event.at.to_string(),
        decision: short(decision),
        rationale: rationale.map(short),
        files_affected,
    };
    let decisions =
        body["decisions"].as_array().into_iter().flatten().filter_map(|decision| match decision {
            Value::String(text) => Some(one(text, None, files())),
            Value::Object(_) => {
                let named = texts(&decision["files_affected"]);
                let named = if named.is_empty() { files() } else { named };
                Some(one(decision["decision"].as_str()?, decision["rationale"].as_str(), named))
            }
            _ => None,
        });
    let decisions: Vec<AgentOutput> = decisions.collect();
    if !decisions.is_empty() {
        return decisions;
    }
    let summary = body["summary"].as_str().unwrap_or(result.status.word());
    vec![one(summary, None, files())]
}

/// A context without what is said anew each time.
#[derive(Serialize)]
struct Stored<'a> {
    issue_id: &'a str,
    agent_type: &'a str,
    context: &'a ContextBody,
    truncated: bool,
    truncation_strategy: Strategy,
    omitted: &'a [Omitted],
}

/// Its text, which lacks the end.
fn stored(query: &ContextQuery, built: &BuiltContext) -> Result<String, NoContext> {
    let mut omitted = built.omitted.as_slice();
    while !omitted.is_empty() && json_bytes(omitted) + HEAD_BYTES > around(query) {
        omitted = &omitted[..omitted.len() / 2];
    }
    let stored = Stored {
        issue_id: &query.issue,
        agent_type: &query.agent_type,
        context: &built.body,
        truncated: built.strategy != Strategy::None,
        truncation_strategy: built.strategy,
        omitted,
    };
    let failed =
        |why: serde_json::Error| NoContext::Failed(format!("could not write the context: {why}; tell us"));
    let mut text = serde_json::to_string(&stored).map_err(failed)?;
    text.pop();
    Ok(text)
}

/// Bytes of what stands around a context: that is not to be more than was asked for either.
fn around(query: &ContextQuery) -> usize {
    (query.bytes_max as usize / 4).min(AROUND_BYTES_MAX)
}

fn told(text: &str, cache_hit: bool, now: Timestamp) -> String {
    format!("{text},\"cache_hit\":{cache_hit},\"timestamp\":\"{now}\"}}")
}

fn locked(contexts: &Mutex<Contexts>) -> std::sync::MutexGuard<'_, Contexts> {
    contexts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalDesk {
    /// The text of a context, as JSON of a [`ContextAnswer`].
    ///
    /// # Errors
    /// When there is none.
    pub async fn context(&self, query: ContextQuery) -> Result<String, NoContext> {
        let archive = self.archive.clone();
        let work = self.tasks.work(WorkKind::Files, move || archive.context(&query)).await;
        let fault = || NoContext::Failed("could not make the context: a fault of cuelight".to_owned());
        work.unwrap_or_else(|_| Err(fault()))
    }

    /// Throws away what is kept for a piece of work: how many, and their bytes.
    pub fn forget_contexts(&self, issue: &str) -> (u64, u64) {
        let mut contexts = locked(self.archive.contexts());
        contexts.walk_again = true;
        let keys: Vec<Key> = contexts.kept.keys().filter(|key| key.0 == issue).cloned().collect();
        let bytes = keys.iter().map(|key| contexts.forget(key)).sum();
        (keys.len() as u64, bytes)
    }

    /// Keeps no more than so many bytes of contexts from now on, with the list of files they are made of.
    pub fn bound_contexts(&self, bytes: u64) {
        locked(self.archive.contexts()).bound = Some(bytes);
    }

    /// Hit and miss counts of the context cache.
    pub fn context_counts(&self) -> ContextCounts {
        locked(self.archive.contexts()).counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn key(issue: u64) -> Key {
        (issue.to_string(), "qa".to_owned(), 1)
    }

    fn kept(project: &Arc<Project>, made_at: i64, used: u64) -> Kept {
        Kept {
            text: "text".into(),
            project: Arc::clone(project),
            last: None,
            made_at: Timestamp(made_at),
            used,
        }
    }

    fn scanned(root: &Path) -> Project {
        scan_project(root).expect("readable")
    }

    #[test]
    fn one_list_of_files_is_kept_however_often_they_are_walked_and_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut contexts = Contexts::default();
        let first = contexts.look_at(Timestamp(0), scanned(dir.path()));
        contexts.keep(key(1), kept(&first, 0, 1));
        let same = contexts.look_at(Timestamp(1), scanned(dir.path()));
        assert!(Arc::ptr_eq(&first, &same), "nothing has changed");
        assert_eq!(contexts.counts.entries, 1);
        drop(same);
        let _new = tempfile::Builder::new().prefix("new").tempfile_in(dir.path()).expect("written");
        let second = contexts.look_at(Timestamp(2), scanned(dir.path()));
        assert_eq!((contexts.counts.entries, contexts.counts.bytes), (0, 0));
        // Whoever was still at work with the old list leaves nothing.
        contexts.keep(key(2), kept(&first, 2, 2));
        assert_eq!((contexts.counts.entries, Arc::strong_count(&first)), (0, 1));
        contexts.keep(key(2), kept(&second, 2, 2));
        assert_eq!(contexts.counts.entries, 1);
    }

    #[test]
    fn no_more_bytes_are_kept_than_somebody_has_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut contexts = Contexts::default();
        let project = contexts.look_at(Timestamp(0), scanned(dir.path()));
        // Room for two of four bytes each, beside the list of files.
        contexts.bound = Some(project.weight() as u64 + 8);
        for number in 1..=3 {
            contexts.keep(key(number), kept(&project, 0, number));
        }
        assert_eq!((contexts.counts.bytes, contexts.kept.contains_key(&key(1))), (8, false));
        contexts.bound = Some(0);
        contexts.keep(key(4), kept(&project, 0, 4));
        assert_eq!(contexts.counts.entries, 0);
    }

    #[test]
    fn contexts_are_kept_for_an_hour_and_so_many_the_least_used_go_first() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut contexts = Contexts::default();
        let project = contexts.look_at(Timestamp(0), scanned(dir.path()));
        let hour = i64::try_from(CONTEXT_KEPT.0).expect("an hour");
        contexts.keep(key(0), kept(&project, 0, 1));
        contexts.keep(key(1), kept(&project, hour, 2));
        assert_eq!((contexts.counts.entries, contexts.kept.contains_key(&key(0))), (1, false));
        for number in 2..=CONTEXT_CACHE_ENTRIES_MAX as u64 + 1 {
            contexts.keep(key(number), kept(&project, hour, number + 1));
        }
        assert_eq!(contexts.kept.len(), CONTEXT_CACHE_ENTRIES_MAX);
        assert!(!contexts.kept.contains_key(&key(1)));
        assert_eq!(contexts.counts.bytes, 4 * CONTEXT_CACHE_ENTRIES_MAX as u64);
    }
}
