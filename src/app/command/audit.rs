//! The trail for people and auditors: decisions and their authors, as lines, a table, one page, or a folder
//! that proves itself. `population` gathers the contents of table and page; `trail` verifies the log.

use super::{
    entries::{Entry, Window, each, unreadable},
    named, page,
    population::{COLUMNS, Population, population},
    receipt::{self, ReceiptArgs},
    trail::{self, AuditVerifyArgs},
    verifying,
};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
};
use clap::{Args, Subcommand, ValueEnum};
use cuelight_base::{Digest, RunId, Seq, Value, counted, safe_text};
use cuelight_engine::{Fact, GateEvent, Refusal, Stage};
use cuelight_projection::{TrailRow, event_line, event_type, event_types};
use cuelight_runtime::{Clock as _, SystemClock};
use cuelight_store::{ChainEnd, ChainHead, FileNote, Heads, Reader, Workspace};
use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    pub(super) command: Option<AuditCommand>,
    /// One run (r-7), or all runs of a trace
    pub(super) what: Option<String>,
    /// Only events of this type, or of this noun: gate.voted, gate
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) kind: Option<String>,
    /// Only what this person did
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
    #[command(flatten)]
    pub(super) window: Window,
    /// Include the records of steps, attempts and results that followed
    #[arg(long)]
    pub(super) all: bool,
    /// Only the last ones, the newest first
    #[arg(long, value_name = "20")]
    pub(super) recent: Option<usize>,
    /// As JSON, one event a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct AuditExportArgs {
    /// jsonl: the whole chain. csv: all decisions of people. html: the same as one page
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(super) format: ExportFormat,
    /// One run as a folder: events, receipts, keys, and how to check them
    #[arg(long, value_name = "RUN", conflicts_with = "format")]
    pub(super) evidence: Option<String>,
    #[command(flatten)]
    pub(super) window: Window,
    /// File to write, with a signed note beside it; standard output when not given
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    Jsonl,
    Csv,
    Html,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Write one decision to a file that can be verified on any machine
    #[command(after_help = "Example: cuelight audit receipt g-3 -o g-3.receipt.json")]
    Receipt(ReceiptArgs),
    /// Verify the whole log and its signatures; with a file, verify a receipt or an export
    #[command(
        after_help = "Examples:\n  cuelight audit verify\n  cuelight audit verify g-3.receipt.json --key cuelight/…+1a2b3c4d+…\n\n\
        Exit codes for the log: 0 it holds, 1 it does not, 2 usage, 3 it holds but records at its end are unsigned for more than 90 s, 6 cannot read.\n\
        Exit codes for a file: 0 it holds, 1 it does not, 2 usage."
    )]
    Verify(AuditVerifyArgs),
    /// Export the log or all decisions of people, for an auditor
    #[command(after_help = "Example: cuelight audit export --format html -o decisions.html")]
    Export(AuditExportArgs),
}

pub(super) async fn audit(config: &Config, out: Output, args: AuditArgs) -> Outcome {
    match &args.command {
        None => list(config, out, &args),
        Some(AuditCommand::Receipt(args)) => receipt::receipt(config, out, args).await,
        Some(AuditCommand::Verify(args)) => match &args.file {
            Some(file) => verifying::verify(out, file, &args.key),
            None => trail::audit_verify(config, out, args),
        },
        Some(AuditCommand::Export(args)) => export(config, out, args),
    }
}

/// The trail in lines.
fn list(config: &Config, out: Output, args: &AuditArgs) -> Outcome {
    let workspace = trail::workspace(config)?;
    let reader = Reader::open(&workspace).map_err(unreadable)?;
    let what = match args.what.as_deref() {
        Some(named::LATEST) => Some(run_named(&reader, named::LATEST)?.to_string()),
        what => what.map(str::to_owned),
    };
    let kind = args.kind.as_deref().map(kind_named).transpose()?;
    let (mut shown, mut left_out) = (0_u64, 0_u64);
    let mut is_what_known = what.is_none();
    let mut is_who_known = args.by.is_none();
    let mut recent: VecDeque<String> = VecDeque::new();
    let shown_line = |line: &str| if args.json { out.json_text(line) } else { out.line(line) };
    each(&reader, &mut |entry| {
        let is_of_what = what.as_deref().is_none_or(|what| is_about(&entry, what));
        let is_by = args.by.as_ref().is_none_or(|name| entry.row.who == *name);
        is_what_known |= is_of_what;
        is_who_known |= is_by;
        let is_of_kind = kind.as_deref().is_none_or(|kind| is_kind(entry.row.kind, kind));
        if !(is_of_what && is_by && is_of_kind && args.window.holds(&entry.row)) {
            return;
        }
        if !(args.all || entry.row.is_decision) {
            left_out += 1;
            return;
        }
        shown += 1;
        let line = if args.json {
            event_line(entry.row.seq, entry.event, entry.run.as_deref()).to_string()
        } else {
            line_of(entry.row)
        };
        match args.recent {
            None => shown_line(&line),
            Some(most) => {
                recent.push_front(line);
                recent.truncate(most);
            }
        }
    })?;
    match (what, args.by.as_deref()) {
        (Some(what), _) if !is_what_known => return Err(no_such(&what)),
        (_, Some(name)) if !is_who_known && !is_in_people(config, &workspace, name)? => {
            return Err(nobody(name));
        }
        _ => {}
    }
    recent.iter().for_each(|text| shown_line(text));
    if shown == 0 && !args.json {
        out.line(&nothing_fits(left_out));
    }
    Ok(ExitCode::SUCCESS)
}

