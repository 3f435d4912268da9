//! A second way to check a receipt, written from docs/reliability.md and not from the program: what both believe is worth
//! more than what one says. Knows nothing of cuelight but the shape of the file.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What was decided, if all of it holds.
pub(crate) fn verify(receipt: &str, trusted: &[&str]) -> Result<String, String> {
    let receipt: Value = serde_json::from_str(receipt).map_err(|it| it.to_string())?;
    let (size, head) = signed_head(field(&receipt, "note")?, trusted)?;
    let records = receipt["records"].as_array().filter(|it| !it.is_empty()).ok_or("no records")?;
    let mut last: Option<(u64, String)> = None;
    let (mut asked, mut verdict) = (None, None);
    let first: Value = serde_json::from_str(field(&records[0], "payload")?).map_err(|it| it.to_string())?;
    let (run, gate) = (&first["Gate"][0], &first["Gate"][2]);
    for record in records {
        let seq = record["seq"].as_u64().ok_or("no place")?;
        if let Some((before, hash)) = &last
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
            read(payload, gate, &mut asked, &mut verdict)?;
        } else {
            let header: Value =
                serde_json::from_str(field(record, "header")?).map_err(|it| it.to_string())?;
            if header["kind"] == "gate" && header["run"] == *run {
                return Err(format!("{seq} is hidden"));
            }
        }
        let prev = unhex(field(record, "prev")?)?;
        let header = field(record, "header")?.as_bytes();
        let hash = sha(&[b"cuelight-chain-v1", &prev, &seq.to_be_bytes(), header, &payload_hash]);
        if hash != unhex(field(record, "hash")?)? {
            return Err(format!("header of {seq}"));
        }
        last = Some((seq, field(record, "hash")?.to_owned()));
    }
    match last {
        Some((seq, hash)) if seq == size && unhex(&hash)? == head => {}
        _ => return Err("does not lead to the signed head".to_owned()),
    }
    verdict.ok_or_else(|| "nothing was decided".to_owned())
}

/// Follows one event of the gate: an ask, votes on that ask, a verdict.
fn read(
    payload: &str,
    gate: &Value,
    asked: &mut Option<String>,
    verdict: &mut Option<String>,
) -> Result<(), String> {
    let payload: Value = serde_json::from_str(payload).map_err(|it| it.to_string())?;
    if payload["Gate"][2] != *gate {
        return Ok(());
    }
    let event = &payload["Gate"][3];
    if let Some(it) = event.get("Asked") {
        let ask = sorted(&it["ask"]).into_bytes();
        let length = (ask.len() as u64).to_be_bytes();
        if sha(&[b"cuelight-ask-v1", &length, &ask]) != unhex(field(it, "hash")?)? {
            return Err("the ask is another".to_owned());
        }
        *asked = Some(field(it, "hash")?.to_owned());
    }
    if let Some(it) = event.get("Voted")
        && asked.as_deref() != Some(field(it, "ask")?)
    {
        return Err("a vote on another ask".to_owned());
    }
    if let Some(it) = event.get("Resolved") {
        *verdict = Some(field(it, "state")?.to_lowercase());
    }
    Ok(())
}

/// Size and hash of a C2SP signed note, when one of these keys signed it.
fn signed_head(note: &str, trusted: &[&str]) -> Result<(u64, Vec<u8>), String> {
    let (text, signatures) = note.split_once("\n\n").ok_or("no signature")?;
    let text = format!("{text}\n");
    let good =
        signatures.lines().any(|line| trusted.iter().any(|key| signs(key, line, &text).unwrap_or(false)));
    if !good {
        return Err("not signed by a key that is trusted".to_owned());
    }
    let lines: Vec<&str> = text.lines().collect();
    let [_, size, head] = lines[..] else { return Err("not a head".to_owned()) };
    let head = BASE64_STANDARD.decode(head).map_err(|it| it.to_string())?;
    Ok((size.parse().map_err(|_| "no size")?, head))
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

fn sha(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(Sha256::new(), |it, part| it.chain_update(part)).finalize().to_vec()
}

fn field<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value[key].as_str().ok_or_else(|| format!("no {key}"))
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let pair = |at: usize| text.get(at..at + 2).and_then(|it| u8::from_str_radix(it, 16).ok());
    (0..text.len()).step_by(2).map(|at| pair(at).ok_or_else(|| "not hexadecimal".to_owned())).collect()
}
