//! The file `$CUELIGHT_OUTPUT`: `key=value` lines and `key<<END` blocks, by GitHub's rules. Whether a declared output
//! has its type is checked later, by who declared it.

use cuelight_base::{OUTPUT_BYTES_MAX, Value, ValueMap, shorten};
use rustix::fs::OFlags;
use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Reads what a step left; a file it removed holds nothing.
pub(super) fn read_outputs(path: &Path) -> Result<ValueMap, String> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).expect("the flags of open are an int in C");
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ValueMap::new()),
        Err(error) => {
            return Err(format!("could not read $CUELIGHT_OUTPUT: {error}; write to it, do not replace it"));
        }
    };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(
            "could not read $CUELIGHT_OUTPUT: it is no file any more; write to it, do not replace it"
                .to_owned(),
        );
    }
    let mut bytes = Vec::new();
    let read = file.take(OUTPUT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("could not read $CUELIGHT_OUTPUT: {error}; run the step again"))?;
    parse_outputs(&bytes)
}

/// The values in the order they were first written; of a key written twice, the last value.
///
/// # Errors
/// The line that cannot be read, and why, as a sentence.
pub fn parse_outputs(bytes: &[u8]) -> Result<ValueMap, String> {
    if bytes.len() > OUTPUT_BYTES_MAX {
        return Err(format!(
            "could not take $CUELIGHT_OUTPUT: it holds more than {OUTPUT_BYTES_MAX} bytes; put large results into a file \
             and list it under `artifacts`"
        ));
    }
    let mut lines = Lines { rest: bytes, number: 0 };
    let mut outputs = ValueMap::new();
    while let Some(line) = lines.next_line()? {
        if line.is_empty() {
            continue;
        }
        let (at_equals, at_block) = (line.find('='), line.find("<<"));
        let (key, value) = match (at_equals, at_block) {
            (equals, Some(block)) if equals.is_none_or(|equals| block < equals) => {
                let (key, end) = (&line[..block], &line[block + 2..]);
                (key, lines.block(key, end)?)
            }
            (Some(equals), _) => (&line[..equals], line[equals + 1..].to_owned()),
            _ => {
                return Err(
                    lines.complain(&format!("{:?} is neither key=value nor key<<END", shorten(line, 40)))
                );
            }
        };
        if !is_key(key) {
            let said =
                format!("{:?} is no name of an output; use letters, digits, _ and -", shorten(key, 40));
            return Err(lines.complain(&said));
        }
        outputs.insert(key.to_owned(), Value::String(value));
    }
    Ok(outputs)
}

/// True if this is a valid name of an output.
pub(super) fn is_key(key: &str) -> bool {
    let mut chars = key.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The unread rest of the file, and the number of the next line.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Result<Option<&'a str>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let line = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = end.map_or(&[], |index| &self.rest[index + 1..]);
        if line.contains(&0) {
            return Err(self.complain("holds a NUL byte; an output is text (encode it, or use `artifacts`)"));
        }
        let text = str::from_utf8(line);
        text.map(Some)
            .map_err(|_| self.complain("is no UTF-8; an output is text (encode it, or use `artifacts`)"))
    }

    /// The lines up to the one that is the end word, joined as they were.
    fn block(&mut self, key: &str, end: &str) -> Result<String, String> {
        let opened = self.number;
        if end.is_empty() {
            return Err(self.complain(&format!("no end word after {key}<<; write {key}<<END")));
        }
        let mut value = String::new();
        let mut first = true;
        while let Some(line) = self.next_line()? {
            if line == end {
                return Ok(value);
            }
            if !first {
                value.push('\n');
            }
            first = false;
            value.push_str(line);
        }
        self.number = opened;
        Err(self
            .complain(&format!("the block of {key} never ends; write {end} on a line of its own after it")))
    }

    fn complain(&self, what: &str) -> String {
        format!("could not take $CUELIGHT_OUTPUT: line {}: {what}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], expected: Result<&str, &str>) {
        let said = parse_outputs(text).map(|outputs| serde_json::to_string(&outputs).expect("JSON"));
        assert_eq!(said.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn lines_and_blocks_are_read_as_github_reads_them() {
        check(b"", Ok("{}"));
        check(b"a=1\n\nb=x=y\n", Ok(r#"{"a":"1","b":"x=y"}"#));
        check(b"a=\na=2", Ok(r#"{"a":"2"}"#));
        check(b"a<<EOF\none\n\n two=2 \nEOF\nb=3\n", Ok(r#"{"a":"one\n\n two=2 ","b":"3"}"#));
        check(b"a<<EOF\nEOF", Ok(r#"{"a":""}"#));
        check(b"a=b<<c", Ok(r#"{"a":"b<<c"}"#));
        check(b"a<<E=F\nx\nE=F\n", Ok(r#"{"a":"x"}"#));
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line() {
        let start = "could not take $CUELIGHT_OUTPUT: line ";
        for (text, said) in [
            (&b"a=1\nnonsense\n"[..], r#"2: "nonsense" is neither key=value nor key<<END"#),
            (b"=1", r#"1: "" is no name of an output; use letters, digits, _ and -"#),
            (b"a b=1", r#"1: "a b" is no name of an output; use letters, digits, _ and -"#),
            (b"a<<\nx\n", "1: no end word after a<<; write a<<END"),
            (b"a<<END\nx\nend\n", "1: the block of a never ends; write END on a line of its own after it"),
            (b"a=1\nb=\0", "2: holds a NUL byte; an output is text (encode it, or use `artifacts`)"),
            (b"a<<E\n\xff\nE", "2: is no UTF-8; an output is text (encode it, or use `artifacts`)"),
        ] {
            check(text, Err(&format!("{start}{said}")));
        }
    }

    #[test]
    fn the_limit_is_exact() {
        let file = |bytes: usize| [b"a=", "x".repeat(bytes - 2).as_bytes()].concat();
        assert!(parse_outputs(&file(OUTPUT_BYTES_MAX - 1)).is_ok());
        assert!(parse_outputs(&file(OUTPUT_BYTES_MAX)).is_ok());
        let error = parse_outputs(&file(OUTPUT_BYTES_MAX + 1)).expect_err("one byte too many");
        assert!(error.contains("more than 1048576 bytes"), "{error}");
    }
}
