//! The spellings of a value that a stream is searched for. Escapes (percent, HTML, `\x`) are not here: `reading` decodes them.

use std::{collections::BTreeSet, fmt::Write as _};

/// A line of a longer value is masked alone when it has so many bytes; so is a piece of an encoding.
const PIECE_BYTES_MIN: usize = 4;
/// Letters beside a letter that is shared with what stands next to the value: enough that they occur nowhere by chance.
const EDGE_LETTERS: usize = 8;
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE32: [&[u8]; 4] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    b"abcdefghijklmnopqrstuvwxyz234567",
    b"0123456789ABCDEFGHIJKLMNOPQRSTUV",
    b"0123456789abcdefghijklmnopqrstuv",
];

/// Adds all that a value is looked for as.
pub(super) fn add_patterns(value: &[u8], patterns: &mut BTreeSet<Vec<u8>>) {
    let whole = value.trim_ascii();
    for piece in [value, whole] {
        add_encodings(piece, true, patterns);
    }
    if whole.contains(&b'\n') {
        for line in whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            if line.len() >= PIECE_BYTES_MIN {
                // Encoded with what stands beside it, it is a part of the whole.
                add_encodings(line, false, patterns);
            }
        }
    }
}

fn add_encodings(value: &[u8], is_whole: bool, patterns: &mut BTreeSet<Vec<u8>>) {
    if value.is_empty() {
        return;
    }
    let mut encoded: Vec<Vec<u8>> = Vec::new();
    for alphabet in [BASE64, BASE64_URL].iter().chain(&BASE32) {
        add_letters(value, alphabet, is_whole, &mut encoded);
    }
    for between in ["", ":", "-", " "] {
        let hex = hex(value, between);
        encoded.push(hex.to_uppercase().into_bytes());
        encoded.push(hex.into_bytes());
    }
    if let Ok(text) = str::from_utf8(value) {
        let json = json(text);
        let texts = [
            json.replace('/', "\\/"),
            ascii_json(&json),
            json,
            text.replace(' ', "+"),
            text.replace('\'', "'\\''"),
            text.replace('\'', "'\"'\"'"),
            backslashed(text),
            octal(value),
        ];
        encoded.extend(texts.map(String::into_bytes));
        encoded.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        encoded.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    patterns.insert(value.to_vec());
    patterns.extend(encoded.into_iter().filter(|bytes| bytes.len() >= PIECE_BYTES_MIN));
}

/// The value in an encoding of a fixed number of bits a letter, at each place it can have in a group of bytes. Letters that hold nothing else
/// are one pattern. A letter at either end also holds bits of what stands beside the value; it stands in each of its forms before, or
/// behind, the letters next to it, `with_edges`.
fn add_letters(value: &[u8], alphabet: &[u8], with_edges: bool, out: &mut Vec<Vec<u8>>) {
    let bits = alphabet.len().ilog2() as usize;
    let alignments: usize = if bits == 6 { 3 } else { 5 };
    for before in 0..alignments {
        let skipped = before * 8;
        let (first, last) = (skipped.div_ceil(bits), (skipped + value.len() * 8) / bits);
        if first >= last {
            continue;
        }
        let letter = |at: usize| alphabet[number(value, at * bits - skipped, bits)];
        let core: Vec<u8> = (first..last).map(letter).collect();
        if !with_edges {
            out.push(core);
            continue;
        }
        let edge = core.len().min(EDGE_LETTERS);
        let own_before = first * bits - skipped;
        if own_before > 0 {
            let own = number(value, 0, own_before);
            for foreign in 0..1_usize << (bits - own_before) {
                let mut piece = vec![alphabet[foreign << own_before | own]];
                piece.extend_from_slice(&core[..edge]);
                out.push(piece);
            }
        }
        let own_behind = skipped + value.len() * 8 - last * bits;
        if own_behind > 0 {
            let own = number(value, value.len() * 8 - own_behind, own_behind) << (bits - own_behind);
            for foreign in 0..1_usize << (bits - own_behind) {
                let mut piece = core[core.len() - edge..].to_vec();
                piece.push(alphabet[own | foreign]);
                out.push(piece);
            }
        }
        out.push(core);
    }
}

/// So many bits of a value, from one of them on.
fn number(value: &[u8], from: usize, bits: usize) -> usize {
    (from..from + bits).fold(0, |all, at| all << 1 | usize::from(value[at / 8] >> (7 - at % 8) & 1))
}

fn hex(bytes: &[u8], between: &str) -> String {
    let mut out = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        write!(out, "{byte:02x}").expect("a String takes all text");
    }
    out
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("text is JSON");
    quoted[1..quoted.len() - 1].to_owned()
}

/// The same with `\u00e9` for `é`, as many writers put it.
fn ascii_json(json: &str) -> String {
    json.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("a String takes all text");
            }
        }
        out
    })
}

/// As `printf %q` writes it.
fn backslashed(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_punctuation() && !"-_./:@%+=,".contains(c) || c == ' ' {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

/// As `bash -x` writes what its locale cannot print: inside `$'…'`.
fn octal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        match byte {
            b'\'' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => write!(out, "\\{byte:03o}").expect("a String takes all text"),
        }
        out
    })
}
