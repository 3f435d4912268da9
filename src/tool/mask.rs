//! Replaces what is secret by `***` in bytes that stream by, whatever the pieces they come in.
//!
//! A value is known in eight encodings: as it is, base64 and base64url (at each of three alignments, and broken into
//! lines of 64 or 76), hex in lower and upper case, percent-encoded, inside a JSON string, and quoted for a shell. A value
//! of several lines is also known line by line. Occurrences that overlap are masked as one.
//!
//! What it cannot know: a value reversed, compressed, encrypted or spelled letter by letter.

use super::Secret;
use crate::base::{Value, ValueMap};
use aho_corasick::{AhoCorasick, BuildError};
use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

/// What stands where a secret stood.
const MASK: &[u8] = b"***";
/// A line of a longer value is masked alone when it has so many bytes; so is a piece of an encoding.
const PIECE_BYTES_MIN: usize = 4;

/// Knows what to look for; one per call, shared by its streams.
#[derive(Clone)]
pub struct Masker {
    finder: Option<Arc<Finder>>,
}

struct Finder {
    automaton: AhoCorasick,
    /// Sorted; the same that the automaton looks for.
    patterns: Vec<Vec<u8>>,
    longest: usize,
    /// Whether a pattern begins with this byte.
    begins: [bool; 256],
}

impl Masker {
    /// # Errors
    /// When the values are too large to be looked for.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Result<Self, BuildError> {
        let mut patterns = BTreeSet::new();
        for secret in secrets {
            add_patterns(secret.reveal(), &mut patterns);
        }
        let patterns: Vec<Vec<u8>> = patterns.into_iter().collect();
        if patterns.is_empty() {
            return Ok(Self { finder: None });
        }
        let mut begins = [false; 256];
        for pattern in &patterns {
            begins[usize::from(pattern[0])] = true;
        }
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        let automaton = AhoCorasick::new(&patterns)?;
        Ok(Self { finder: Some(Arc::new(Finder { automaton, patterns, longest, begins })) })
    }

    /// A text that is known whole.
    pub fn mask(&self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        let mut stream = self.stream();
        stream.push(text.as_bytes(), &mut out);
        stream.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Every text in a value, names of fields too, and every number that is written with a secret: that becomes a text. Names that are
    /// the same once they are masked are numbered, so that no field is lost.
    pub fn mask_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.mask(text),
            Value::Array(items) => items.iter_mut().for_each(|it| self.mask_value(it)),
            Value::Object(map) => {
                map.values_mut().for_each(|it| self.mask_value(it));
                if map.keys().any(|name| self.mask(name) != *name) {
                    *map = self.renamed(std::mem::take(map));
                }
            }
            Value::Number(number) => {
                let text = number.to_string();
                let masked = self.mask(&text);
                if masked != text {
                    *value = Value::String(masked);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn renamed(&self, map: ValueMap) -> ValueMap {
        let (secret, mut kept): (Vec<_>, ValueMap) =
            map.into_iter().fold((Vec::new(), ValueMap::new()), |(mut secret, mut kept), (name, value)| {
                let masked = self.mask(&name);
                if masked == name {
                    kept.insert(name, value);
                } else {
                    secret.push((masked, value));
                }
                (secret, kept)
            });
        for (masked, value) in secret {
            let numbered = (2_u64..).map(|it| format!("{masked} {it}"));
            let free = std::iter::once(masked.clone()).chain(numbered).find(|it| !kept.contains_key(it));
            kept.insert(free.unwrap_or(masked), value);
        }
        kept
    }

    pub(super) fn stream(&self) -> MaskStream {
        MaskStream { finder: self.finder.clone(), held: Vec::new(), masked: 0 }
    }
}

/// One stream of bytes on its way. It holds back no more than could be the beginning of a secret.
pub(super) struct MaskStream {
    finder: Option<Arc<Finder>>,
    held: Vec<u8>,
    /// So many of the held bytes belong to a secret whose `***` is already out.
    masked: usize,
}

impl MaskStream {
    /// Takes bytes, gives out those that are decided.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(finder) = self.finder.clone() else {
            out.extend_from_slice(bytes);
            return;
        };
        self.held.extend_from_slice(bytes);
        self.give(&finder, finder.decided(&self.held), out);
    }

    /// Gives out what was held back: nothing more comes, so it is no secret.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(finder) = self.finder.clone() {
            self.give(&finder, self.held.len(), out);
        }
    }

    fn give(&mut self, finder: &Finder, decided: usize, out: &mut Vec<u8>) {
        let mut found: Vec<(usize, usize)> = finder
            .automaton
            .find_overlapping_iter(&self.held)
            .map(|it| (it.start(), it.end()))
            .filter(|(start, _)| *start < decided)
            .collect();
        found.sort_unstable();
        // `masked` is the end of the secret we are in, `given` the end of what is out.
        let (mut masked, mut given) = (self.masked, self.masked.min(decided));
        for (start, end) in found {
            if start >= masked {
                out.extend_from_slice(&self.held[given..start]);
                out.extend_from_slice(MASK);
            }
            masked = masked.max(end);
            given = masked.min(decided);
        }
        out.extend_from_slice(&self.held[given..decided]);
        self.masked = masked.saturating_sub(decided);
        self.held.drain(..decided);
    }
}

