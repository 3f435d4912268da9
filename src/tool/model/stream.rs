//! A stream of events, as the HTML standard has it (`text/event-stream`): only the data of each is wanted here.

use crate::Failure;
use cuelight_base::{FailureMode, MODEL_EVENT_BYTES_MAX};

/// Received bytes that are not yet a whole event.
#[derive(Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    /// The last byte was a carriage return: a line feed after it is part of the same end.
    after_return: bool,
}

impl Events {
    /// Takes a stretch; `each` is given the data of every event that is whole, and says whether that was the last one.
    pub(crate) fn take(
        &mut self,
        stretch: &[u8],
        mut each: impl FnMut(&str) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        for byte in stretch {
            let is_rest = std::mem::take(&mut self.after_return) && *byte == b'\n';
            match byte {
                b'\n' if is_rest => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    if self.end_line(&mut each)? {
                        return Ok(true);
                    }
                }
                byte => {
                    self.line.push(*byte);
                    if self.line.len() + self.data.len() > MODEL_EVENT_BYTES_MAX {
                        let message = format!(
                            "sends an event of more than {MODEL_EVENT_BYTES_MAX} bytes; see the other side"
                        );
                        return Err(Failure { mode: FailureMode::ResourceApi, message });
                    }
                }
            }
        }
        Ok(false)
    }

    /// Nothing more comes: an event whose lines are whole counts, half a line is nothing.
    pub(crate) fn finish(
        &mut self,
        mut each: impl FnMut(&str) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        if self.line.is_empty() { self.end_line(&mut each) } else { Ok(false) }
    }

    fn end_line(&mut self, each: &mut impl FnMut(&str) -> Result<bool, Failure>) -> Result<bool, Failure> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            let data = String::from_utf8_lossy(&data);
            let data = data.trim();
            return if data.is_empty() { Ok(false) } else { each(data) };
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(stretches: &[&str]) -> Vec<String> {
        let (mut events, mut out) = (Events::default(), Vec::new());
        let mut each = |data: &str| {
            out.push(data.to_owned());
            Ok(false)
        };
        for stretch in stretches {
            events.take(stretch.as_bytes(), &mut each).expect("it can be read");
        }
        events.finish(&mut each).expect("it can be read");
        out
    }

    #[test]
    fn an_event_is_read_however_it_is_cut() {
        let text =
            ": hello\r\nevent: a\r\ndata: {\"x\":\"ü\"}\r\n\r\nid: 7\ndata: one\ndata:two\n\ndata: last\n";
        let expected = ["{\"x\":\"ü\"}", "one\ntwo", "last"];
        assert_eq!(events(&[text]), expected);
        for at in 1..text.len() {
            if text.is_char_boundary(at) {
                assert_eq!(events(&[&text[..at], &text[at..]]), expected, "cut at {at}");
            }
        }
    }

    #[test]
    fn half_a_line_is_no_event() {
        assert_eq!(events(&["data: one\n\ndata: {\"ha"]), ["one"]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut events = Events::default();
        let long = vec![b'x'; MODEL_EVENT_BYTES_MAX + 1];
        assert_eq!(events.take(&long, |_| Ok(false)).expect_err("too long").mode, FailureMode::ResourceApi);
    }
}
