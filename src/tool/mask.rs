//! Replaces secrets by `***` in bytes that stream by, whatever the pieces they come in.
//!
//! A value is looked for as it is, in base64 and base64url, base32 (both alphabets, both cases), hex (also with `:`, `-` or a blank
//! between bytes), UTF-16, inside a JSON string, and quoted for a shell. Base64 and base32 are known at each alignment, with the letters
//! that they share with their neighbours. A value of several lines is also looked for line by line.
//!
//! The stream is read again as a reader sees it ([`Reading`]): without terminal sequences and the line ends of wrapped encodings, and once
//! more with percent, HTML, `\x` and `\u` escapes decoded. So each spelling of an escape is known, and a colour in the middle of a value
//! hides nothing, nor does an escape that is part of a value. Occurrences that overlap are masked as one.
//!
//! Not known: a value reversed, compressed, encrypted or spelled letter by letter.

mod encoding;
mod reading;

use super::Secret;
use aho_corasick::{AhoCorasick, BuildError};
use cuelight_base::{Value, ValueMap};
use encoding::add_patterns;
use reading::Reading;
use std::{collections::BTreeSet, sync::Arc};

/// The text that replaces a secret.
const MASK: &[u8] = b"***";
/// Signs of the escapes that are decoded in each reading: a value that itself looks like one kind may be spelled in another.
const DECODED: [&[u8]; 5] = [b"", b"%", b"&", b"\\", b"%&\\"];
/// Bytes that are held back beyond the longest pattern: more of them are no secret with escapes in it, but escapes without end.
const HELD_BYTES_MORE: usize = 4 * 1024;

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
    /// Per pair of bytes: true if a pattern begins with them. No pattern is shorter than two bytes.
    begins: Vec<bool>,
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
        let mut begins = vec![false; 1 << 16];
        for pattern in &patterns {
            begins[pair(pattern[0], pattern.get(1).copied().unwrap_or_default())] = true;
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
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::Object(map) => {
                map.values_mut().for_each(|value| self.mask_value(value));
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
            let numbered = (2_u64..).map(|index| format!("{masked} {index}"));
            let free =
                std::iter::once(masked.clone()).chain(numbered).find(|masked| !kept.contains_key(masked));
            kept.insert(free.unwrap_or(masked), value);
        }
        kept
    }

    pub(super) fn stream(&self) -> MaskStream {
        MaskStream { finder: self.finder.clone(), held: Vec::new(), masked: 0, letters: 0 }
    }
}

/// One stream of bytes on its way. It holds back no more than could be the beginning of a secret.
pub(super) struct MaskStream {
    finder: Option<Arc<Finder>>,
    held: Vec<u8>,
    /// So many of the held bytes belong to a secret whose `***` is already out.
    masked: usize,
    /// Letters of an encoding right before the held bytes, on the same line.
    letters: usize,
}

impl MaskStream {
    /// Takes bytes, gives out those that are decided.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(finder) = self.finder.clone() else {
            out.extend_from_slice(bytes);
            return;
        };
        let is_full = self.held.len() >= finder.held_max();
        self.held.extend_from_slice(bytes);
        self.give(&finder, is_full, false, out);
    }

    /// Gives out what was held back: nothing more comes, so it is no secret.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(finder) = self.finder.clone() {
            self.give(&finder, false, true, out);
        }
    }

    /// `is_full`: so much was held already before the last bytes came that nothing is held back for an escape any more.
    fn give(&mut self, finder: &Finder, is_full: bool, is_last: bool, out: &mut Vec<u8>) {
        let reading = |decodes: &[u8]| Reading::of(&self.held, self.letters, decodes, is_last);
        let readings: Vec<Reading> = DECODED.into_iter().filter_map(reading).collect();
        let mut decided = self.held.len();
        if !is_last {
            decided = finder.decided(&self.held);
            for reading in readings.iter().filter(|_| !is_full) {
                decided = decided.min(reading.place(finder.decided(reading.text())));
            }
        }
        let mut found = finder.places(&self.held);
        for reading in &readings {
            let places = finder.places(reading.text()).into_iter();
            found.extend(places.map(|(start, end)| reading.range(start, end)));
        }
        found.retain(|(start, _)| *start < decided);
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
        self.letters = reading::letters_after(&self.held[..decided], self.letters);
        self.held.drain(..decided);
    }
}

/// Index of two bytes in the table.
fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

impl Finder {
    /// Start and end of each secret in the bytes.
    fn places(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        self.automaton
            .find_overlapping_iter(bytes)
            .map(|overlapping_iter| (overlapping_iter.start(), overlapping_iter.end()))
            .collect()
    }

    fn held_max(&self) -> usize {
        8 * self.longest + HELD_BYTES_MORE
    }

