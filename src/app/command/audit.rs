//! The trail for people and auditors: who decided what, as lines, a table of all decisions, one page, or a folder that proves
//! itself. Whether the log holds is said by `trail`.

use super::{named, receipt};
use crate::{
    app::{
        args::{AuditArgs, AuditExportArgs, ExportFormat, Window},
        config::Config,
        exit::{Outcome, Trouble},
        output::Output,
    },
    base::{Digest, RunId, Seq, Span, Value, safe_text},
    engine::{Event, Fact, GateEvent, Verdict},
    projection::{Board, RunView, TrailRow, event_line},
    store::{Heads, Reader, StoreError, Workspace},
};
use serde_json::json;
use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    process::ExitCode,
    sync::Arc,
};

/// Events read at once.
const PAGE: usize = 1024;
/// An approval that was given faster is told in the report.
const HASTY: Span = Span::seconds(2);

fn unreadable(error: StoreError) -> Trouble {
    Trouble::not_recorded(error.to_string())
}

/// One line of the trail with what it came from.
struct Entry<'a> {
    row: TrailRow,
    event: &'a Event,
    run: Option<Arc<RunView>>,
}

/// Goes through the whole log in order. Names of steps and workflows come from the runs as they were then.
fn each(reader: &Reader, take: &mut dyn FnMut(Entry<'_>)) -> Result<(Seq, Digest), Trouble> {
    let (mut board, mut next) = (Board::default(), Seq(1));
    let head = reader.head().map_err(unreadable)?;
    loop {
        let events = reader.events(next, PAGE).map_err(unreadable)?;
        let Some((last, _)) = events.last() else { return Ok(head) };
        next = Seq(last.0 + 1);
        for (seq, event) in events.iter().filter(|(seq, _)| *seq <= head.0) {
            board.apply(*seq, event);
            let run = event.fact.run().and_then(|it| board.run(it)).cloned();
            take(Entry { row: TrailRow::of(*seq, event, run.as_deref()), event, run });
        }
    }
}

/// The trail in lines.
pub(super) fn list(config: &Config, out: Output, args: &AuditArgs) -> Outcome {
    let workspace = super::trail::workspace(config)?;
    let reader = Reader::open(&workspace).map_err(unreadable)?;
    let mut shown = 0_u64;
    each(&reader, &mut |entry| {
        if !wanted(args, &entry) {
            return;
        }
        shown += 1;
        if args.json {
            return out.json(&event_line(entry.row.seq, entry.event, entry.run.as_deref()));
        }
        let TrailRow { seq, at, who, channel, kind, on, why, run, .. } = entry.row;
        let run = run.map_or_else(String::new, |it| it.to_string());
        let door = channel.map_or_else(String::new, |it| format!(" ({it})"));
        let line = format!("{seq:<6} {at} {run:<6} {kind:<22} {on}  by {who}{door}  {why}");
        out.line(safe_text(&line).trim_end());
    })?;
    if shown == 0 && !args.json {
        out.line("nothing in the trail fits that; `cuelight audit` shows all of it");
    }
    Ok(ExitCode::SUCCESS)
}

fn wanted(args: &AuditArgs, entry: &Entry<'_>) -> bool {
    let row = &entry.row;
    let of_what = args.what.as_deref().is_none_or(|what| {
        let run = row.run.is_some_and(|it| it.to_string() == what);
        run || entry.run.as_ref().is_some_and(|it| &*it.summary.trace == what)
    });
    let of_kind =
        args.kind.as_deref().is_none_or(|it| row.kind == it || row.kind.starts_with(&format!("{it}.")));
    let of_whom = args.by.as_deref().is_none_or(|it| row.who == it);
    of_what && of_kind && of_whom && holds(&args.window, row) && (args.all || row.is_decision)
}

fn holds(window: &Window, row: &TrailRow) -> bool {
    window.from.is_none_or(|it| it <= row.at) && window.to.is_none_or(|it| row.at < it)
}

/// All of it, for somebody else.
pub(super) fn export(config: &Config, out: Output, args: &AuditExportArgs) -> Outcome {
    let workspace = super::trail::workspace(config)?;
    if let Some(run) = &args.evidence {
        let dir = args.output.as_deref().ok_or_else(|| {
            Trouble::usage("could not tell where the folder goes; name it with --output DIR")
        })?;
        return evidence(&workspace, out, named::run(run)?, dir);
    }
    let reader = Reader::open(&workspace).map_err(unreadable)?;
    let text = match args.format {
        ExportFormat::Jsonl => chain(&workspace, &reader)?,
        ExportFormat::Csv => population(&reader, args)?,
        ExportFormat::Html => page(&workspace, &reader, args)?,
    };
    match &args.output {
        None => out.raw(text.as_bytes()),
        Some(path) => {
            write(path, &text)?;
            out.line(&path.display().to_string());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    fs::write(path, text).map_err(|it| Trouble::failed(format!("could not write {}: {it}", path.display())))
}

/// Every record as the chain has it, one a line; at the end how many, the head, what was signed and the keys.
fn chain(workspace: &Workspace, reader: &Reader) -> Result<String, Trouble> {
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
    let last = json!({
        "count": count,
        "head": { "seq": head.0, "hash": hash.to_string() },
        "notes": heads.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "keys": heads.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    out.push_str(&format!("{last}\n"));
    Ok(out)
}

/// One answer of a person at a gate, as auditors take it from a list.
struct Decision {
    seq: Seq,
    fields: Vec<(&'static str, String)>,
    by: String,
    requester: String,
    approves: bool,
    hasty: bool,
}

/// Every answer at a gate, and every other thing that a person decided, in order.
fn decisions(reader: &Reader, args: &AuditExportArgs) -> Result<(Vec<Decision>, (Seq, Digest)), Trouble> {
    let mut found = Vec::new();
    let head = each(reader, &mut |entry| {
        let is_of_person = entry.row.is_decision && entry.row.channel.is_some();
        if is_of_person && holds(&args.window, &entry.row) {
            found.push(decision(&entry));
        }
    })?;
    Ok((found, head))
}

fn decision(entry: &Entry<'_>) -> Decision {
    let row = &entry.row;
    let summary = entry.run.as_ref().map(|it| &it.summary);
    let requester = summary.map_or_else(String::new, |it| it.by.principal());
    let mut vote = None;
    if let Fact::Gate(_, _, _, GateEvent::Voted(it) | GateEvent::GlassBroken(it)) = &entry.event.fact {
        vote = Some(&**it);
    }
    let by = vote.map_or_else(String::new, |it| it.by.principal());
    let shown = vote.and_then(|it| it.shown_for);
    let independent = match (vote.is_some(), by == requester) {
        (false, _) => String::new(),
        (true, true) => "no: asked for it".to_owned(),
        (true, false) => "yes".to_owned(),
    };
    let text = |it: Option<String>| it.unwrap_or_default();
    let fields = vec![
        ("seq", row.seq.to_string()),
        ("time", row.at.to_string()),
        ("run", text(row.run.map(|it| it.to_string()))),
        ("workflow", text(summary.map(|it| it.workflow.to_string()))),
        ("plan", text(summary.map(|it| it.plan_hash.to_string()))),
        ("gate", text(row.gate.map(|it| it.to_string()))),
        ("what", row.kind.to_owned()),
        ("on", row.on.clone()),
        ("verdict", text(row.verdict.map(str::to_owned))),
        ("who", row.who.clone()),
        ("proven", by.clone()),
        ("groups", text(vote.map(|it| it.by.groups.join(" ")))),
        ("channel", text(row.channel.map(str::to_owned))),
        ("reason", vote.map_or_else(|| row.why.clone(), |it| it.reason.clone())),
        ("ask", text(vote.map(|it| it.ask.to_string()))),
        ("shown", text(shown.map(|it| it.to_string()))),
        ("requested by", text(summary.map(|it| it.by.name.clone()))),
        ("independent", independent),
    ];
    let approves = vote.is_some_and(|it| it.verdict == Verdict::Approve);
    Decision {
        seq: row.seq,
        fields,
        by,
        requester,
        approves,
        hasty: approves && shown.is_some_and(|it| it < HASTY),
    }
}

/// CSV by RFC 4180. The last line says how many and up to where.
fn population(reader: &Reader, args: &AuditExportArgs) -> Result<String, Trouble> {
    let (decisions, (head, hash)) = decisions(reader, args)?;
    let columns = COLUMNS.join(",");
    let mut out = format!("number,{columns}\r\n");
    for (index, decision) in decisions.iter().enumerate() {
        let cells: Vec<String> = decision.fields.iter().map(|(_, text)| cell(text)).collect();
        out.push_str(&format!("{},{}\r\n", index + 1, cells.join(",")));
    }
    out.push_str(&format!("end,{} decisions,head {head},{hash}\r\n", decisions.len()));
    Ok(out)
}

const COLUMNS: [&str; 18] = [
    "seq",
    "time",
    "run",
    "workflow",
    "plan",
    "gate",
    "what",
    "on",
    "verdict",
    "who",
    "proven",
    "groups",
    "channel",
    "reason",
    "ask",
    "shown",
    "requested by",
    "independent",
];

/// Quoted, on one line, and never a formula where somebody opens it in a spreadsheet.
fn cell(text: &str) -> String {
    let text = safe_text(text);
    let formula = text.starts_with(['=', '+', '-', '@', '\t']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

/// One page that an auditor reads without us: what was decided, what stands out, and how to check it.
fn page(workspace: &Workspace, reader: &Reader, args: &AuditExportArgs) -> Result<String, Trouble> {
    let (decisions, (head, hash)) = decisions(reader, args)?;
    let heads = Heads::of(workspace).map_err(unreadable)?;
    let own = decisions.iter().filter(|it| it.approves && it.by == it.requester);
    let hasty = decisions.iter().filter(|it| it.hasty);
    let row = |it: &Decision| {
        let cells: String = it.fields.iter().map(|(_, text)| format!("<td>{}</td>", html(text))).collect();
        format!("<tr id=\"{}\">{cells}</tr>\n", it.seq.0)
    };
    let places = |list: &mut dyn Iterator<Item = &Decision>| {
        let links: Vec<String> = list.map(|it| format!("<a href=\"#{0}\">{0}</a>", it.seq.0)).collect();
        if links.is_empty() { "none".to_owned() } else { links.join(", ") }
    };
    let (mut own, mut hasty) = (own, hasty);
    let heading: String = COLUMNS.iter().map(|it| format!("<th>{}</th>", html(it))).collect();
    let rows: String = decisions.iter().map(row).collect();
    let keys: String =
        heads.keys.iter().map(|it| format!("<li><code>{}</code></li>", html(&it.to_string()))).collect();
    let signed = heads.notes.last().map_or(Seq(0), |it| it.size);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Decisions</title><style>\n\
         body{{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:110rem}}table{{border-collapse:collapse;font-size:13px}}\n\
         th,td{{border:1px solid #999;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}}\n\
         th{{position:sticky;top:0;background:#eee}}code{{font-size:12px;overflow-wrap:anywhere}}</style></head><body>\n\
         <h1>Decisions</h1>\n\
         <p>{many} decisions of people, in a log of {head} records. The head is <code>{hash}</code>; heads are signed up to \
         record {signed}.</p>\n\
         <h2>Separation</h2><ul>\n<li>approved what they asked for themselves: {own}</li>\n\
         <li>approved within two seconds of seeing it: {hasty}</li></ul>\n\
         <h2>All decisions</h2><table><thead><tr>{heading}</tr></thead><tbody>\n{rows}</tbody></table>\n\
         <h2>How to check this</h2><p>On the machine of the log: <code>cuelight audit verify</code>. One decision elsewhere: \
         <code>cuelight receipt GATE -o FILE</code>, then <code>cuelight verify FILE --key KEY</code> with a key from here:</p>\n\
         <ul>{keys}</ul>\n</body></html>\n",
        many = decisions.len(),
        own = places(&mut own),
        hasty = places(&mut hasty),
    ))
}

fn html(text: &str) -> String {
    let text = safe_text(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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
        return Err(Trouble::usage(format!("could not find run {run}; `cuelight runs` lists what there is")));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|it| Trouble::failed(format!("could not make {}: {it}", dir.display())))?;
    write(&dir.join("events.jsonl"), &events)?;
    for gate in &gates {
        let receipt: Value = receipt::make(workspace, *gate, run)?;
        let text = format!("{}\n", serde_json::to_string_pretty(&receipt).expect("a receipt is JSON"));
        write(&dir.join(format!("{gate}.receipt.json")), &text)?;
    }
    let heads = Heads::of(workspace).map_err(unreadable)?;
    let lines = |list: Vec<String>| list.into_iter().map(|it| format!("{it}\n")).collect::<String>();
    write(&dir.join("keys"), &lines(heads.keys.iter().map(ToString::to_string).collect()))?;
    write(&dir.join("checkpoints"), &lines(heads.notes.iter().map(ToString::to_string).collect()))?;
    write(
        &dir.join("README"),
        "events.jsonl       what happened in the run, one event a line\n\
         g-N.receipt.json   one decision: cuelight verify g-N.receipt.json --key KEY\n\
         keys               the keys; compare them with those you were given\n\
         checkpoints        signed heads of the log: cuelight audit verify --anchors checkpoints\n",
    )?;
    out.line(&format!("{}: {} events, {} receipts", dir.display(), events.lines().count(), gates.len()));
    Ok(ExitCode::SUCCESS)
}
