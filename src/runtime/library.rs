//! The library, as it is kept and found: what an agent hands in is freed of secrets and, where it is large, kept beside the log before
//! the log says so; what is there is found by a list that follows the log.

use super::{LibraryQuery, LocalDesk, Reply, Shelf, Tasks, archive::Archive, tasks::WorkKind};
use cuelight_base::{Digest, RESULT_BYTES_MAX, RESULT_INLINE_BYTES_MAX, Seq, Timestamp, Value, sha256};
use cuelight_engine::{Command, Event, Fact, Refusal};
use cuelight_exchange::{AgentResult, Knowledge, LibraryEvent};
use cuelight_store::{Catalog, CatalogEntry, CatalogQuery, Journal, Reader, StoreError, Workspace};
use cuelight_tool::{SecretStore, credential_in};
use std::sync::Weak;
use tokio::sync::oneshot;

/// Events read at once while the list follows the log.
const EVENTS_PAGE: usize = 256;

impl LibraryQuery {
    fn of_catalog(&self) -> CatalogQuery {
        CatalogQuery {
            shelf: self.shelf.word().to_owned(),
            project: self.project.clone().unwrap_or_default(),
            id: self.id.clone(),
            issue: self.issue.clone(),
            agent: self.agent.clone(),
            agent_type: self.agent_type.clone(),
            kind: self
                .status
                .map(|status| status.word())
                .or(self.kind.map(|kind| kind.word()))
                .map(str::to_owned),
            since: self.since,
            until: self.until,
            before: self.before,
            words: self.words.clone(),
            // One more shows whether there are more.
            limit: usize::try_from(self.limit).unwrap_or(usize::MAX).saturating_add(1),
        }
    }
}

/// Finds in the library of a workspace; the list is brought up to date first, so that whatever is on disk is found.
pub(super) fn find(
    catalog: &mut Option<Catalog>,
    workspace: &Workspace,
    reader: &Reader,
    query: &LibraryQuery,
    now: Timestamp,
) -> Result<(Vec<(Seq, Event)>, bool), StoreError> {
    let mut list = match catalog.take() {
        Some(list) => list,
        None => Catalog::open(workspace)?,
    };
    if follow(&mut list, reader, now).is_err() {
        // Its disk may be full, or its file gone: what is derived can be made anew where nobody else is.
        list = Catalog::in_memory()?;
        follow(&mut list, reader, now)?;
    }
    let found = list.find(&query.of_catalog(), now)?;
    *catalog = Some(list);
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    let mut events = Vec::new();
    for seq in found.into_iter().take(limit) {
        events.extend(reader.events(seq, 1)?.into_iter().filter(|event| event.0 == seq));
    }
    Ok((events, more))
}

fn follow(list: &mut Catalog, reader: &Reader, now: Timestamp) -> Result<(), StoreError> {
    let (known, head) = list.gap(reader)?;
    if known == head.0 {
        return Ok(());
    }
    let mut next = Seq(known.0 + 1);
    let mut entries = Vec::new();
    loop {
        let events = reader.events_about("library", (next, head.0), EVENTS_PAGE)?;
        let Some((last, _)) = events.last() else { break };
        next = Seq(last.0 + 1);
        entries.extend(events.iter().filter_map(|(seq, event)| entry(*seq, event)));
    }
    list.take(&entries, head, now)
}

/// The catalog entry of an event.
fn entry(seq: Seq, event: &Event) -> Option<CatalogEntry> {
    let Fact::Library(library_event) = &event.fact else { return None };
    let at = event.at;
    Some(match library_event {
        LibraryEvent::HandedIn { result, until, by } => CatalogEntry {
            seq,
            shelf: Shelf::Results.word(),
            id: result.id.clone(),
            project: by.project().unwrap_or_default().to_owned(),
            issue: result.issue.clone(),
            agent: result.agent.clone(),
            agent_type: result.agent_type.clone(),
            kind: result.status.word().to_owned(),
            at,
            until: Some(*until),
            text: String::new(),
        },
        LibraryEvent::Learned { knowledge, by } => CatalogEntry {
            seq,
            shelf: Shelf::Knowledge.word(),
            id: knowledge.id.clone(),
            project: by.project().unwrap_or_default().to_owned(),
            issue: knowledge.issue.clone().unwrap_or_default(),
            agent: knowledge.agent.clone(),
            agent_type: knowledge.agent_type.clone().unwrap_or_default(),
            kind: knowledge.kind.word().to_owned(),
            at,
            until: None,
            text: knowledge.text.clone(),
        },
    })
}

/// Storage for content that is too large for the log. It does not keep the journal open.
#[derive(Clone, Debug)]
pub(super) struct Blobs(pub(super) Weak<Journal>);

impl Blobs {
    /// Keeps bytes; returns when they are on disk.
    async fn keep(&self, bytes: Vec<u8>) -> Result<Digest, String> {
        let ended = || "could not record: the engine has ended; start cuelight again".to_owned();
        let receiver = {
            let journal = self.0.upgrade().ok_or_else(ended)?;
            let (sender, receiver) = oneshot::channel();
            journal.put_blob(bytes, move |result| drop(sender.send(result)));
            receiver
        };
        receiver.await.map_err(|_| ended())?.map_err(|error| error.to_string())
    }
}

