//! Judges an answer: the failure that a status means, the wait that the server asks for, and the expected
//! content.

use crate::Failure;
use cuelight_base::{FailureMode, HttpExpect, Span, Value, safe_text, shorten};
use hyper::{
    HeaderMap, StatusCode,
    header::{DATE, HeaderName, RETRY_AFTER},
};

/// Characters of a value in a message.
const CHARS_SHOWN: usize = 80;

/// The head of an answer, as far as it decides.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) location: Option<String>,
}

/// Checks that the status was expected; else returns the failure.
pub(super) fn of_status(head: &Head, expect: &HttpExpect) -> Result<(), Failure> {
    let code = head.status.as_u16();
    let is_expected =
        if expect.status.is_empty() { head.status.is_success() } else { expect.status.contains(&code) };
    if is_expected {
        return Ok(());
    }
    let (mode, advice) = meaning(head.status);
    let wanted: Vec<String> = expect.status.iter().map(u16::to_string).collect();
    let wanted = if wanted.is_empty() { "success".to_owned() } else { wanted.join(" or ") };
    let reason = head
        .status
        .canonical_reason()
        .map_or(String::new(), |canonical_reason| format!(" {canonical_reason}"));
    let to = head
        .location
        .as_ref()
        .map_or(String::new(), |location| format!(" to {}", safe_text(&shorten(location, CHARS_SHOWN))));
    Err(Failure {
        mode,
        message: format!("answers {code}{reason}{to}, where {wanted} was expected; {advice}"),
    })
}

/// A status as one of the failure modes, and what to do about it.
fn meaning(status: StatusCode) -> (FailureMode, &'static str) {
    match status.as_u16() {
        300..=399 => (FailureMode::UserInvalidInput, "call that address, or set `redirects:`"),
        401 | 403 | 407 | 451 => (FailureMode::UserPermission, "see the credentials it was given"),
        402 | 507 => (FailureMode::ResourceQuota, "see the quota there"),
        404 | 410 => (FailureMode::UserInvalidInput, "see the address"),
        408 | 504 => (FailureMode::SystemTimeout, "see whether the other side is slow"),
        409 | 412 | 423 | 428 => (FailureMode::AgentState, "see what stands there now"),
        425 | 500 | 502 | 503 | 521..=524 => {
            (FailureMode::ResourceApi, "see the other side; `retry:` tries again")
        }
        429 => (FailureMode::PolicyRateLimit, "ask less often; `retry:` tries again when it may"),
        400..=499 | 501 | 505 => {
            (FailureMode::UserInvalidInput, "see what was sent; its answer stands in the log")
        }
        500..=599 => (FailureMode::ResourceApi, "see its answer in the log"),
        _ => (FailureMode::AgentValidation, "see its answer in the log"),
    }
}

/// True if the effect of the request is unknown, because the answer comes from a gateway.
pub(super) fn is_unknown(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502 | 504)
}

/// Time that the server asks us to wait: in seconds, or as an instant, which counts from the instant in the
/// answer itself.
pub(super) fn retry_after(status: StatusCode, fields: &HeaderMap) -> Option<Span> {
    if !matches!(status.as_u16(), 429 | 503) {
        return None;
    }
    let text = |name: HeaderName| fields.get(name).and_then(|field| field.to_str().ok()).map(str::trim);
    let said = text(RETRY_AFTER)?;
    if let Ok(seconds) = said.parse::<u64>() {
        return Some(Span(seconds.saturating_mul(1000)));
    }
    let instant = |text: &str| chrono::DateTime::parse_from_rfc2822(text).ok();
    let wait = instant(said)?.signed_duration_since(instant(text(DATE)?)?).num_milliseconds();
    Some(Span(u64::try_from(wait).unwrap_or(0)))
}

