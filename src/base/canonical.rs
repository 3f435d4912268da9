//! The one byte form of data that is hashed: canonical JSON.

use crate::{JSON_VALUE_BYTES, Value, ValueMap};
use serde::Serialize;
use std::{borrow::Cow, cmp::Ordering, io};

/// Canonical JSON: keys sorted by their UTF-16 units, no blanks, strings escaped as RFC 8785 says. Numbers
/// stay as they were written (we hash what was said, we never compute it again), which RFC 8785 would round
/// to doubles.
///
/// # Panics
/// When the data cannot be JSON: a map with keys that are neither text nor numbers.
pub fn canonical_json<T: Serialize + ?Sized>(data: &T) -> String {
    // Escapes, numbers and the absence of blanks are already as they must be; only members may stand in another order.
    let text = serde_json::to_string(data).expect("what is hashed is plain data with text for keys");
    let out = String::with_capacity(text.len());
    let mut sorter = Sorter { text: &text, at: 0, out, members: Vec::new(), body: String::new() };
    sorter.value();
    sorter.out
}

/// The number of bytes that data has as JSON; the JSON itself is not kept.
///
/// # Panics
/// Under the same conditions as [`canonical_json`].
pub fn json_bytes<T: Serialize + ?Sized>(data: &T) -> usize {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, data).expect("what is counted is plain data with text for keys");
    counter.0
}

/// True if a JSON text has more than `values_max` values, told without parsing it.
/// Values are counted by the signs before them. An empty list or object counts as two values. The answer
/// means nothing for a text that is no JSON.
pub fn has_more_json_values(text: &[u8], values_max: usize) -> bool {
    let is_sign = |byte: &u8| matches!(byte, b',' | b'[' | b'{');
    // Nearly always there are fewer even with those inside of texts.
    if text.iter().filter(|word| is_sign(word)).count() < values_max {
        return false;
    }
    let (mut count, mut in_text, mut is_escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_text,
            b'"' => in_text = !in_text,
            sign if !in_text && is_sign(sign) => count += 1,
            _ => {}
        }
    }
    count > values_max
}

/// About how many bytes a value takes in memory: its texts, and what each value in it takes besides.
pub fn json_weight(value: &Value) -> usize {
    JSON_VALUE_BYTES
        + match value {
            Value::Null | Value::Bool(_) => 0,
            Value::Number(number) => number.as_str().len(),
            Value::String(text) => text.len(),
            Value::Array(all) => all.iter().map(json_weight).sum(),
            Value::Object(all) => json_weight_of_all(all),
        }
}

/// The same of the members of an object.
pub fn json_weight_of_all(members: &ValueMap) -> usize {
    members.iter().map(|(name, member)| name.len() + json_weight(member)).sum()
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies JSON that has just been made, and puts the members of its objects in order.
struct Sorter<'a> {
    text: &'a str,
    at: usize,
    out: String,
    /// The members of the current object and of the objects around it, one after the other.
    members: Vec<Member<'a>>,
    /// The members of an object while they are put in order.
    body: String,
}

/// A member that was copied: its key as it stands between quotes, and where both stand in their object.
#[derive(Clone, Copy)]
struct Member<'a> {
    key: &'a str,
    /// True if the key's bytes are its UTF-16 units.
    is_plain: bool,
    start: usize,
    end: usize,
}

impl<'a> Sorter<'a> {
    fn here(&self) -> u8 {
        self.text.as_bytes()[self.at]
    }