/// A command with what it hands in made ready: secrets are masked, its digest is ours, and what is large is on disk already.
pub(super) async fn made_ready(
    command: Command,
    (archive, blobs, tasks): (&Archive, &Blobs, &Tasks),
) -> Result<Command, Reply> {
    let (result, kept_for, by) = match command {
        Command::HandIn { result, kept_for, by } => (result, kept_for, by),
        Command::Learn { knowledge, by } => {
            let archive = archive.clone();
            let work = tasks.work(WorkKind::Text, move || harmless(*knowledge, archive.secrets())).await;
            let fault = || Reply::NotRecorded("could not read that: a fault of cuelight".to_owned());
            let knowledge = work.map_err(|_| fault())?.map_err(|why| Reply::Refused(Refusal::Other(why)))?;
            return Ok(Command::Learn { knowledge: Box::new(knowledge), by });
        }
        other => return Ok(other),
    };
    let archive = archive.clone();
    let work = tasks.work(WorkKind::Text, move || masked(*result, archive.secrets())).await;
    let fault = || Reply::NotRecorded("could not read the result: a fault of cuelight".to_owned());
    let (result, text) = work.map_err(|_| fault())?.map_err(|why| Reply::Refused(Refusal::Other(why)))?;
    let result = if text.len() > RESULT_INLINE_BYTES_MAX {
        let blob = blobs.keep(text.into_bytes()).await.map_err(Reply::NotRecorded)?;
        AgentResult { body: None, blob: Some(blob), ..result }
    } else {
        result
    };
    Ok(Command::HandIn { result: Box::new(result), kept_for, by })
}

/// Something known, which gives nothing away.
fn harmless(knowledge: Knowledge, secrets: &SecretStore) -> Result<Knowledge, String> {
    let refused = |why: &str| format!("could not keep the knowledge: {why}");
    let mut texts = vec![knowledge.text.clone(), Value::Object(knowledge.metadata.clone()).to_string()];
    // In JSON a quote is written in another way, and so is what stands between quotes.
    knowledge.metadata.values().for_each(|value| all_texts(value, &mut texts));
    if let Some(what) = texts.iter().find_map(|text| credential_in(text)) {
        return Err(refused(&format!("it seems to hold {what}; say where that is kept, and not what it is")));
    }
    let masker = secrets.masker().map_err(|why| refused(&why))?;
    if texts.iter().any(|text| masker.mask(text) != *text) {
        return Err(refused(
            "it holds a secret of this workspace; say where that is kept, and not what it is",
        ));
    }
    Ok(knowledge)
}

fn all_texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| all_texts(item, out)),
        Value::Object(fields) => fields.values().for_each(|field| all_texts(field, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Why something that is known may not be kept, before it is asked: it gives something away.
fn gives_away(knowledge: &Knowledge, secrets: &SecretStore) -> Option<String> {
    harmless(knowledge.clone(), secrets).err()
}

/// The masked result to keep, and its text.
fn masked(result: AgentResult, secrets: &SecretStore) -> Result<(AgentResult, String), String> {
    let refused = |why: &str| format!("could not take the result: {why}");
    let mut body = result.body.ok_or_else(|| refused("it says nothing"))?;
    let masker = secrets.masker().map_err(|why| refused(&why))?;
    masker.mask_value(&mut body);
    let text = serde_json::to_string(&body).map_err(|why| refused(&why.to_string()))?;
    if text.len() > RESULT_BYTES_MAX {
        return Err(refused("it is larger than 10 MiB; put what is large into files"));
    }
    let parts: [&str; 4] = [&result.issue, &result.agent, &result.agent_type, &text];
    let digest = sha256("cuelight-result-v1", &parts.map(str::as_bytes));
    let bytes = text.len() as u64;
    // Whatever was said of where it is kept is not believed.
    Ok((AgentResult { body: Some(body), blob: None, digest, bytes, ..result }, text))
}

impl LocalDesk {
    /// The digest that a result has once it is kept; nothing when it cannot be.
    pub async fn digest_of(&self, result: AgentResult) -> Option<Digest> {
        let archive = self.archive.clone();
        let work = self.tasks.work(WorkKind::Text, move || masked(result, archive.secrets())).await;
        work.ok()?.ok().map(|work| work.0.digest)
    }

    /// Why something that is known gives something away, if it does.
    pub async fn gives_away(&self, knowledge: Knowledge) -> Option<String> {
        let archive = self.archive.clone();
        let work = self.tasks.work(WorkKind::Text, move || gives_away(&knowledge, archive.secrets())).await;
        work.ok()?
    }

    /// All bytes of a blob.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn blob(&self, digest: Digest) -> Result<Vec<u8>, String> {
        let archive = self.archive.clone();
        let work = self.tasks.work(WorkKind::Files, move || archive.whole_blob(digest)).await;
        work.unwrap_or_else(|_| Err("could not read that: a fault of cuelight".to_owned()))
    }
}

/// Parses a result from its kept bytes.
///
/// # Errors
/// When the bytes are not the ones that were kept.
pub fn result_of_bytes(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes)
        .map_err(|why| format!("could not read the result: {why}; see `cuelight audit verify`"))
}
