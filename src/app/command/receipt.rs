//! Receipts: one decision in a file that can be checked on another machine without this program's workspace.
//! It holds the ask, the votes, the links of the chain up to a signed head, and the keys. `store` defines the
//! chain.

use super::named;
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring,
};
use clap::Args;
use cuelight_base::{Digest, GateId, RunId, Seq, Value, read_json, safe_text, sha256};
use cuelight_engine::{NEEDS_TOUCH, SELF_DECLARED, STATEMENT_NAMESPACE, Statement, Verdict, form_digest};
use cuelight_runtime::signing_key;
use cuelight_store::{ChainRecord, Heads, Note, NoteKey, Reader, Workspace, is_name_of_log};
use serde_json::json;
use std::{fs, path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(super) struct ReceiptArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// File to write; standard output when not given
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// The `kind` field of a receipt file.
pub(super) const KIND: &str = "cuelight-receipt-v1";

/// Writes the receipt of a gate that has closed.
pub(super) async fn receipt(config: &Config, out: Output, args: &ReceiptArgs) -> Outcome {
    let gate = named::gate(&args.gate)?;
    let seat = wiring::look(config).await?;
    let view = named::gate_view(&seat, gate).await;
    let workspace = seat.workspace.clone();
    seat.leave().await;
    let view = view?;
    if view.is_open() {
        return Err(Trouble::failed(format!(
            "could not make a receipt: {gate} is open; `cuelight gate wait {gate}` waits for the verdict"
        )));
    }
    let receipt = make(&workspace, gate, view.run)?;
    match &args.output {
        None => out.json_pretty(&receipt),
        Some(path) => {
            let text = format!("{}\n", serde_json::to_string_pretty(&receipt).expect("a receipt is JSON"));
            fs::write(path, text)
                .map_err(|error| Trouble::failed(format!("could not write {}: {error}", path.display())))?;
            out.line(&format!("{}: check it with `cuelight audit verify`", path.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The receipt of a closed gate.
pub(super) fn make(workspace: &Workspace, gate: GateId, run: RunId) -> Result<Value, Trouble> {
    let unreadable = |error: cuelight_store::StoreError| Trouble::not_recorded(error.to_string());
    let reader = Reader::open(workspace).map_err(unreadable)?;
    let heads = Heads::of(workspace).map_err(unreadable)?;
    let about = places(&reader, gate, run).map_err(unreadable)?;
    let (Some(first), Some(last)) = (about.first(), about.last()) else {
        return Err(Trouble::failed(format!(
            "could not find {gate} in the log; `cuelight audit --type gate` lists the gates of the log"
        )));
    };
    let note = heads.notes.iter().find(|note| note.size >= *last).ok_or_else(|| {
        Trouble::failed(format!(
            "could not make a receipt of {gate}: no head was signed after it yet; that is done within a minute, try again"
        ))
    })?;
    let mut records = Vec::new();
    reader
        .chain(*first, note.size, &mut |record| {
            let shows = is_of_gates(&record.header, &run.0.into());
            records.push(ChainRecord { payload: record.payload.filter(|_| shows), ..record });
            true
        })
        .map_err(unreadable)?;
    Ok(json!({
        "kind": KIND,
        "database": note.origin,
        "run": run.to_string(),
        "gate": gate.to_string(),
        "records": records,
        "note": note.to_string(),
        "keys": heads.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
    }))
}

/// True if a record is about a gate of this run. A receipt shows all such records, so that none can be
/// hidden.
fn is_of_gates(header: &str, run: &Value) -> bool {
    // A header that cannot be read may be of a gate, so nothing of it may be hidden.
    let Ok(header) = read_json::<Value>(header) else { return true };
    header["kind"] == "gate" && header["run"] == *run
}

/// The sequence numbers of a gate's last ask and of all that followed. Who fills in the form answers the ask before their
/// values stood in it: then that ask is the first of them.
fn places(reader: &Reader, gate: GateId, run: RunId) -> Result<Vec<Seq>, cuelight_store::StoreError> {
    use cuelight_engine::{Fact, GateEvent};
    const PAGE: usize = 1024;
    let (mut about, mut asks, mut first, mut next) = (Vec::new(), Vec::new(), 0, Seq(1));
    loop {
        let events = reader.events_of(run, next, PAGE)?;
        let Some((last, _)) = events.last() else { return Ok(about.split_off(first)) };
        next = Seq(last.0 + 1);
        for (seq, event) in &events {
            let Fact::Gate(_, _, gate_id, event) = &event.fact else { continue };
            if *gate_id != gate {
                continue;
            }
            if let GateEvent::Asked { hash, .. } = event {
                first = about.len();
                asks.push((*hash, first));
            }
            let answered =
                event.vote().and_then(|vote| asks.iter().rev().find(|(hash, _)| *hash == vote.ask));
            first = answered.map_or(first, |(_, place)| first.min(*place));
            about.push(*seq);
        }
    }
}

/// The facts that a receipt proves, in lines for people. It is checked here or anywhere.
pub(super) fn checked(receipt: &Value, given: &[NoteKey]) -> Result<Vec<String>, String> {
    let note = Note::parse(text(receipt, "note")?.trim_end_matches('\n'))?;
    let own: Vec<NoteKey> = list(receipt, "keys")?
        .iter()
        .map(|key| key.as_str().unwrap_or_default().parse())
        .collect::<Result<_, _>>()?;
    let keys = if given.is_empty() { &own[..] } else { given };
    if !note.is_signed_by(keys) {
        return Err("its head is not signed by a key that is believed".to_owned());
    }
    let records: Vec<ChainRecord> = list(receipt, "records")?
        .iter()
        .map(|record| {
            serde_json::from_value(record.clone()).map_err(|why| format!("a record is none: {why}"))
        })
        .collect::<Result<_, _>>()?;
    let mut link: Option<(Seq, Digest)> = None;
    let mut payloads: Vec<(&ChainRecord, Value)> = Vec::new();
    for record in &records {
        let seq = record.seq;
        link = Some(record.follow(link).map_err(|error| format!("record {seq}: {}", error.kind))?);
        if let Some(payload) = &record.payload {
            payloads.push((record, read_json(payload).map_err(|error| error.to_string())?));
        } else if payloads.first().is_none_or(|(_, first)| is_of_gates(&record.header, &first["Gate"][0])) {
            return Err(format!("record {seq}: what it says is not shown"));
        }
    }
    if link != Some((note.size, note.head)) {
        return Err(format!("its records do not lead to the signed head at record {}", note.size.0));
    }
    let mut lines = labels(receipt, &payloads, &note)?;
    lines.extend(told(&payloads, &note.origin)?);
    lines.push(format!(
        "chain      records {} to {} hold",
        records.first().map_or(Seq(0), |record| record.seq),
        note.size
    ));
    lines.push(format!("signed     head {} of {}", note.size.0, safe_text(&note.origin)));
    lines.push(key_line(given, &own));
    Ok(lines)
}

/// The origin of the key. A key that stands in the file itself proves nothing about its author.
pub(super) fn key_line(given: &[NoteKey], own: &[NoteKey]) -> String {
    match given {
        [] => format!(
            "key        NOT VERIFIED: it stands in the file itself; compare {} with `cuelight keys` where the log \
             is, or give --key KEY",
            own.first().map_or_else(String::new, ToString::to_string)
        ),
        _ => "key        verified: the one given with --key".to_owned(),
    }
}

/// The gate, its run and its step in a line, from payloads that hold. The names on the outside of a receipt are signed by nobody: they
/// have to be the same.
fn labels(receipt: &Value, payloads: &[(&ChainRecord, Value)], note: &Note) -> Result<Vec<String>, String> {
    let no_ask = || "it holds no ask".to_owned();
    let signed = &payloads.first().ok_or_else(no_ask)?.1["Gate"];
    let id = |at: usize| signed[at].as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(no_ask);
    let (run, gate) = (RunId(id(0)?).to_string(), GateId(id(2)?).to_string());
    for (key, signed) in [("run", &run), ("gate", &gate), ("database", &note.origin)] {
        let told = text(receipt, key)?;
        if told != signed {
            let (told, signed) = (safe_text(told), safe_text(signed));
            return Err(format!("its {key} says {told}, and its signed records are of {signed}"));
        }
    }
    let step = &signed[3]["Asked"]["ask"]["step"];
    let step = step.as_str().map_or_else(String::new, |step| format!(", step {}", safe_text(step)));
    Ok(vec![format!("gate       {gate} of {run}{step}")])
}

/// The decision in lines, from payloads that hold. The ask has to be the one whose hash was voted on.
fn told(payloads: &[(&ChainRecord, Value)], log: &str) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    let (mut asked, mut before, mut wants_touch) = (None, None, false);
    let gate = payloads.first().map(|(_, value)| &value["Gate"][2]);
    for (record, payload) in payloads.iter().filter(|(_, value)| Some(&value["Gate"][2]) == gate) {
        let (seq, event) = (record.seq, &payload["Gate"][3]);
        let header: Value = read_json(&record.header).map_err(|error| format!("record {seq}: {error}"))?;
        let at = header["at"]
            .as_i64()
            .map_or_else(String::new, |number| cuelight_base::Timestamp(number).to_string());
        if let Some(value) = event.get("Asked") {
            let hash: Digest = value["hash"].as_str().unwrap_or_default().parse()?;
            if sha256("cuelight-ask-v1", &[cuelight_base::canonical_json(&value["ask"]).as_bytes()]) != hash {
                return Err(format!("record {seq}: the ask is not the one its hash says"));
            }
            before = asked.replace(hash);
            lines.push(format!(
                "asked      {at}  {}",
                safe_text(value["ask"]["prompt"].as_str().unwrap_or_default())
            ));
            lines.push(format!("ask        {}  {hash}", hash.code()));
            let policy = &value["ask"]["policy"];
            if policy["self_declared"] == true {
                lines.push(format!("people     {SELF_DECLARED}"));
            } else if let Some(name) = policy["signed_by"]["name"].as_str() {
                let key = policy["signed_by"]["key"].as_str().unwrap_or_default();
                lines.push(format!("people     signed by {} ({})", safe_text(name), safe_text(key)));
            }
            wants_touch = value["ask"]["touch"] == true;
            if wants_touch {
                lines.push(format!("proof      an approval {NEEDS_TOUCH}"));
            }
        } else if let Some(vote) = vote_in(event) {
            let hash: Digest = vote["ask"].as_str().unwrap_or_default().parse()?;
            // Who fills in the form saw the ask before their values stood in it.
            let is_filled = vote["form"].as_object().is_some_and(|fields| !fields.is_empty());
            if Some(hash) != asked && !(is_filled && Some(hash) == before) {
                return Err(format!("record {seq}: a vote on another ask"));
            }
            let said = signed_by(payload, vote, log).map_err(|why| format!("record {seq}: {why}"))?;
            let is_approval = vote["verdict"] == serde_json::to_value(Verdict::Approve).unwrap_or_default();
            if wants_touch && is_approval && !vote["by"]["proof"]["signature"]["touch"].is_string() {
                return Err(format!("record {seq}: an approval {NEEDS_TOUCH}, and this one has none"));
            }
            let groups =
                if vote["self_declared"] == true { groups(&vote["by"]["groups"]) } else { String::new() };
            lines.push(format!(
                "{:<10} {at}  by {said}{groups}{}",
                word(&vote["verdict"]),
                reason(&vote["reason"])
            ));
        } else if let Some(value) = event.get("Resolved") {
            lines.push(format!(
                "{:<10} {at}  by {}",
                word(&value["state"]),
                safe_text(value["by"].as_str().unwrap_or_default())
            ));
        } else if let Some(name) = event.as_object().and_then(|fields| fields.keys().next()) {
            lines.push(format!("{:<10} {at}", safe_text(&name.to_lowercase())));
        }
    }
    if asked.is_none() {
        return Err("it holds no ask".to_owned());
    }
    Ok(lines)
}

fn word(value: &Value) -> String {
    safe_text(&value.as_str().unwrap_or_default().to_lowercase())
}

/// The answer that an event of a gate records.
pub(super) fn vote_in(event: &Value) -> Option<&Value> {
    ["Voted", "GlassBroken", "Overridden"].iter().find_map(|key| event.get(key))
}

/// The voter and the proof of identity. A signature must cover this very answer, and its key is named.
pub(super) fn signed_by(payload: &Value, vote: &Value, log: &str) -> Result<String, String> {
    let by = &vote["by"];
    let name = safe_text(by["name"].as_str().unwrap_or_default());
    let signature = &by["proof"]["signature"];
    if let Some(key) = by["proof"]["token"]["key"].as_str() {
        return Ok(format!("{name} (by a token that the key {} signed)", safe_text(key)));
    }
    if signature.is_null() {
        let proof = by["proof"].to_string().replace(['{', '}', '"'], "").replace(':', " ");
        return Ok(format!("{name} ({})", safe_text(&proof)));
    }
    let statement = text(signature, "statement")?;
    let signed = Statement::read(statement).ok_or_else(|| format!("what {name} has signed is no answer"))?;
    if !is_name_of_log(&signed.log, log) {
        return Err(format!("what {name} has signed is for another log, {}", safe_text(&signed.log)));
    }
    let form = vote["form"].as_object().cloned().unwrap_or_default();
    let is_it = payload["Gate"][2] == signed.gate.0
        && vote["ask"] == signed.ask.to_string()
        && vote["verdict"] == serde_json::to_value(signed.verdict).unwrap_or_default()
        && vote["decision"] == signed.id
        && vote["reason"] == signed.reason.trim()
        && by["name"] == signed.by
        && payload["Gate"][3].get("GlassBroken").is_some() == signed.break_glass
        && payload["Gate"][3].get("Overridden").is_some() == signed.overrides
        && signed.form == form_digest(&form);
    if !is_it {
        return Err(format!("what {name} has signed is another answer"));
    }
    match signing_key(text(signature, "armored")?, STATEMENT_NAMESPACE, statement) {
        Some(signing_key)
            if signature["key"] == signing_key.key
                && signature["touch"] == serde_json::to_value(signing_key.touch).unwrap_or_default() =>
        {
            Ok(format!("{name} (signed with {signing_key})"))
        }
        _ => Err(format!("the signature of {name} is not good")),
    }
}

/// `, in sre (self-declared)`
fn groups(value: &Value) -> String {
    let names: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    format!(", in {} (self-declared)", safe_text(&names.join(" ")))
}

fn reason(value: &Value) -> String {
    match value.as_str() {
        Some(reason) if !reason.is_empty() => format!("  {}", safe_text(reason)),
        _ => String::new(),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value[key].as_str().ok_or_else(|| format!("{key} is missing"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value[key].as_array().ok_or_else(|| format!("{key} is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: &str = "cuelight-decision-v1\nlog \"cuelight/1\"\ngate g-2\nepoch 3\ntrace \"t1\"\n\
        ask 0707070707070707070707070707070707070707070707070707070707070707\nanswer approve\nby \"ann\"\nid \"d1\"\n\
        reason \"seen \\\"it\\\"\"\n";
    // Made of it by `ssh-keygen -Y sign -n cuelight-decision` of OpenSSH 9.2.
    const ARMORED: &str = "-----BEGIN SSH SIGNATURE-----\n\
        U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgGH9ViBr2SLi60k97w7tCmTUF3f\n\
        fkZWcUj4oQ7pDDWEgAAAARY3VlbGlnaHQtZGVjaXNpb24AAAAAAAAABnNoYTUxMgAAAFMA\n\
        AAALc3NoLWVkMjU1MTkAAABAxLCS1bslguX1d6jkMx8NdB4//9fDT8ncbTHogYAVq84R0/\n\
        gSWs7TJSgX5zsrz+md9N5Ac5rrLRIllBgk13P/Aw==\n\
        -----END SSH SIGNATURE-----";
    const KEY: &str = "SHA256:ZaLCfNEfPHBrSrrh/EsDrCpWK16l4BUp2pRHvjKfZWc";

    /// The record of that answer as a log has it.
    fn payload(kind: &str, bend: impl FnOnce(&mut Value)) -> Value {
        let signature =
            json!({ "person": "person:ann", "key": KEY, "statement": STATEMENT, "armored": ARMORED });
        let by = json!({ "name": "ann", "proof": { "signature": signature }, "channel": "command" });
        let mut vote = json!({
            "decision": "d1", "by": by, "verdict": "approve", "reason": "seen \"it\"", "ask": "07".repeat(32),
        });
        bend(&mut vote);
        json!({ "Gate": [1, 4, 2, { kind: vote }] })
    }

    #[test]
    fn a_header_that_names_a_key_twice_hides_no_gate() {
        let run = json!(1);
        assert!(is_of_gates(r#"{"kind":"gate","run":1}"#, &run));
        assert!(!is_of_gates(r#"{"kind":"step","run":1}"#, &run));
        assert!(is_of_gates(r#"{"kind":"gate","run":1,"kind":"step"}"#, &run));
    }

    fn said(payload: &Value, kind: &str) -> Result<String, String> {
        signed_by(payload, &payload["Gate"][3][kind], "cuelight/1")
    }

    #[test]
    fn a_signed_answer_is_believed_when_it_is_the_one_that_was_signed_by_the_key_it_names() {
        let good = payload("Voted", |_| ());
        assert_eq!(said(&good, "Voted"), Ok(format!("ann (signed with {KEY})")));
        type Bend = fn(&mut Value);
        let bends: &[(&str, Bend, &str)] = &[
            ("decision", |value| value["decision"] = "d2".into(), "another answer"),
            ("name", |value| value["by"]["name"] = "bob".into(), "another answer"),
            ("verdict", |value| value["verdict"] = "reject".into(), "another answer"),
            ("reason", |value| value["reason"] = "seen".into(), "another answer"),
            ("ask", |value| value["ask"] = "08".repeat(32).into(), "another answer"),
            ("key", |value| value["by"]["proof"]["signature"]["key"] = "SHA256:other".into(), "is not good"),
            (
                "signature",
                |value| value["by"]["proof"]["signature"]["armored"] = "none".into(),
                "is not good",
            ),
            (
                "statement",
                |value| value["by"]["proof"]["signature"]["statement"] = "yes".into(),
                "is no answer",
            ),
        ];
        for (what, bend, part) in bends {
            let why = said(&payload("Voted", bend), "Voted").expect_err(what);
            assert!(why.contains(part), "{what}: {why}");
        }
        let alone = said(&payload("GlassBroken", |_| ()), "GlassBroken");
        assert!(alone.is_err_and(|error| error.contains("another answer")), "it was not given alone");
        let mut elsewhere = good;
        elsewhere["Gate"][2] = 3.into();
        assert!(said(&elsewhere, "Voted").is_err(), "another gate");
        let good = payload("Voted", |_| ());
        let why = signed_by(&good, &good["Gate"][3]["Voted"], "cuelight/2").expect_err("another log");
        assert!(why.contains("for another log, cuelight/1"), "{why}");
    }
}