    fn take(&mut self, until: usize) -> &'a str {
        let taken = &self.text[self.at..until];
        self.out.push_str(taken);
        self.at = until;
        taken
    }

    fn value(&mut self) {
        match self.here() {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => drop(self.string()),
            _ => {
                let rest = &self.text.as_bytes()[self.at..];
                let length =
                    rest.iter().position(|byte| matches!(byte, b',' | b']' | b'}')).unwrap_or(rest.len());
                self.take(self.at + length);
            }
        }
    }

    /// Copies a string; gives what stands between its quotes.
    fn string(&mut self) -> &'a str {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        while bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let quoted = self.take(end + 1);
        &quoted[1..quoted.len() - 1]
    }

    fn array(&mut self) {
        self.take(self.at + 1);
        while self.here() != b']' {
            self.value();
            if self.here() == b',' {
                self.take(self.at + 1);
            }
        }
        self.take(self.at + 1);
    }

    fn object(&mut self) {
        self.take(self.at + 1);
        let (begin, first) = (self.out.len(), self.members.len());
        while self.here() != b'}' {
            let start = self.out.len() - begin;
            let key = self.string();
            self.take(self.at + 1);
            self.value();
            let is_plain = key.bytes().all(|byte| byte.is_ascii() && byte != b'\\');
            self.members.push(Member { key, is_plain, start, end: self.out.len() - begin });
            if self.here() == b',' {
                self.take(self.at + 1);
            }
        }
        let members = &mut self.members[first..];
        if !members.is_sorted_by(|a, b| by_key(a, b).is_le()) {
            self.body.clear();
            self.body.push_str(&self.out[begin..]);
            self.out.truncate(begin);
            // No two have the same key.
            members.sort_unstable_by(by_key);
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    self.out.push(',');
                }
                self.out.push_str(&self.body[member.start..member.end]);
            }
        }
        self.members.truncate(first);
        self.take(self.at + 1);
    }
}

/// The order of two keys by their units.
fn by_key(a: &Member<'_>, b: &Member<'_>) -> Ordering {
    if a.is_plain && b.is_plain {
        return a.key.cmp(b.key);
    }
    let (a, b) = (a.key, b.key);
    plain(a).encode_utf16().cmp(plain(b).encode_utf16())
}

fn plain(key: &str) -> Cow<'_, str> {
    if !key.contains('\\') {
        return key.into();
    }
    serde_json::from_str::<String>(&format!("\"{key}\"")).map_or(Cow::Borrowed(key), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn check(text: &str, expected: &str) {
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(canonical_json(&value), expected);
    }

    #[test]
    fn the_canonical_form_does_not_depend_on_the_order_of_keys() {
        check(r#"{"b": [1, 2.50], "a": "x\u0001\n"}"#, r#"{"a":"x\u0001\n","b":[1,2.50]}"#);
        check(r#"{"a":"x\u0001\n","b":[1,2.50]}"#, r#"{"a":"x\u0001\n","b":[1,2.50]}"#);
        check(
            r#"{"z":{"y":{},"x":[{"b":null,"a":[]},-1e400]},"":true}"#,
            r#"{"":true,"z":{"x":[{"a":[],"b":null},-1e+400],"y":{}}}"#,
        );
    }

    #[test]
    fn values_are_counted_and_what_only_looks_like_them_in_a_text_is_not() {
        let more = |text: &str, than: usize| has_more_json_values(text.as_bytes(), than);
        assert!(more("[1,2]", 2) && !more("[1,2]", 3));
        assert!(!more(r#"["a,[{\",,,,",2]"#, 3), "two in a list are three");
        assert!(more(r#"["a,[{\",,,,",2]"#, 2));
        assert!(!more("7", 1) && more("7", 0));
    }

    #[test]
    fn keys_are_in_the_order_of_their_units_and_not_of_their_escapes() {
        // As RFC 8785 has it: a line end, a digit, a control, an umlaut, a Euro sign, a pair of surrogates, a letter
        // above them.
        let text =
            "{\"\u{20ac}\":1,\"\\r\":2,\"\u{fb33}\":3,\"1\":4,\"\u{1f600}\":5,\"\u{80}\":6,\"\u{f6}\":7}";
        let sorted =
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
        check(text, sorted);
        check(r#"{"a\"]}":1,"a\\":"}\"{"}"#, r#"{"a\"]}":1,"a\\":"}\"{"}"#);
    }
}
