//! Values that outlive runs, over HTTP: read with their etag, and changed only as they were read where that is wanted. Each project has
//! its own.

use super::{
    answer::{json, put},
    asked::Asked,
    door::Door,
    problem::{Problem, of_reply},
    shapes::PutValue,
};
use axum::{
    http::{HeaderName, StatusCode, header},
    response::Response,
};
use cuelight_base::{SCOPE_KEY_CHARS_MAX, Span};
use cuelight_engine::{Command, Expected, NewValue, Refusal, owner_of};
use cuelight_plan::Scope;
use cuelight_projection::{ValueAnswer, ValueName, ValueView};
use cuelight_runtime::Reply;

fn missing() -> Problem {
    Problem::missing("STR_004", "that value")
}

/// The full name of a value, including its owner.
fn name(door: &Door, asked: &Asked) -> Result<ValueName, Problem> {
    let scope = match asked.param("scope") {
        "session" => Scope::Session,
        "global" => Scope::Global,
        _ => return Err(missing()),
    };
    let key = asked.param("key");
    if key.is_empty() || key.chars().count() > SCOPE_KEY_CHARS_MAX || key.contains(char::is_control) {
        return Err(Problem::bad(format!(
            "could not use that key: it has 1 to {SCOPE_KEY_CHARS_MAX} characters, none of them a control character"
        )));
    }
    Ok((scope, owner_of(scope, &asked.actor(door)), key.to_owned()))
}

fn find(door: &Door, asked: &Asked, name: &ValueName) -> Option<ValueView> {
    let board = door.desk.board();
    board.values(asked.now).find(|value| value.0 == name).map(|value| value.1.clone())
}

/// Answers with a value. The owner is left out: the client knows it and has no use for it.
fn told(name: &ValueName, value: &ValueView) -> Response {
    let (scope, _, key) = name;
    let shown = ValueAnswer::of(&(*scope, String::new(), key.clone()), value);
    let mut answer = json(StatusCode::OK, &shown);
    put(&mut answer, header::ETAG, &format!("\"{}\"", value.etag()));
    answer
}

pub(super) fn read(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let name = name(door, asked)?;
    find(door, asked, &name).map(|value| told(&name, &value)).ok_or_else(missing)
}

pub(super) async fn set(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let name = name(door, asked)?;
    let PutValue { value, ttl_seconds } = asked.body()?;
    let expect = expected(asked, find(door, asked, &name).as_ref())?;
    let ttl = ttl_seconds.map(Span::seconds);
    change(
        door,
        asked,
        &name,
        NewValue { scope: name.0, key: name.2.clone(), value: Some(value), ttl, expect },
    )
    .await?;
    // Somebody may have taken it away already.
    find(door, asked, &name).map(|value| told(&name, &value)).ok_or_else(missing)
}

pub(super) async fn remove(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let name = name(door, asked)?;
    let before = find(door, asked, &name).ok_or_else(missing)?;
    let expect = expected(asked, Some(&before))?;
    change(
        door,
        asked,
        &name,
        NewValue { scope: name.0, key: name.2.clone(), value: None, ttl: None, expect },
    )
    .await?;
    Ok(told(&name, &before))
}

async fn change(door: &Door, asked: &Asked, name: &ValueName, value: NewValue) -> Result<(), Problem> {
    let was_conditional = value.expect.is_some();
    let takes_away = value.value.is_none();
    let command = Command::SetValue { value: Box::new(value), by: asked.actor(door) };
    match asked.command(door, asked.request(), command).await {
        Reply::Recorded(_) => Ok(()),
        Reply::Refused(refusal @ Refusal::State { .. }) if !was_conditional => {
            if takes_away && find(door, asked, name).is_none() {
                return Err(missing());
            }
            Err(Problem { status: StatusCode::CONFLICT, code: "STR_005", ..refusal.into() })
        }
        other => Err(of_reply(other)),
    }
}

/// The precondition for a change, from `If-Match` and `If-None-Match`.
fn expected(asked: &Asked, now: Option<&ValueView>) -> Result<Option<Expected>, Problem> {
    let field = |name: HeaderName| {
        asked.headers.get(name).map(|header| header.to_str().unwrap_or_default().trim().to_owned())
    };
    match (field(header::IF_MATCH), field(header::IF_NONE_MATCH)) {
        (None, None) => Ok(None),
        (None, Some(any)) if any == "*" => Ok(Some(Expected::Absent)),
        (Some(any), None) if any == "*" => match now {
            Some(now) => Ok(Some(Expected::Etag(now.etag()))),
            None => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "STR_003",
                "could not change it: it is not there; read what is there and decide anew",
            )),
        },
        (Some(etag), None) => Ok(Some(Expected::Etag(etag.trim_matches('"').to_owned()))),
        (_, Some(_)) => Err(Problem::bad(
            "could not read the condition: send `If-Match: \"ETAG\"` or `If-None-Match: *`, and not both",
        )),
    }
}