    /// Up to where nothing that may still come can change what is a secret: the first place from which all that is
    /// left is the beginning of a pattern.
    fn decided(&self, held: &[u8]) -> usize {
        let first = held.len().saturating_sub(self.longest.saturating_sub(1));
        let undecided = (first..held.len()).find(|at| {
            let rest = &held[*at..];
            rest.get(1).is_none_or(|second| self.begins[pair(rest[0], *second)]) && {
                let next = self.patterns.partition_point(|pattern| pattern.as_slice() < rest);
                let longer = self.patterns[next..].iter().find(|pattern| pattern.as_slice() != rest);
                longer.is_some_and(|longer| longer.starts_with(rest))
            }
        });
        undecided.unwrap_or(held.len())
    }
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
        for number in (0..100_u32).step_by(9) {
            let value = format!("s{number}'\"/+é {}\nline {number}", "x".repeat(number as usize % 7));
            let masker = Masker::new([&Secret::new(value.as_str())]).expect("small");
            let patterns = &masker.finder.as_ref().expect("there are patterns").patterns;
            let mut line = format!("{value}{}", &value[..4]).into_bytes();
            for pattern in patterns.iter().filter(|pattern| pattern.len() > 5).step_by(29) {
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

    /// Letters of an encoding in which each stands for so many bits; written from the bits, not from groups.
    fn letters(bytes: &[u8], alphabet: &str) -> String {
        let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        let width = alphabet.len().ilog2() as usize;
        let groups = (0..bits.len()).step_by(width).map(|at| &bits[at..bits.len().min(at + width)]);
        let number = |group: &str| usize::from_str_radix(&format!("{group:0<width$}"), 2).expect("bits");
        groups.map(|group| char::from(alphabet.as_bytes()[number(group)])).collect()
    }

    const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    /// Each spelling, and the stretch of it that the value has a part in.
    fn spellings(value: &str, before: &str, behind: &str) -> Vec<(String, Vec<u8>, std::ops::Range<usize>)> {
        let mut out = Vec::new();
        let each = |spell: &dyn Fn(u8) -> String| value.bytes().map(spell).collect::<String>();
        let reserved = |kept: &'static str, lower: bool| {
            each(&|byte| match byte {
                byte if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => {
                    char::from(byte).to_string()
                }
                byte if lower => format!("%{byte:02x}"),
                byte => format!("%{byte:02X}"),
            })
        };
        let joined =
            |between: &str| value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between);
        let letter = |spell: &dyn Fn(char) -> String| value.chars().map(spell).collect::<String>();
        let named = |c: char| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&apos;".to_owned(),
            text => text.to_string(),
        };
        for (name, text) in [
            ("as it is", value.to_owned()),
            ("percent", reserved("-._~", false)),
            ("percent in lower case", reserved("-._~", true)),
            ("encodeURIComponent", reserved("-._~!'()*", false)),
            ("encodeURI", reserved("-._~!'()*;/?:@&=+$,#", false)),
            ("percent, a slash kept", reserved("-._~/", false)),
            ("a form", reserved("*-._ ", false).replace(' ', "+")),
            ("all percent", each(&|byte| format!("%{byte:02X}"))),
            ("all percent in lower case", each(&|byte| format!("%{byte:02x}"))),
            ("HTML by name", letter(&named)),
            ("HTML by number", letter(&|c| format!("&#{};", c as u32))),
            ("HTML by hex", letter(&|c| format!("&#x{:x};", c as u32))),
            ("HTML by HEX with zeros", letter(&|c| format!("&#X{:04X};", c as u32))),
            ("bytes of Python", each(&|byte| format!("\\x{byte:02x}"))),
            ("JSON all escaped", letter(&|c| format!("\\u{:04x}", c as u32))),
            ("hex", joined("")),
            ("HEX", joined("").to_uppercase()),
            ("colon hex", joined(":")),
            ("COLON HEX", joined(":").to_uppercase()),
            ("a colour inside", {
                let (at, _) = value.char_indices().nth(2).expect("longer");
                format!("{}\u{1b}[01;31m\u{1b}[K{}", &value[..at], &value[at..])
            }),
            (
                "colours everywhere",
                value.chars().map(String::from).collect::<Vec<_>>().join("\u{1b}[38;5;1m"),
            ),
        ] {
            let range = before.len()..before.len() + text.len();
            out.push((name.to_owned(), format!("{before}{text}{behind}").into_bytes(), range));
        }
        let units = |bytes: fn(u16) -> [u8; 2]| {
            let of = |text: &str| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
            let (from, text) = (of(before).len(), of(value));
            ([of(before), text.clone(), of(behind)].concat(), from..from + text.len())
        };
        for (name, (text, range)) in
            [("UTF-16LE", units(u16::to_le_bytes)), ("UTF-16BE", units(u16::to_be_bytes))]
        {
            out.push((name.to_owned(), text, range));
        }
        let url = BASE64.replace('+', "-").replace('/', "_");
        let hex32 = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
        let (lower, lower_hex) = (BASE32.to_lowercase(), hex32.to_lowercase());
        for alphabet in [BASE64, &url, BASE32, hex32, &lower, &lower_hex] {
            let width = alphabet.len().ilog2() as usize;
            let text = letters(format!("{before}{value}{behind}").as_bytes(), alphabet);
            let first = before.len() * 8 / width;
            let last = ((before.len() + value.len()) * 8).div_ceil(width);
            out.push((format!("{alphabet} from {}", before.len()), text.clone().into_bytes(), first..last));
            if text.len() > 60 {
                let lines: Vec<&str> =
                    text.as_bytes().chunks(60).map(|chunk| str::from_utf8(chunk).expect("ASCII")).collect();
                let at = |number: usize| number + number / 60;
                let wrapped = lines.join("\n").into_bytes();
                out.push((
                    format!("{alphabet} in lines from {}", before.len()),
                    wrapped,
                    at(first)..at(last - 1) + 1,
                ));
            }
        }
        out
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..proptest::test_runner::Config::with_cases(24) })]
        #[test]
        fn no_four_bytes_of_a_secret_stay_in_any_spelling_at_any_alignment_in_any_pieces(
            value in "[!-)+-~]{4}[ -)+-~é€]{2,48}[!-)+-~]{2}",
            before in "[g-z]{0,70}",
            behind in "[g-z]{0,9}",
            cuts in proptest::collection::vec(1_usize..40, 1..8),
        ) {
            let masker = Masker::new([&Secret::new(value.as_str())]).expect("small");
            for (name, text, range) in spellings(&value, &before, &behind) {
                let mut pieces = Vec::new();
                let mut rest = text.as_slice();
                for cut in cuts.iter().cycle() {
                    if rest.is_empty() {
                        break;
                    }
                    let (piece, more) = rest.split_at(rest.len().min(*cut));
                    pieces.push(piece);
                    rest = more;
                }
                let masked = in_pieces(&masker, pieces);
                proptest::prop_assert_eq!(&masked, &in_pieces(&masker, [text.as_slice()]), "{}: in pieces", &name);
                // What stands beside the value may be the same by chance.
                let outside = [&text[..range.start], b"\xff", &text[range.end..]].concat();
                for run in text[range].windows(4).filter(|window| !outside.windows(4).any(|other| other == *window)) {
                    proptest::prop_assert!(
                        !masked.windows(4).any(|window| window == run),
                        "{}: {:?} stays of {:?} in {:?}", name, String::from_utf8_lossy(run),
                        String::from_utf8_lossy(&text), String::from_utf8_lossy(&masked),
                    );
                }
            }
        }
    }

    #[test]
    fn a_colour_hides_no_value_that_holds_or_ends_as_an_escape() {
        let masker = Masker::new([&Secret::new("0AAa%A0&a!")]).expect("small");
        assert_eq!(masker.mask("0AAa%A0&amp;a!"), "***");
        for value in ["ab%41cd%", "p&lt;w\\u0041&", "x\\x41yz\\"] {
            let masker = Masker::new([&Secret::new(value)]).expect("small");
            let text = format!("{}\u{1b}[1m{}", &value[..1], &value[1..]);
            assert_eq!(masker.mask(&text), "***");
            assert_eq!(in_pieces(&masker, text.as_bytes().chunks(1)), b"***", "{text:?}");
        }
    }

    #[test]
    fn escapes_without_end_are_not_held_back_without_end() {
        let masker = Masker::new([&Secret::new("hunter2")]).expect("small");
        let (mut stream, mut out) = (masker.stream(), Vec::new());
        stream.push(b"h", &mut out);
        for _ in 0..100_000 {
            stream.push(b"\x1b[31m", &mut out);
        }
        assert!(stream.held.len() < 100_000, "{}", stream.held.len());
        stream.push(b"unrelated", &mut out);
        stream.finish(&mut out);
        assert_eq!(out.len(), 1 + 500_000 + 9);
    }

    #[test]
    fn what_only_looks_like_an_escape_stays_as_it_is() {
        let masker = Masker::new([&Secret::new("hunter2")]).expect("small");
        for text in [
            "100%",
            "50% & more &",
            "&nosuch; &#; &#x;",
            "\\",
            "C:\\users\\x",
            "\x1b[",
            "a\x1b[1mb\x1b[0m %zz %4",
        ] {
            assert_eq!(masker.mask(text), text);
            assert_eq!(in_pieces(&masker, text.as_bytes().chunks(1)), text.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn only_what_could_become_a_secret_is_held_back() {
        let masker = Masker::new([&Secret::new("hunter2")]).expect("small");
        let (mut stream, mut out) = (masker.stream(), Vec::new());
        stream.push(b"password? hu", &mut out);
        assert_eq!(out, b"password? ");
        stream.push(b"! h", &mut out);
        assert_eq!(out, b"password? hu! ");
        stream.push(b"unter2", &mut out);
        assert_eq!(out, b"password? hu! ***");
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
