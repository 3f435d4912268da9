//! Reads what is kept: events, output, files, plans. Nothing here waits for the engine, and nothing here changes anything.

use super::{
    Clock as _, LibraryQuery, OutputPart, Page, SystemClock, Tasks, Want,
    context::Contexts,
    in_flight::attempt_dir,
    launch::{agents, offer},
    library,
};
use cuelight_base::{ARTIFACT_BYTES_MAX, Arrivals, AttemptId, Digest, RunId, Seq};
use cuelight_engine::{Event, Fact, RunEvent};
use cuelight_plan::Plan;
use cuelight_projection::{Board, Record};
use cuelight_store::{Catalog, Linked, Reader, SpoolReader, StoreError, Workspace, linked, verify};
use cuelight_tool::{SecretStore, read_evidence};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// Events in one page.
const PAGE_EVENTS_MAX: u32 = 1024;
/// Bytes in one page: at most so many, or one event.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Connections kept for the next who reads.
const READERS_KEPT: usize = 4;

/// Reads everything that a workspace keeps.
#[derive(Clone, Debug)]
pub(super) struct Archive {
    workspace: Workspace,
    readers: Arc<Mutex<Vec<Reader>>>,
    tasks: Tasks,
    secrets: Arc<SecretStore>,
    /// The list of what is in the library, once somebody has looked.
    catalog: Arc<Mutex<Option<Catalog>>>,
    /// Cached contexts of agents.
    contexts: Arc<Mutex<Contexts>>,
}

impl Archive {
    pub(super) fn new(workspace: Workspace, tasks: Tasks) -> Self {
        let secrets = Arc::new(SecretStore::new(BTreeMap::new(), workspace.root()));
        Self {
            workspace,
            readers: Arc::default(),
            tasks,
            secrets,
            catalog: Arc::default(),
            contexts: Arc::default(),
        }
    }

    /// The same for who may start runs: which secrets there are decides whether a run can begin.
    #[must_use]
    pub(super) fn with_secrets(self, secrets: Arc<SecretStore>) -> Self {
        Self { secrets, ..self }
    }

    pub(super) fn secrets(&self) -> &SecretStore {
        &self.secrets
    }

    pub(super) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// One page of what is wanted.
    pub(super) async fn read(&self, want: Want) -> Page {
        let this = self.clone();
        let read =
            self.tasks.spawn_blocking(move || this.read_now(&want).unwrap_or_else(Page::Missing)).await;
        read.unwrap_or_else(|_| Page::Missing("could not read that: a fault of cuelight".to_owned()))
    }

    /// All events of one run.
    pub(super) fn history(&self, run: RunId) -> Result<Vec<(Seq, Event)>, StoreError> {
        let reader = Reader::open(&self.workspace)?;
        let (mut all, mut next) = (Vec::new(), Seq(1));
        loop {
            let events = reader.events_of(run, next, PAGE_EVENTS_MAX as usize)?;
            let Some((last, _)) = events.last() else { return Ok(all) };
            next = Seq(last.0 + 1);
            all.extend(events);
        }
    }

    /// Every event there is, in order.
    pub(super) fn each_event(
        &self,
        mut take: impl FnMut(Seq, &Event) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let reader = Reader::open(&self.workspace)?;
        let mut next = Seq(1);
        loop {
            let events = reader.events(next, PAGE_EVENTS_MAX as usize)?;
            let Some((last, _)) = events.last() else { return Ok(()) };
            next = Seq(last.0 + 1);
            for (seq, event) in &events {
                take(*seq, event)?;
            }
        }
    }

    fn read_now(&self, want: &Want) -> Result<Page, String> {
        match want {
            Want::Events { run, after, limit } => self.events(*run, *after, *limit),
            Want::Records { after, limit } => self.records(*after, *limit),
            Want::Chain => self.chain(),
            Want::Output { attempt, part } => self.output(*attempt, *part).map_err(|error| {
                format!("could not read the output of {attempt}: {error}; see the spool of the workspace")
            }),
            Want::Blob { digest, from } => self.blob(*digest, *from),
            Want::Kept { attempt, path, from } => {
                let dir = attempt_dir(&self.workspace.spool(), *attempt).join("artifacts");
                let bytes = read_evidence(&dir, path, ARTIFACT_BYTES_MAX)?;
                Ok(stretch(&bytes, *from))
            }
            Want::Plan(run) => self.plan(*run),
            Want::Workflow { path, words } => {
                let files = self.workspace.startable_files();
                Ok(Page::Workflow(Box::new(offer(&self.workspace, self.secrets(), &files, path, words))))
            }
            Want::Agents => Ok(Page::Agents(Box::new(agents(&self.workspace)))),
            Want::Library(query) => self.library(query),
            Want::Context(query) => match self.context(query) {
                Ok(text) => {
                    let total = text.len() as u64;
                    Ok(Page::Bytes { from: 0, bytes: text.into_bytes(), total, times: Arrivals::default() })
                }
                Err(why) => Err(why.to_string()),
            },
            Want::Past { run, until } => self.past(*run, *until),
        }
    }

    fn events(&self, run: Option<RunId>, after: Seq, limit: u32) -> Result<Page, String> {
        let (from, limit) = (Seq(after.0.saturating_add(1)), limit.min(PAGE_EVENTS_MAX) as usize);
        let mut events = self.with_reader(|reader| match run {
            Some(run) => reader.events_of(run, from, limit),
            None => reader.events(from, limit),
        })?;
        let mut more = events.len() == limit;
        let mut bytes = 0;
        let fitting = events.iter().take_while(|(_, event)| {
            let before = bytes;
            bytes += size(event);
            before == 0 || bytes <= PAGE_BYTES_MAX
        });
        let fitting = fitting.count();
        more |= fitting < events.len();
        events.truncate(fitting);
        Ok(Page::Events { events, more })
    }

