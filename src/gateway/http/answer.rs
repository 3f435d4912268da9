//! The parts of an answer: its body in JSON or in text, the problem it tells of, and the header fields that every answer carries.

use super::{limits::Left, problem::Problem};
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use cuelight_base::{Timestamp, Value};
use serde::Serialize;

/// An answer in JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).unwrap_or_default();
    text_of(status, "application/json", text)
}

/// An answer of another media type.
pub(super) fn text_of(status: StatusCode, kind: &'static str, text: String) -> Response {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

pub(super) fn told(problem: &Problem, now: Timestamp, request_id: &str) -> Response {
    let body: Value = problem.body(now, request_id);
    let mut answer = json(problem.status, &body);
    if let Some(seconds) = body["retry_after_seconds"].as_u64() {
        put(&mut answer, header::RETRY_AFTER, &seconds.to_string());
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        put(&mut answer, header::WWW_AUTHENTICATE, "Bearer");
    }
    answer
}

/// Adds the header fields that every answer carries.
pub(super) fn dressed(mut answer: Response, request_id: &str, left: Option<Left>) -> Response {
    put(&mut answer, HeaderName::from_static("x-request-id"), request_id);
    put(&mut answer, header::CACHE_CONTROL, "no-store");
    put(&mut answer, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(left) = left {
        put(&mut answer, HeaderName::from_static("x-ratelimit-limit"), &left.limit.to_string());
        put(&mut answer, HeaderName::from_static("x-ratelimit-remaining"), &left.remaining.to_string());
        put(
            &mut answer,
            HeaderName::from_static("x-ratelimit-reset"),
            &(left.reset.0.div_euclid(1000)).to_string(),
        );
    }
    answer
}

pub(super) fn put(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
