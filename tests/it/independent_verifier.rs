//! A second way to check what leaves the program, a receipt, a whole chain or a file with its note, written from
//! docs/reliability.md and not from the program: what both believe is worth more than what one says. Knows nothing of
//! cuelight but the shape of the files.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Returns the decision of a receipt, if all of it is valid.
pub(crate) fn verify(receipt: &str, trusted: &[&str]) -> Result<String, String> {
    let receipt = json(receipt)?;
    let (size, head) = signed_head(field(&receipt, "note")?, trusted)?;
    let records = receipt["records"].as_array().filter(|records| !records.is_empty()).ok_or("no records")?;
    let (mut last, mut asked, mut verdict) = (None, Vec::new(), None);
    let first = json(field(&records[0], "payload")?)?;
    let (run, gate) = (&first["Gate"][0], &first["Gate"][2]);
    let origin = field(&receipt, "note")?.lines().next().unwrap_or_default();
    for (key, signed) in
        [("run", format!("r-{run}")), ("gate", format!("g-{gate}")), ("database", origin.to_owned())]
    {
        if field(&receipt, key)? != signed {
            return Err(format!("{key} is not {signed}"));
        }
    }
    for record in records {
        let (seq, hash) = link(record, last.as_ref())?;
        if let Some(payload) = record["payload"].as_str() {
            read(payload, gate, &mut asked, &mut verdict)?;
        } else {
            let header = json(field(record, "header")?)?;
            if header["kind"] == "gate" && header["run"] == *run {
                return Err(format!("{seq} is hidden"));
            }
        }
        last = Some((seq, hash));
    }
    match last {
        Some((seq, hash)) if seq == size && unhex(&hash)? == head => {}
        _ => return Err("does not lead to the signed head".to_owned()),
    }
    verdict.ok_or_else(|| "nothing was decided".to_owned())
}

/// Up to which record an exported chain is signed, if it holds from the first one on.
pub(crate) fn verify_chain(export: &str, trusted: &[&str]) -> Result<u64, String> {
    let mut lines: Vec<&str> = export.lines().collect();
    let end = json(lines.pop().ok_or("nothing")?)?;
    let mut hashes = vec!["0".repeat(64)];
    for line in &lines {
        let record = json(line)?;
        field(&record, "payload")?;
        let before = (hashes.len() as u64 - 1, hashes[hashes.len() - 1].clone());
        hashes.push(link(&record, Some(&before))?.1);
    }
    let count = lines.len();
    if end["count"] != count || end["head"]["seq"] != count || end["head"]["hash"] != hashes[count] {
        return Err("does not end where it says".to_owned());
    }
    let mut signed = 0;
    for note in end["notes"].as_array().ok_or("no notes")? {
        let (size, head) = signed_head(note.as_str().ok_or("no note")?, trusted)?;
        let hash = usize::try_from(size).ok().and_then(|number| hashes.get(number)).ok_or("it was cut")?;
        if unhex(hash)? != head {
            return Err(format!("{size} was another"));
        }
        signed = signed.max(size);
    }
    if signed == 0 { Err("nothing is signed".to_owned()) } else { Ok(signed) }
}

/// Checks that the note describes this file, and that one of these keys signed it.
pub(crate) fn verify_file(file: &[u8], note: &str, trusted: &[&str]) -> Result<(), String> {
    let lines = signed_text(note, trusted)?;
    match lines.lines().collect::<Vec<_>>()[..] {
        ["cuelight-export-v1", _, digest, _, _] if unhex(digest)? == sha(&[file]) => Ok(()),
        _ => Err("another file".to_owned()),
    }
}

/// A record that follows the last one and is what its hashes say: its place and hash.
fn link(record: &Value, last: Option<&(u64, String)>) -> Result<(u64, String), String> {
    let seq = record["seq"].as_u64().ok_or("no place")?;
    if let Some((before, hash)) = last
        && (before + 1 != seq || hash != field(record, "prev")?)
    {
        return Err(format!("{seq} does not follow {before}"));
    }
    let payload_hash = unhex(field(record, "payload_hash")?)?;
    if let Some(payload) = record["payload"].as_str() {
        let salt = unhex(field(record, "salt")?)?;
        if sha(&[b"cuelight-payload-v1", &salt, payload.as_bytes()]) != payload_hash {
            return Err(format!("payload of {seq}"));
        }
    }
    let (prev, header) = (unhex(field(record, "prev")?)?, field(record, "header")?.as_bytes());
    let hash = sha(&[b"cuelight-chain-v1", &prev, &seq.to_be_bytes(), header, &payload_hash]);
    let own = field(record, "hash")?;
    if hash == unhex(own)? { Ok((seq, own.to_owned())) } else { Err(format!("header of {seq}")) }
}