    fn records(&self, after: Seq, limit: u32) -> Result<Page, String> {
        let limit = limit.min(PAGE_EVENTS_MAX) as usize;
        let mut left = PAGE_BYTES_MAX;
        let linked = self.with_reader(|reader| linked(reader, Seq(after.0.saturating_add(1)), limit))?;
        let fitting = linked.into_iter().enumerate().map_while(|(index, item)| {
            let size = size(&item.event);
            let fits = index == 0 || size <= left;
            left = left.saturating_sub(size);
            let Linked { seq, event, prev, hash, holds } = item;
            fits.then_some(Record { seq, event, prev, hash, holds })
        });
        Ok(Page::Records(fitting.collect()))
    }

    fn chain(&self) -> Result<Page, String> {
        self.with_reader(|reader| {
            Ok(match verify(reader, Seq(1)) {
                Ok(verified) => Page::Chain { records: verified.records, head: verified.head, broken: None },
                Err(broken) => {
                    let last = Seq(broken.seq.0.saturating_sub(1));
                    let why = Some(format!("{}: {}", broken.seq, broken.kind));
                    Page::Chain { records: last.0, head: (last, Digest::default()), broken: why }
                }
            })
        })
    }

    fn output(&self, attempt: AttemptId, part: OutputPart) -> io::Result<Page> {
        let spool = SpoolReader::new(&attempt_dir(&self.workspace.spool(), attempt));
        let total = spool.total()?;
        let length = PAGE_BYTES_MAX as u64;
        let stretch = match part {
            OutputPart::From(from) => spool.read(from, length)?,
            OutputPart::LastLines(lines) => {
                let from = spool.lines_back(total, lines as usize)?;
                if total - from.min(total) > length {
                    spool.tail(length)?
                } else {
                    spool.read(from, length)?
                }
            }
        };
        let (from, end) = (stretch.offset, stretch.end());
        let times = spool.arrivals(from, end)?;
        Ok(Page::Bytes { from, total: total.max(end), bytes: stretch.bytes, times })
    }

    fn blob(&self, digest: Digest, from: u64) -> Result<Page, String> {
        Ok(stretch(&self.whole_blob(digest)?, from))
    }

    /// All bytes that are kept under a digest.
    pub(super) fn whole_blob(&self, digest: Digest) -> Result<Vec<u8>, String> {
        let missing =
            || format!("could not find a kept file with digest {digest}; see the run it belongs to");
        self.with_reader(|reader| reader.blob(digest))?.ok_or_else(missing)
    }

    fn plan(&self, run: RunId) -> Result<Page, String> {
        self.plan_of(run).map(Page::Plan)
    }

    /// The plan of a run.
    pub(super) fn plan_of(&self, run: RunId) -> Result<Arc<Plan>, String> {
        let first = self.with_reader(|reader| reader.events_of(run, Seq(1), 1))?;
        match first.into_iter().next().map(|(_, event)| event.fact) {
            Some(Fact::Run(_, RunEvent::Created { plan, .. })) => Ok(plan),
            _ => Err(no_run(run)),
        }
    }

    fn library(&self, query: &LibraryQuery) -> Result<Page, String> {
        let (events, more) = self.find_in_library(query)?;
        Ok(Page::Events { events, more })
    }

    /// Entries of the library that match, and true if more follow.
    pub(super) fn find_in_library(&self, query: &LibraryQuery) -> Result<(Vec<(Seq, Event)>, bool), String> {
        let query = LibraryQuery { limit: query.limit.min(PAGE_EVENTS_MAX), ..query.clone() };
        let mut catalog = self.catalog.lock().unwrap_or_else(PoisonError::into_inner);
        self.with_reader(|reader| {
            library::find(&mut catalog, &self.workspace, reader, &query, SystemClock.now())
        })
    }

    /// Cached contexts of agents.
    pub(super) fn contexts(&self) -> &Mutex<Contexts> {
        &self.contexts
    }

    fn past(&self, run: RunId, until: Option<Seq>) -> Result<Page, String> {
        let mut board = Board::default();
        let (mut next, until) = (Seq(1), until.unwrap_or(Seq(u64::MAX)));
        loop {
            let events = self.with_reader(|reader| reader.events_of(run, next, PAGE_EVENTS_MAX as usize))?;
            for (seq, event) in events.iter().filter(|(seq, _)| *seq <= until) {
                board.apply(*seq, event);
            }
            match events.last() {
                Some((last, _)) if *last < until => next = Seq(last.0 + 1),
                None if next == Seq(1) => return Err(no_run(run)),
                Some(_) | None => return Ok(Page::Past(Arc::new(board))),
            }
        }
    }

    /// With a connection of its own, kept for the next.
    fn with_reader<T>(&self, work: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Result<T, String> {
        let kept = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let free = kept().pop();
        let reader = match free {
            Some(reader) => reader,
            None => Reader::open(&self.workspace).map_err(|error| error.to_string())?,
        };
        let result = work(&reader).map_err(|error| error.to_string());
        let mut readers = kept();
        if readers.len() < READERS_KEPT {
            readers.push(reader);
        }
        result
    }
}

fn no_run(run: RunId) -> String {
    format!("could not find run {run}; `cuelight runs` lists the runs")
}

fn stretch(bytes: &[u8], from: u64) -> Page {
    let start = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    let end = bytes.len().min(start + PAGE_BYTES_MAX);
    let (total, times) = (bytes.len() as u64, Arrivals::default());
    Page::Bytes { from: start as u64, bytes: bytes[start..end].to_vec(), total, times }
}

/// Bytes of an event as JSON.
fn size(event: &Event) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, event).expect("an event is JSON, and counting does not fail");
    count.0
}