/// The noun or the type that `--type` names, in the spelling of the trail.
fn kind_named(text: &str) -> Result<String, Trouble> {
    let types = event_types();
    let kind = event_type(text);
    if types.iter().any(|known| is_kind(known, kind)) {
        return Ok(kind.to_owned());
    }
    let mut by_noun: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for known in &types {
        by_noun.entry(known.split('.').next().unwrap_or(known)).or_default().push(known);
    }
    let lines: String = by_noun.values().map(|types| format!("\n  {}", types.join(", "))).collect();
    let message = format!("could not find the event type {}; the types are:{lines}", safe_text(text));
    Err(Trouble::usage(message))
}

/// True for the type itself, and for each type of a noun.
fn is_kind(known: &str, kind: &str) -> bool {
    known.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// True for a record of this run, or of a run of this trace.
fn is_about(entry: &Entry<'_>, what: &str) -> bool {
    let is_run = entry.row.run.is_some_and(|run| run.to_string() == what);
    is_run || entry.run.as_ref().is_some_and(|run| &*run.summary.trace == what)
}

fn no_such(what: &str) -> Trouble {
    Trouble::usage(match named::run(what) {
        Ok(run) => Refusal::NoRun(run).to_string(),
        Err(_) => {
            format!("could not find a run or a trace {}; `cuelight runs` lists the runs", safe_text(what))
        }
    })
}

fn is_in_people(config: &Config, workspace: &Workspace, name: &str) -> Result<bool, Trouble> {
    let people = config.people(workspace)?.known(rustix::process::geteuid().as_raw());
    Ok(people.groups.contains_key(name))
}

fn nobody(name: &str) -> Trouble {
    Trouble::usage(format!(
        "could not find {}: nobody of that name has acted here or stands in people.toml",
        safe_text(name)
    ))
}

fn nothing_fits(left_out: u64) -> String {
    match left_out {
        0 => "nothing in the trail fits that; `cuelight audit` shows all of it".to_owned(),
        many => {
            let records = counted(usize::try_from(many).unwrap_or(usize::MAX), "record", "records");
            format!(
                "no request, ask or answer fits that; --all shows {records} of steps, attempts and their results"
            )
        }
    }
}

fn line_of(row: TrailRow) -> String {
    let TrailRow { seq, at, who, channel, kind, on, why, run, stage, .. } = row;
    let stage = stage.map_or("-", Stage::word);
    let run = run.map_or_else(String::new, |run| run.to_string());
    let door = channel.map_or_else(String::new, |channel| format!(" ({channel})"));
    let line = format!("{seq:<6} {at} {run:<6} {stage:<9} {kind:<22} {on}  by {who}{door}  {why}");
    safe_text(&line).trim_end().to_owned()
}

/// A run by its id, or the newest one of the log.
fn run_named(reader: &Reader, text: &str) -> Result<RunId, Trouble> {
    if text == named::LATEST { named::newest(&each(reader, &mut |_| {})?.1) } else { named::run(text) }
}

/// All of it, for somebody else.
fn export(config: &Config, out: Output, args: &AuditExportArgs) -> Outcome {
    let workspace = trail::workspace(config)?;
    if let Some(run) = &args.evidence {
        let dir = args.output.as_deref().ok_or_else(|| {
            Trouble::usage("could not tell where the folder goes; name it with --output DIR")
        })?;
        let reader = Reader::open(&workspace).map_err(unreadable)?;
        return evidence(&workspace, out, run_named(&reader, run)?, dir);
    }
    let reader = Reader::open(&workspace).map_err(unreadable)?;
    let now = SystemClock.now();
    let list = || population(&reader, &args.window, now);
    let (text, head) = match args.format {
        ExportFormat::Jsonl => chain(&workspace, &reader)?,
        ExportFormat::Csv => list().map(|list| (table(&list), list.head))?,
        ExportFormat::Html => {
            let list = list()?;
            (page::page(&workspace, &reader, &list, &args.window, now)?, list.head)
        }
    };
    match &args.output {
        None if matches!(args.format, ExportFormat::Jsonl) => out.json_text(text.trim_end_matches('\n')),
        None => out.foreign(&text),
        Some(path) => {
            write(path, &text)?;
            out.line(&path.display().to_string());
            sign(&workspace, out, path, &text, head)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts a note beside a file: which log it was taken from, and where that ended, signed by the key of the workspace.
fn sign(
    workspace: &Workspace,
    out: Output,
    path: &Path,
    text: &str,
    head: (Seq, Digest),
) -> Result<(), Trouble> {
    let digest = Digest::of(text.as_bytes());
    match FileNote::sign(workspace, digest, head) {
        Ok(Some(note)) => {
            let path = verifying::note_beside(path);
            write(&path, &note.to_string())?;
            out.line(&format!("{}: checked with `cuelight audit verify`", path.display()));
        }
        Ok(None) => say("it is not signed: no engine has made a key here yet"),
        Err(why) => say(&format!("it is not signed: {why}")),
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    fs::write(path, text)
        .map_err(|error| Trouble::failed(format!("could not write {}: {error}", path.display())))
}

/// Every record as the chain has it, one a line; at the end how many, the head, what was signed and the keys.
fn chain(workspace: &Workspace, reader: &Reader) -> Result<(String, (Seq, Digest)), Trouble> {
    let heads = Heads::of(workspace).map_err(unreadable)?;
    let (head, hash) = reader.head().map_err(unreadable)?;
    let (mut out, mut count) = (String::new(), 0_u64);
    reader
        .chain(Seq(1), head, &mut |record| {
            count += 1;
            out.push_str(&serde_json::to_string(&record).expect("a record is JSON"));
            out.push('\n');
            true
        })
        .map_err(unreadable)?;
    let last = ChainEnd {
        count,
        head: ChainHead { seq: head, hash },
        notes: heads.notes.iter().map(ToString::to_string).collect(),
        keys: heads.keys.iter().map(ToString::to_string).collect(),
    };
    out.push_str(&serde_json::to_string(&last).expect("a last line is JSON"));
    out.push('\n');
    Ok((out, (head, hash)))
}

/// CSV by RFC 4180. The last line says how many and up to where.
fn table(list: &Population) -> String {
    let mut out = format!("number,{}\r\n", COLUMNS.join(","));
    for (index, decision) in list.decisions.iter().enumerate() {
        let cells: Vec<String> = COLUMNS.iter().map(|column| cell(decision.field(column))).collect();
        out.push_str(&format!("{},{}\r\n", index + 1, cells.join(",")));
    }
    let (head, hash) = list.head;
    out.push_str(&format!("end,{} decisions,head {head},{hash}\r\n", list.decisions.len()));
    out
}

/// Quoted, on one line, and never a formula where somebody opens it in a spreadsheet.
fn cell(text: &str) -> String {
    let text = safe_text(text);
    let formula = text.starts_with(['=', '+', '-', '@', '\t']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

/// One folder about a run: its events, a receipt of each decided gate, what was signed, the keys, and how to check it.
fn evidence(workspace: &Workspace, out: Output, run: RunId, dir: &Path) -> Outcome {
    let reader = Reader::open(workspace).map_err(unreadable)?;
    let (mut events, mut gates) = (String::new(), Vec::new());
    each(&reader, &mut |entry| {
        if entry.row.run == Some(run) {
            events.push_str(&format!("{}\n", event_line(entry.row.seq, entry.event, entry.run.as_deref())));
            if let Fact::Gate(_, _, gate, GateEvent::Resolved { .. }) = &entry.event.fact {
                gates.push(*gate);
            }
        }
    })?;
    if events.is_empty() {
        return Err(Trouble::usage(Refusal::NoRun(run).to_string()));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| Trouble::failed(format!("could not make {}: {error}", dir.display())))?;
    write(&dir.join("events.jsonl"), &events)?;
    for gate in &gates {
        let receipt: Value = receipt::make(workspace, *gate, run)?;
        let text = format!("{}\n", serde_json::to_string_pretty(&receipt).expect("a receipt is JSON"));
        write(&dir.join(format!("{gate}.receipt.json")), &text)?;
    }
    let heads = Heads::of(workspace).map_err(unreadable)?;
    let lines = |list: Vec<String>| list.into_iter().map(|text| format!("{text}\n")).collect::<String>();
    write(&dir.join("keys"), &lines(heads.keys.iter().map(ToString::to_string).collect()))?;
    write(&dir.join("checkpoints"), &lines(heads.notes.iter().map(ToString::to_string).collect()))?;
    write(
        &dir.join("README"),
        "events.jsonl       what happened in the run, one event a line\n\
         g-N.receipt.json   one decision: cuelight audit verify g-N.receipt.json --key KEY\n\
         keys               the keys; compare them with those you were given\n\
         checkpoints        signed heads of the log: cuelight audit verify --anchors checkpoints\n",
    )?;
    out.line(&format!("{}: {} events, {} receipts", dir.display(), events.lines().count(), gates.len()));
    Ok(ExitCode::SUCCESS)
}