/// Follows one event of the gate: an ask, votes on that ask, a verdict.
fn read(
    payload: &str,
    gate: &Value,
    asked: &mut Vec<String>,
    verdict: &mut Option<String>,
) -> Result<(), String> {
    let payload = json(payload)?;
    if payload["Gate"][2] != *gate {
        return Ok(());
    }
    let event = &payload["Gate"][3];
    if let Some(value) = event.get("Asked") {
        let ask = sorted(&value["ask"]).into_bytes();
        let length = (ask.len() as u64).to_be_bytes();
        if sha(&[b"cuelight-ask-v1", &length, &ask]) != unhex(field(value, "hash")?)? {
            return Err("the ask is another".to_owned());
        }
        asked.push(field(value, "hash")?.to_owned());
    }
    // Who fills in the form saw the ask before their values stood in it.
    if let Some(voted) = event.get("Voted")
        && !asked
            .iter()
            .rev()
            .take(if voted["form"].is_null() { 1 } else { 2 })
            .any(|hash| voted["ask"] == **hash)
    {
        return Err("a vote on another ask".to_owned());
    }
    if let Some(value) = event.get("Resolved") {
        *verdict = Some(field(value, "state")?.to_lowercase());
    }
    Ok(())
}

/// Size and hash of a signed head.
fn signed_head(note: &str, trusted: &[&str]) -> Result<(u64, Vec<u8>), String> {
    let text = signed_text(note, trusted)?;
    let [_, size, head] = text.lines().collect::<Vec<_>>()[..] else { return Err("not a head".to_owned()) };
    let head = BASE64_STANDARD.decode(head).map_err(|error| error.to_string())?;
    Ok((size.parse().map_err(|_| "no size")?, head))
}

/// The text of a C2SP signed note, when one of these keys signed it.
fn signed_text(note: &str, trusted: &[&str]) -> Result<String, String> {
    let (text, signatures) = note.split_once("\n\n").ok_or("no signature")?;
    let text = format!("{text}\n");
    let good =
        signatures.lines().any(|line| trusted.iter().any(|key| signs(key, line, &text).unwrap_or(false)));
    if good { Ok(text) } else { Err("not signed by a key that is trusted".to_owned()) }
}

fn signs(key: &str, line: &str, text: &str) -> Option<bool> {
    let mut parts = key.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, BASE64_STANDARD.decode(parts.next()?).ok()?);
    let own_id = sha(&[name.as_bytes(), b"\n", &key]);
    let id = unhex(id).ok()?;
    let signature = line.strip_prefix("\u{2014} ")?.strip_prefix(name)?.strip_prefix(' ')?;
    let signature = BASE64_STANDARD.decode(signature).ok()?;
    if key.first() != Some(&1) || own_id[..4] != id[..] || signature.get(..4)? != id {
        return None;
    }
    let key = VerifyingKey::from_bytes(key[1..].try_into().ok()?).ok()?;
    Some(key.verify_strict(text.as_bytes(), &Signature::from_slice(&signature[4..]).ok()?).is_ok())
}

/// RFC 8785, as far as asks need it: members sorted, no blanks, numbers as they were written.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            let member =
                |key: &&String| format!("{}:{}", Value::from(key.as_str()), sorted(&members[key.as_str()]));
            format!("{{{}}}", keys.iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn sha(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(Sha256::new(), |sum, part| sum.chain_update(part)).finalize().to_vec()
}

fn field<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value[key].as_str().ok_or_else(|| format!("no {key}"))
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let pair = |at: usize| text.get(at..at + 2).and_then(|text| u8::from_str_radix(text, 16).ok());
    (0..text.len()).step_by(2).map(|at| pair(at).ok_or_else(|| "not hexadecimal".to_owned())).collect()
}
