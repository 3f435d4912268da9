//! A place in a trace, in the words of the W3C: read from `traceparent`, written as it, or derived from the
//! record. The same record always has the same ids. The meaning of a span, and where it is sent, is decided
//! elsewhere.

use super::{Digest, sha256};
use std::fmt;

/// A place in a trace: which trace, the span that is the parent of what comes next, and whether anybody wants
/// it recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The id of the trace; never all zeros.
    pub trace: [u8; 16],
    /// The id of the span in the trace; never all zeros.
    pub span: [u8; 8],
    /// True if the trace is recorded.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads the value of `traceparent`. The known part of a later version is read, as the standard says.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (head, rest) = bytes.split_at_checked(55)?;
        let is_hex = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let parts = [&head[..2], &head[3..35], &head[36..52], &head[53..]];
        let dashes = [head[2], head[35], head[52]];
        if dashes != [b'-'; 3] || parts.iter().any(|part| !part.iter().all(|value| is_hex(&value))) {
            return None;
        }
        let goes_on = match parts[0] {
            b"ff" => return None,
            b"00" => rest.is_empty(),
            _ => rest.first().is_none_or(|byte| *byte == b'-'),
        };
        let (trace, span) = (bytes_of(parts[1])?, bytes_of(parts[2])?);
        let [flags] = bytes_of(parts[3])?;
        let is_some = trace != [0; 16] && span != [0; 8];
        (goes_on && is_some).then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }

    /// The same trace, with another span as the parent of what comes next.
    #[must_use]
    pub const fn with_span(self, span: [u8; 8]) -> Self {
        Self { span, ..self }
    }

    /// The span of this trace that has this name; the same name is the same span.
    pub fn span_named(&self, parts: &[&str]) -> [u8; 8] {
        let named: Vec<&[u8]> =
            [&self.trace[..]].into_iter().chain(parts.iter().map(|part| part.as_bytes())).collect();
        first(sha256("cuelight-span-v1", &named))
    }

    /// The place that a record stands for: in a trace of its own.
    pub fn derived(parts: &[&str]) -> Self {
        let named: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        let trace = first(sha256("cuelight-trace-v1", &named));
        let place = Self { trace, span: [1; 8], sampled: true };
        place.with_span(place.span_named(parts))
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sampled = u8::from(self.sampled);
        write!(out, "00-{}-{}-{sampled:02x}", hex(&self.trace), hex(&self.span))
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

/// The first bytes of a digest; that they are all zeros happens less than once in a world's age, and then
/// they are ones.
fn first<const N: usize>(digest: Digest) -> [u8; N] {
    let bytes = std::array::from_fn(|index| digest.0[index]);
    if bytes == [0; N] { [1; N] } else { bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    /// The cases of the W3C's own test suite for `traceparent`, and of its text.
    #[test]
    fn a_traceparent_is_read_exactly_where_the_standard_says() {
        let good = |text: &str, sampled: bool| {
            let context = TraceContext::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (hex(&context.trace), hex(&context.span), context.sampled),
                (TRACE.to_owned(), SPAN.to_owned(), sampled)
            );
            assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
        };
        good(&format!("00-{TRACE}-{SPAN}-01"), true);
        good(&format!("00-{TRACE}-{SPAN}-00"), false);
        good(&format!("00-{TRACE}-{SPAN}-02"), false);
        good(&format!("00-{TRACE}-{SPAN}-ff"), true);
        good(&format!("01-{TRACE}-{SPAN}-01"), true);
        good(&format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"), true);
        good(&format!("cc-{TRACE}-{SPAN}-00-"), false);
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-011"),
            format!("00-{TRACE}-{SPAN}-0x"),
            format!("00-{TRACE}-{SPAN}-.0"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01."),
            format!("cc-{TRACE}-{SPAN}-01.what-the-future-will-not-be-like"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!(".0-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("000-{TRACE}-{SPAN}-01"),
            format!("0x-{TRACE}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-.{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &SPAN[1..]),
            format!("00_{TRACE}_{SPAN}_01"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!("00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "é".repeat(16)),
        ] {
            assert_eq!(TraceContext::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn the_same_record_has_the_same_ids_and_no_other_has_them() {
        let (one, other) = (TraceContext::derived(&["r-1", "7"]), TraceContext::derived(&["r-1", "8"]));
        assert_eq!(one, TraceContext::derived(&["r-1", "7"]));
        assert!(one.trace != other.trace && one.span != other.span);
        assert_ne!(
            one.span_named(&["step", "11"]),
            one.span_named(&["step", "1", "1"]),
            "names have borders"
        );
        assert_eq!(one.to_string().len(), 55);
    }
}