impl Finder {
    /// Up to where nothing that may still come can change what is a secret: the first place from which all that is
    /// left is the beginning of a pattern.
    fn decided(&self, held: &[u8]) -> usize {
        let first = held.len().saturating_sub(self.longest.saturating_sub(1));
        let undecided = (first..held.len()).find(|at| {
            let rest = &held[*at..];
            self.begins[usize::from(rest[0])] && {
                let next = self.patterns.partition_point(|it| it.as_slice() < rest);
                let longer = self.patterns[next..].iter().find(|it| it.as_slice() != rest);
                longer.is_some_and(|it| it.starts_with(rest))
            }
        });
        undecided.unwrap_or(held.len())
    }
}

fn add_patterns(value: &[u8], patterns: &mut BTreeSet<Vec<u8>>) {
    let whole = value.trim_ascii();
    for piece in [value, whole] {
        add_encodings(piece, patterns);
    }
    if whole.contains(&b'\n') {
        for line in whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            if line.len() >= PIECE_BYTES_MIN {
                add_encodings(line, patterns);
            }
        }
    }
}

fn add_encodings(value: &[u8], patterns: &mut BTreeSet<Vec<u8>>) {
    if value.is_empty() {
        return;
    }
    let mut encoded: Vec<String> = Vec::new();
    base64_cores(value, &mut encoded);
    encoded.push(hex(value));
    encoded.push(hex(value).to_uppercase());
    let percent = percent(value);
    encoded.push(percent.replace("%20", "+"));
    encoded.push(lower_escapes(&percent));
    encoded.push(percent);
    if let Ok(text) = str::from_utf8(value) {
        let json = json(text);
        encoded.push(json.replace('/', "\\/"));
        encoded.push(ascii_json(&json));
        encoded.push(json);
        encoded.push(text.replace('\'', "'\\''"));
        encoded.push(text.replace('\'', "'\"'\"'"));
        encoded.push(backslashed(text));
        encoded.push(octal(value));
    }
    patterns.insert(value.to_vec());
    patterns.extend(encoded.into_iter().map(String::into_bytes).filter(|it| it.len() >= PIECE_BYTES_MIN));
}

/// The letters of base64 that depend on the value alone, for each place it can have in a group of three bytes.
fn base64_cores(value: &[u8], out: &mut Vec<String>) {
    for before in 0..3_usize {
        let shifted = [&[0; 2][..before], value].concat();
        let letters = base64(&shifted);
        let (skip, whole) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        let core = &letters[skip..whole.max(skip)];
        out.push(core.to_owned());
        out.push(core.replace('+', "-").replace('/', "_"));
        for width in [64, 76] {
            if before == 0 && core.len() > width {
                let lines =
                    core.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned());
                out.extend(lines.filter(|line| line.len() >= 2 * PIECE_BYTES_MIN));
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            out.push(char::from(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("a String takes all text");
        out
    })
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes all text");
        }
        out
    })
}

/// The same with `%2f` for `%2F`.
fn lower_escapes(percent: &str) -> String {
    let mut parts = percent.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escape, rest) = part.split_at(2);
        out.push('%');
        out.push_str(&escape.to_lowercase());
        out.push_str(rest);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces<'a>(masker: &Masker, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut stream, mut out) = (masker.stream(), Vec::new());
        pieces.into_iter().for_each(|piece| stream.push(piece, &mut out));
        stream.finish(&mut out);
        out
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_bytes_come() {
        for number in 0..100_u32 {
            let value = format!("s{number}'\"/+é {}\nline {number}", "x".repeat(number as usize % 7));
            let masker = Masker::new([&Secret::new(value.as_str())]).expect("small");
            let patterns = &masker.finder.as_ref().expect("there are patterns").patterns;
            let mut line = format!("{value}{}", &value[..4]).into_bytes();
            for pattern in patterns.iter().filter(|it| it.len() > 5) {
                line.extend_from_slice(pattern);
                line.extend_from_slice(&pattern[..5]);
            }
            let whole = in_pieces(&masker, [line.as_slice()]);
            assert!(!String::from_utf8_lossy(&whole).contains(&value));
            assert_eq!(in_pieces(&masker, line.chunks(1)), whole, "{number}: byte by byte");
            for at in 0..line.len().min(400) {
                let (left, right) = line.split_at(at);
                assert_eq!(in_pieces(&masker, [left, right]), whole, "{number}: split at {at}");
            }
        }
    }

    #[test]
    fn only_what_could_become_a_secret_is_held_back() {
        let masker = Masker::new([&Secret::new("hunter2")]).expect("small");
        let (mut stream, mut out) = (masker.stream(), Vec::new());
        stream.push(b"password? hu", &mut out);
        assert_eq!(out, b"password? ");
        stream.push(b"h", &mut out);
        assert_eq!(out, b"password? hu");
        stream.push(b"unter2", &mut out);
        assert_eq!(out, b"password? hu***");
    }

    #[test]
    fn names_of_fields_and_numbers_are_masked_and_none_is_lost() {
        let masker = Masker::new([&Secret::new("hunter2"), &Secret::new("424242")]).expect("small");
        let mut value = serde_json::json!({
            "plain": 7,
            "***": "is there",
            "hunter2": {"a hunter2 b": [424_242, 42]},
            "424242": 1,
        });
        masker.mask_value(&mut value);
        let wanted = serde_json::json!({
            "plain": 7,
            "***": "is there",
            "*** 2": {"a *** b": ["***", 42]},
            "*** 3": 1,
        });
        assert_eq!(value, wanted);
    }
}
