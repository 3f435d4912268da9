//! From a request to its answer: what every answer carries, and who makes it.

use super::{
    agents,
    asked::{Asked, request_id},
    context,
    door::Door,
    events, gates, knowledge,
    limits::Left,
    openapi::openapi,
    probes,
    problem::{Problem, of_reply},
    results,
    routes::{Call, Route},
    runs,
    shapes::Renewed,
    state, work,
};
use crate::{
    base::{Timestamp, Value},
    engine::{Command, TokenName},
    runtime::{Desk as _, Entropy, Reply, Request as Asks, SystemClock},
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use std::sync::Arc;

/// Lets a request in, has it answered, and counts it.
pub(super) async fn respond(
    door: &Arc<Door>,
    route: &'static Route,
    params: Vec<(String, String)>,
    request: Request,
) -> Response {
    let began = SystemClock.microseconds();
    let id = request_id(request.headers());
    let mut left = None;
    let answer = match Asked::read(door, route, params, request, id.clone(), &mut left).await {
        Ok(asked) => call(door, route.call, &asked).await,
        Err(problem) => Err(problem),
    };
    let answer = answer.unwrap_or_else(|problem| told(&problem, door.now(), &id));
    let status = answer.status().as_u16();
    debug_assert!(
        status == route.done.0 || route.all_problems().contains(&status),
        "{} {} answers {status}, which its route does not say",
        route.method,
        route.path
    );
    door.count((route.method.as_str(), route.path), status, SystemClock.microseconds().saturating_sub(began));
    dressed(answer, &id, left)
}

/// Nothing is asked there.
pub(super) fn lost(door: &Door, request: &Request, status: StatusCode) -> Response {
    let (id, now) = (request_id(request.headers()), door.now());
    let why = "could not find that; /openapi.json lists what can be asked";
    let mut problem = Problem::new(status, "REQ_008", why);
    if let Some(super::listen::Peer(address)) = request.extensions().get() {
        door.limits.stranger(*address, now);
        if let Err(at) = door.limits.admit(*address, now) {
            problem = Problem {
                again_at: Some(at),
                ..Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "RATE_001",
                    "could not answer: this address asked too often",
                )
            };
        }
    }
    dressed(told(&problem, now, &id), &id, None)
}

async fn call(door: &Arc<Door>, call: Call, asked: &Asked) -> Result<Response, Problem> {
    match call {
        Call::Health => Ok(probes::health(door)),
        Call::Ready => Ok(probes::ready(door)),
        Call::Document => Ok(json(StatusCode::OK, &openapi())),
        Call::Status => Ok(probes::status(door)),
        Call::Metrics => Ok(probes::metrics(door)),
        Call::RenewToken => renew(door, asked).await,
        Call::OpenGate => gates::open(door, asked).await,
        Call::ListGates => gates::list(door, asked),
        Call::ShowGate => gates::show(door, asked).await,
        Call::Decide => gates::decide(door, asked).await,
        Call::StartRun => runs::start(door, asked).await,
        Call::ListRuns => runs::list(door, asked),
        Call::ShowRun => runs::show(door, asked).await,
        Call::FollowRun => runs::follow(door, asked),
        Call::Learn => knowledge::learn(door, asked).await,
        Call::SearchKnowledge => knowledge::search(door, asked).await,
        Call::Inject => context::inject(door, asked).await,
        Call::ClearContexts => context::clear(door, asked),
        Call::RegisterAgent => agents::register(door, asked).await,
        Call::BeatAgent => agents::beat(door, asked).await,
        Call::ListAgents => Ok(agents::list(door, asked)),
        Call::ShowAgent => agents::show(door, asked),
        Call::LeaveAgent => agents::leave(door, asked).await,
        Call::ClaimWork => work::claim(door, asked).await,
        Call::RenewWork => work::renew(door, asked).await,
        Call::ReturnWork => work::hand_back(door, asked).await,
        Call::FailWork => work::fail(door, asked).await,
        Call::HandIn => results::hand_in(door, asked).await,
        Call::ListResults => results::list(door, asked).await,
        Call::ShowResult => results::show(door, asked).await,
        Call::ReadValue => state::read(door, asked),
        Call::SetValue => state::set(door, asked).await,
        Call::RemoveValue => state::remove(door, asked).await,
        Call::PublishEvent => events::publish(door, asked).await,
        Call::WaitForEvent => events::wait(door, asked).await,
        Call::FollowEvents => events::follow(door, asked),
        Call::PauseRun | Call::ResumeRun | Call::CancelRun => runs::act(door, asked, call).await,
    }
}

/// A token in place of the one that asks: it is handed out when the old one is revoked on disk.
async fn renew(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let Some(bearer) = &asked.bearer else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "AUTH_001",
            "could not renew the token: there is none",
        ));
    };
    let refused = |why: String| {
        Problem::new(StatusCode::CONFLICT, "AUTH_006", format!("could not renew the token: {why}"))
    };
    let ring = door.ring().map_err(refused)?;
    let (token, claims) = ring.renewed(bearer, asked.now, Entropy.request_id().0).map_err(refused)?;
    let old = &bearer.claims;
    let name = TokenName { id: old.jti.clone(), subject: old.sub.clone(), until: old.until() };
    let reason = format!("renewed as {}", claims.jti);
    let command = Command::RevokeToken { token: name, reason, by: bearer.actor.clone() };
    match asked.desk(door).submit(Asks { id: Entropy.request_id(), command }).await {
        Reply::Recorded(_) => {}
        other => return Err(of_reply(other)),
    }
    let expires_at = Timestamp(claims.exp.saturating_mul(1000)).to_string();
    Ok(json(StatusCode::OK, &Renewed { token, id: claims.jti, expires_at, permissions: claims.permissions }))
}

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

fn told(problem: &Problem, now: Timestamp, request_id: &str) -> Response {
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

/// What every answer carries.
fn dressed(mut answer: Response, request_id: &str, left: Option<Left>) -> Response {
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
