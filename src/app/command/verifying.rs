//! Verifies a given file on any machine and without a workspace: a receipt, a whole chain, or a file with its
//! note. `store` verifies chains and notes; `receipt` verifies receipts.

use super::{
    receipt::{self, KIND, key_line},
    signing,
};
use crate::{
    exit::{FAILED, Outcome, Trouble},
    output::Output,
};
use cuelight_base::{Digest, VERIFIED_BYTES_MAX, Value, read_json, safe_text};
use cuelight_store::{ChainRecord, FileNote, NoteKey, verify_chain};
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The path of the note about a file.
pub(super) fn note_beside(path: &Path) -> PathBuf {
    path.with_added_extension("note")
}

/// Checks a file, whatever of ours it is.
pub(super) fn verify(out: Output, file: &Path, keys: &[NoteKey]) -> Outcome {
    let path = file.display();
    let mut bytes = Vec::new();
    let read = fs::File::open(file)
        .and_then(|file| file.take(VERIFIED_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| Trouble::usage(format!("could not read {path}: {error}")))?;
    if read as u64 > VERIFIED_BYTES_MAX {
        let message = format!(
            "could not verify {path}: it has more than {VERIFIED_BYTES_MAX} bytes; run `cuelight audit verify` in its workspace"
        );
        return Err(Trouble::usage(message));
    }
    let text = String::from_utf8_lossy(&bytes);
    let found = if let Err(why) = cuelight_base::json_if_any(text.as_bytes()) {
        Err(why)
    } else if signing::is_statement(&text) {
        signing::looked_at(file, &text)
    } else if let Some(receipt) = receipt_in(&text) {
        receipt::checked(&receipt, keys)
    } else {
        let is_chain = text.lines().next().is_some_and(|line| line.starts_with("{\"seq\":"));
        // A chain carries its own signatures; its note says more only to whoever has a key.
        let note = fs::read_to_string(note_beside(file)).ok();
        let note = note.filter(|_| !is_chain || !keys.is_empty());
        let noted = note.map(|note| noted(&note, &bytes, keys)).transpose();
        match (noted, is_chain) {
            (Err(why), _) => Err(why),
            (Ok(noted), true) => chain(&text, keys).map(|mut lines| {
                lines.extend(noted.unwrap_or_default());
                lines
            }),
            (Ok(Some(lines)), false) => Ok(lines),
            (Ok(None), false) => {
                return Err(Trouble::usage(format!(
                    "could not read {path}: it is no receipt of cuelight and no chain, and no {} lies beside it",
                    note_beside(file).display()
                )));
            }
        }
    };
    match found {
        Ok(lines) => {
            lines.iter().for_each(|line| out.line(line));
            Ok(ExitCode::SUCCESS)
        }
        Err(why) => {
            Err(Trouble { code: FAILED, message: format!("could not verify {path}: {}", safe_text(&why)) })
        }
    }
}

fn receipt_in(text: &str) -> Option<Value> {
    read_json::<Value>(text).ok().filter(|json| json["kind"] == KIND)
}

fn chain(text: &str, given: &[NoteKey]) -> Result<Vec<String>, String> {
    let found = verify_chain(text, given)?;
    let mut lines = vec![
        format!("chain      {} records hold, from the first on", found.records),
        format!("signed     up to record {}", found.signed),
    ];
    let log = found.keys.first().map_or_else(String::new, |key| key.log().to_owned());
    let (answers, touched) = answers(text, &log)?;
    if answers > 0 {
        let with_touch = if touched > 0 { format!(", {touched} with a touched key") } else { String::new() };
        lines.push(format!("answers    {answers} signed, each by the key that it names{with_touch}"));
    }
    lines.push(key_line(given, &found.keys));
    Ok(lines)
}

/// The number of signed answers in an intact chain, and of those signed with a touched security key. Each
/// signature must be valid and for this log.
fn answers(text: &str, log: &str) -> Result<(usize, usize), String> {
    let (mut count, mut touched) = (0, 0);
    for line in text.lines() {
        let Ok(record) = read_json::<ChainRecord>(line) else { continue };
        let header: Value =
            read_json(&record.header).map_err(|why| format!("record {}: its header: {why}", record.seq))?;
        if header["kind"] != "gate" {
            continue;
        }
        let payload = record.payload.as_deref().unwrap_or_default();
        let payload: Value = read_json(payload).map_err(|error| error.to_string())?;
        let event = &payload["Gate"][3];
        if let Some(vote) = receipt::vote_in(event)
            && !vote["by"]["proof"]["signature"].is_null()
        {
            receipt::signed_by(&payload, vote, log).map_err(|why| format!("record {}: {why}", record.seq))?;
            count += 1;
            touched += usize::from(!vote["by"]["proof"]["signature"]["touch"].is_null());
        }
    }
    Ok((count, touched))
}

/// A note says nothing about its own key: the verifier has to have the key from elsewhere.
fn noted(note: &str, bytes: &[u8], given: &[NoteKey]) -> Result<Vec<String>, String> {
    let note = FileNote::parse(note)?;
    if note.file != Digest::of(bytes) {
        return Err("it is not the file that its note speaks of; it was changed".to_owned());
    }
    if given.is_empty() {
        return Err(
            "its note is worth what its key is; name the key with --key (`cuelight keys` where the log is)"
                .to_owned(),
        );
    }
    if !note.is_signed_by(given) {
        return Err("its note is not signed by a key that is believed".to_owned());
    }
    Ok(vec![
        format!("file       as it was taken from {}", safe_text(&note.origin)),
        format!("log        ended at record {} then ({})", note.size, note.head),
        key_line(given, given),
    ])
}