/// Checks that the answer holds the expected values.
pub(super) fn of_json(json: Option<&Value>, expect: &HttpExpect) -> Result<(), Failure> {
    let wrong = |message: String| Err(Failure { mode: FailureMode::AgentValidation, message });
    if expect.json.is_empty() {
        return Ok(());
    }
    let Some(json) = json else {
        return wrong("its answer is no JSON, or too large to be looked into; see it in the log".to_owned());
    };
    for (path, wanted) in &expect.json {
        let found = at(json, path);
        if found != Some(wanted) {
            let shown = |value: &Value| safe_text(&shorten(&value.to_string(), CHARS_SHOWN));
            let found = found.map_or_else(|| "nothing".to_owned(), shown);
            return wrong(format!(
                "`{}` of its answer is {found}, where {} was expected",
                safe_text(path),
                shown(wanted)
            ));
        }
    }
    Ok(())
}

/// The value at a path like `data.items[0].state`.
fn at<'a>(json: &'a Value, path: &str) -> Option<&'a Value> {
    let mut found = json;
    for piece in path.split('.') {
        let (name, rest) = piece.split_at(piece.find('[').unwrap_or(piece.len()));
        if !name.is_empty() {
            found = found.get(name)?;
        }
        for index in rest.split_terminator(']') {
            found = found.get(index.strip_prefix('[')?.parse::<usize>().ok()?)?;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use serde_json::json;

    #[test]
    fn every_status_has_its_failure() {
        for (code, mode) in [
            (301, FailureMode::UserInvalidInput),
            (400, FailureMode::UserInvalidInput),
            (401, FailureMode::UserPermission),
            (403, FailureMode::UserPermission),
            (404, FailureMode::UserInvalidInput),
            (408, FailureMode::SystemTimeout),
            (409, FailureMode::AgentState),
            (422, FailureMode::UserInvalidInput),
            (429, FailureMode::PolicyRateLimit),
            (500, FailureMode::ResourceApi),
            (501, FailureMode::UserInvalidInput),
            (502, FailureMode::ResourceApi),
            (503, FailureMode::ResourceApi),
            (504, FailureMode::SystemTimeout),
            (507, FailureMode::ResourceQuota),
            (599, FailureMode::ResourceApi),
        ] {
            let status = StatusCode::from_u16(code).expect("a status");
            let said = of_status(&Head { status, location: None }, &HttpExpect::default());
            assert_eq!(said.expect_err("no success").mode, mode, "{code}");
        }
    }

    #[test]
    fn a_wait_is_read_in_seconds_and_as_an_instant() {
        let wait = |code: u16, said: &str, date: Option<&str>| {
            let mut fields = HeaderMap::new();
            fields.insert(RETRY_AFTER, HeaderValue::from_str(said).expect("a field"));
            if let Some(date) = date {
                fields.insert(DATE, HeaderValue::from_str(date).expect("a field"));
            }
            retry_after(StatusCode::from_u16(code).expect("a status"), &fields)
        };
        assert_eq!(wait(429, " 7 ", None), Some(Span::seconds(7)));
        assert_eq!(wait(503, "18446744073709551615", None), Some(Span(u64::MAX)));
        let (date, later) = ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:30 GMT");
        assert_eq!(wait(503, later, Some(date)), Some(Span::seconds(30)));
        assert_eq!(wait(503, date, Some(later)), Some(Span(0)));
        assert_eq!(wait(503, later, None), None);
        for odd in ["-1", "soon", "1e9", ""] {
            assert_eq!(wait(429, odd, Some(date)), None, "{odd}");
        }
        assert_eq!(wait(500, "7", None), None);
    }

    #[test]
    fn a_path_leads_into_an_answer() {
        let json = json!({"data": {"items": [{"state": "up"}, [1, 2]]}});
        assert_eq!(at(&json, "data.items[0].state"), Some(&json!("up")));
        assert_eq!(at(&json, "data.items[1][1]"), Some(&json!(2)));
        for none in ["data.items[9]", "data.items[x]", "data.other", ""] {
            assert_eq!(at(&json, none).filter(|value| *value != &json), None, "{none}");
        }
    }
}
