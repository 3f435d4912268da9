//! A request as far as it was let in: who asks, what is named in its path, and a body that has the shape it should.

use super::{
    door::Door,
    limits::{Caller, Left},
    listeners::{Place, Wanted},
    problem::Problem,
    routes::{Call, Need, Parameter, Route},
    strangers::Peer,
};
use crate::{
    Bearer, TokenTrouble,
    judged::{as_a_step, submit_judged},
};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts, uri::Authority},
};
use cuelight_base::{
    Actor, Digest, Schema, Span, Timestamp, TraceContext, Value, ValueMap, canonical_json,
    has_more_json_values, is_name, sha256,
};
use cuelight_engine::Command;
use cuelight_projection::Board;
use cuelight_runtime::{
    Clock as _, Entropy, LaunchRequest, LocalDesk, Reply, Request as Asks, RequestId, Source, SystemClock,
    TcpPeer,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::{
    fmt::Display,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// The field of the head by which a request is known when it is sent again.
const KEY: &str = "idempotency-key";

/// Bytes of the line of a request.
const URL_BYTES_MAX: usize = 8 * 1024;

/// Nobody is woken more often than that because the time of a token is over.
const SILENCE_MIN: Duration = Duration::from_millis(10);

/// A request that was read and checked.
pub(super) struct Asked {
    /// Ties the request to what came of it.
    pub(super) request_id: String,
    /// The request's place in a trace, as the parent of all that follows from it; `None` if its sender
    /// declares none.
    pub(super) place: Option<TraceContext>,
    pub(super) now: Timestamp,
    /// Nothing where nobody has to say who they are.
    pub(super) bearer: Option<Arc<Bearer>>,
    /// Both ends of its connection, where they are known.
    ends: Option<TcpPeer>,
    pub(super) headers: HeaderMap,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    /// Until it is taken.
    body: Mutex<Value>,
    /// The body of what is published as it was sent, byte for byte.
    pub(super) raw: Bytes,
    /// All that is asked, where it has an `Idempotency-Key`.
    what: Option<Digest>,
}

/// The name of a request: what its sender calls it, or one that nobody has.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let said = headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(|id| is_name(id));
    said.map_or_else(|| Entropy.request_id().0, str::to_owned)
}

/// The sender's place in a trace: exactly one `traceparent`, and a valid one.
pub(super) fn caller(headers: &HeaderMap) -> Option<TraceContext> {
    let mut said = headers.get_all("traceparent").iter();
    let (Some(said), None) = (said.next(), said.next()) else { return None };
    said.to_str().ok().and_then(TraceContext::parse)
}

impl Asked {
    /// Lets a request in, or says why not; `left` is what the caller has left to ask, also then.
    pub(super) async fn read(
        door: &Door,
        route: &Route,
        params: Vec<(String, String)>,
        request: Request,
        (request_id, place): (String, Option<TraceContext>),
        left: &mut Option<Left>,
    ) -> Result<Self, Problem> {
        let now = door.now();
        let (mut parts, body) = request.into_parts();
        let peer = parts.extensions.get::<Peer>().cloned();
        if let Some(Peer { address, .. }) = &peer {
            door.limits.admit(*address, now).map_err(|at| too_many(at, "this address"))?;
        }
        let stranger = || peer.iter().for_each(|Peer { address, .. }| door.limits.stranger(*address, now));
        let bearer = check_place(door, &parts).and_then(|()| who(door, route, &parts.headers, now));
        let bearer = match bearer {
            Ok(Some(bearer)) => {
                peer.iter().for_each(|peer| peer.stranger.is_known());
                Some(bearer)
            }
            Ok(None) => {
                stranger();
                None
            }
            Err(problem) => {
                stranger();
                return Err(problem);
            }
        };
        if let Some(bearer) = &bearer {
            *left = count(door, bearer, now, left)?;
        }
        let query = query(route.query, parts.uri.query().unwrap_or_default())?;
        plain_key(&mut parts.headers)?;
        let (body, raw) = match door.shape(route.call) {
            Some(schema) => {
                let (body, raw) = read_body(&parts.headers, body, (route, door.setup.patience)).await?;
                // Large ones are not kept twice for nothing.
                let raw = if route.call == Call::PublishEvent { raw } else { Bytes::new() };
                (checked(schema, body)?, raw)
            }
            None => (Value::Null, Bytes::new()),
        };
        let headers = parts.headers;
        let what = key(&headers).map(|_| what(route, &params, &headers, &body));
        Ok(Self {
            request_id,
            place,
            now,
            bearer,
            ends: peer.and_then(|peer| peer.ends),
            headers,
            params,
            query,
            body: Mutex::new(body),
            raw,
            what,
        })
    }

    /// The trace of a run that this request starts.
    pub(super) fn trace(&self) -> String {
        self.place.map_or_else(|| self.request_id.clone(), |place| place.to_string())
    }

    /// The desk, for the caller.
    pub(super) fn desk(&self, door: &Door) -> LocalDesk {
        match &self.bearer {
            Some(bearer) => door.desk.with_actor(Arc::clone(&bearer.actor)),
            None => door.desk.clone(),
        }
    }

    /// The desk for the request of a run, and for what the caller may do at gates: it counts as a step's where a step
    /// of this host may be at the other end.
    pub(super) async fn judged_desk(&self, door: &Door) -> LocalDesk {
        let desk = self.desk(door);
        if is_of_a_step(door, self.ends).await { as_a_step(&desk) } else { desk }
    }

    /// Submits a command for the caller. A judgement counts as a step's where a step of this host may be at the other end: it can
    /// have read the key of the person whose token it shows.
    pub(super) async fn command(&self, door: &Door, id: RequestId, command: Command) -> Reply {
        submit_judged(&self.desk(door), Asks { id, command }, is_of_a_step(door, self.ends)).await
    }

    /// The project that can be seen.
    pub(super) fn project(&self) -> Option<&str> {
        self.bearer.as_ref().and_then(|bearer| bearer.actor.project())
    }

    /// The same by its name, also where that is the workspace's own.
    pub(super) fn project_id(&self) -> String {
        self.bearer.as_ref().map_or_else(String::new, |bearer| bearer.project().to_owned())
    }

    /// The user behind the request: its bearer, or the user of the desk.
    pub(super) fn actor(&self, door: &Door) -> Actor {
        Actor::clone(self.bearer.as_ref().map_or_else(|| door.desk.actor(), |bearer| &bearer.actor))
    }

    /// A place for the caller, who waits for these events.
    ///
    /// # Errors
    /// When there is none for the caller.
    pub(super) fn waiting_place_for(
        &self,
        door: &Door,
        wanted: Arc<Wanted>,
        what: &str,
    ) -> Result<Place, Problem> {
        door.listeners.enter(&self.actor(door), wanted).map_err(|why| Problem {
            again_at: Some(self.now + Span::seconds(1)),
            ..Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "EVT_001",
                format!("could not wait {what}: {why}"),
            )
        })
    }

    /// The same for a caller that waits for something else than events.
    ///
    /// # Errors
    /// When there is none for the caller.
    pub(super) fn waiting_place(&self, door: &Door, what: &str) -> Result<Place, Problem> {
        let wanted = Wanted::nothing(self.project().map(str::to_owned));
        self.waiting_place_for(door, Arc::new(wanted), what)
    }

    /// The value of a path parameter.
    pub(super) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|param| param.0 == name).map(|param| param.1.as_str()).unwrap_or_default()
    }

    /// The id in the path. An invalid id is reported as not found.
    pub(super) fn id<T: FromStr>(&self, code: &'static str, what: &str) -> Result<T, Problem> {
        self.param("id").parse().map_err(|_| Problem::missing(code, what))
    }

    /// A parameter behind the question mark.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    /// A number behind the question mark, which is within its bounds.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.query(name).and_then(|query| query.parse().ok())
    }

    /// The run or gate behind the question mark where a page begins. That it is known is not asked: old ones are forgotten, and
    /// whether those of other projects are there is not told.
    pub(super) fn page_from<T: FromStr + Display>(
        &self,
        name: &str,
        what: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.query(name) else { return Ok(None) };
        let found = text.parse().ok().filter(|number: &T| number.to_string() == text);
        found.map(Some).ok_or_else(|| Problem::bad(format!("could not read `{name}`: it is {what}")))
    }

    /// Takes the body, which has the shape it should, so that it is held no longer than what is made of it; the next time there is none.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body = std::mem::take(&mut *self.body.lock().unwrap_or_else(PoisonError::into_inner));
        T::deserialize(&body)
            .or_else(|_| serde_json::from_value(with_whole_numbers(body)))
            .map_err(|error| Problem::bad(format!("could not read the body: {error}; see /openapi.json")))
    }

    /// The same without one of its members, which is not read but handed over as it was sent: what can be large and is foreign is not copied.
    pub(super) fn body_beside<T: DeserializeOwned>(&self, name: &str) -> Result<(T, Value), Problem> {
        let apart = self.body.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name).map(Value::take);
        Ok((self.body()?, apart.unwrap_or_default()))
    }

    /// The idempotency key of the request, so that it is done once.
    pub(super) fn key(&self) -> Option<&str> {
        key(&self.headers)
    }

    /// A name for what is left with this request: with an `Idempotency-Key` the same again, also when an engine has begun anew meanwhile.
    pub(super) fn library_id(&self, prefix: &str) -> String {
        let digest = match (self.key(), &self.bearer) {
            (Some(key), Some(bearer)) => {
                let principal = bearer.actor.principal();
                sha256(
                    "cuelight-library-id-v1",
                    &[prefix, bearer.project(), &principal, key].map(str::as_bytes),
                )
            }
            _ => sha256("cuelight-library-id-v1", &[Entropy.request_id().0.as_bytes()]),
        };
        format!("{prefix}{}", digest.to_string().split_at(24).0)
    }

    /// The name under which an engine knows the request, where its sender says that it may be sent again. The same key for something
    /// else is another request, or it would have the answer of the first, and nothing would come of it.
    pub(super) fn keyed(&self) -> Option<RequestId> {
        let (key, bearer, what) = (self.key()?, self.bearer.as_ref()?, self.what?);
        let (project, principal) = (bearer.project(), bearer.actor.principal());
        Some(RequestId(format!("http/{project}/{principal}/{key}/{what}")))
    }

    /// The same for an engine that has begun anew: what the log knows it by.
    pub(super) fn lasting(&self) -> Option<Digest> {
        self.keyed().map(|keyed| sha256("cuelight-request-key-v1", &[keyed.0.as_bytes()]))
    }

    /// A run that it starts: belongs to what the request belongs to, and is made once for its key.
    pub(super) fn launch(&self, source: Source, values: ValueMap) -> LaunchRequest {
        let of = LaunchRequest::of(self.request(), source);
        LaunchRequest { values, trace: Some(self.trace()), request: self.lasting(), ..of }
    }

    /// The name for this engine; without a key it is done once.
    pub(super) fn request(&self) -> RequestId {
        self.keyed().unwrap_or_else(RequestId::once)
    }
}

/// Writes the key of a request as a name, which may stand in quotes, as the draft of the IETF has it. A key that is none is refused: its sender
/// relies on a promise that would not hold.
fn plain_key(headers: &mut HeaderMap) -> Result<(), Problem> {
    let mut said = headers.get_all(KEY).iter();
    let Some(first) = said.next() else { return Ok(()) };
    let text = first.to_str().unwrap_or_default();
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let plain = Some(quoted.unwrap_or(text)).filter(|quoted| is_name(quoted) && said.next().is_none());
    let Some(plain) = plain.and_then(|quoted| HeaderValue::from_str(quoted).ok()) else {
        let why = "it stands there once, has letters, digits and `_.:-`, 128 at most, and begins with one of the first two";
        return Err(Problem::bad(format!("could not read `Idempotency-Key`: {why}; a UUID will do"))
            .with(json!([{"path": "Idempotency-Key", "message": why}])));
    };
    headers.insert(KEY, plain);
    Ok(())
}

/// The idempotency key in these headers.
fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get(KEY).and_then(|header| header.to_str().ok())
}

/// All that tells a request from others. What stands behind the question mark does not: how long somebody waits may differ each time.
fn what(route: &Route, params: &[(String, String)], headers: &HeaderMap, body: &Value) -> Digest {
    let body = canonical_json(body);
    let field = |name: HeaderName| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let conditions = [field(header::IF_MATCH), field(header::IF_NONE_MATCH)];
    let mut parts = vec![route.method.as_str().as_bytes(), route.path.as_bytes(), body.as_bytes()];
    parts.extend(conditions);
    parts.extend(params.iter().map(|param| param.1.as_bytes()));
    sha256("cuelight-request-v1", &parts)
}

/// A browser that was led here by a page elsewhere says where it thinks it is, and whose page that was. Both are refused.
fn check_place(door: &Door, parts: &Parts) -> Result<(), Problem> {
    if parts.uri.path_and_query().is_some_and(|path| path.as_str().len() > URL_BYTES_MAX) {
        let why = format!("could not read the address: it has more than {URL_BYTES_MAX} bytes; shorten it");
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "REQ_003", why));
    }
    let refused = |why: &str| Problem::new(StatusCode::FORBIDDEN, "AUTH_004", why);
    if parts.headers.contains_key(header::ORIGIN) {
        return Err(refused("could not answer a page of a browser; ask from a program of your own"));
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    // HTTP/2 says it in the address.
    let host = host.or_else(|| parts.uri.authority().map(Authority::as_str)).unwrap_or_default();
    if hosts.next().is_some() || door.is_local && !is_this_machine(host) {
        return Err(refused("could not answer under that name; ask 127.0.0.1 or localhost"));
    }
    Ok(())
}

/// `localhost`, `127.0.0.1` and `[::1]`, with or without a port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |halves| halves.0),
        None => host.split_once(':').map_or(host, |halves| halves.0),
    };
    let is_loopback = name.parse::<std::net::IpAddr>().is_ok_and(|name| name.to_canonical().is_loopback());
    is_loopback || name.eq_ignore_ascii_case("localhost")
}

/// The bearer of the request, if the route needs one, after a check of its permissions.
fn who(
    door: &Door,
    route: &Route,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Option<Arc<Bearer>>, Problem> {
    let permission = match route.need {
        Need::Nothing => return Ok(None),
        Need::OpenOr(_) if door.setup.open_status && !headers.contains_key(header::AUTHORIZATION) => {
            return Ok(None);
        }
        Need::OpenOr(permission) | Need::May(permission) => Some(permission),
        Need::Token => None,
    };
    let invalid = |why: &str| Problem::new(StatusCode::UNAUTHORIZED, "AUTH_001", why);
    let mut said = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(said), None) = (said.next(), said.next()) else {
        return Err(invalid("could not tell who asks: send one header `Authorization: Bearer TOKEN`"));
    };
    let token = said
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|halves| halves.0.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        return Err(invalid("could not tell who asks: send `Authorization: Bearer TOKEN`"));
    };
    let ring = door.ring().map_err(|why| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "AUTH_005", format!("could not check the token: {why}"))
    })?;
    let board = door.desk.board();
    let bearer = door.tokens.check(&ring, token, now, board.revoked())?;
    bearer.check_call(&board)?;
    if let Some(permission) = permission.filter(|permission| !bearer.may(*permission)) {
        let why = format!("could not do that: the token lacks `{permission}`; ask for one that has it");
        return Err(
            Problem::new(StatusCode::FORBIDDEN, "AUTH_003", why).with(json!({"permission": permission}))
        );
    }
    Ok(Some(bearer))
}

/// Checks again that the bearer is still admitted: for streams and waiting requests, before each answer.
///
/// # Errors
/// When their token is good no more.
pub(super) fn still_good(bearer: Option<&Bearer>, board: &Board) -> Result<(), TokenTrouble> {
    bearer.map_or(Ok(()), |bearer| bearer.check_still(SystemClock.now(), board))
}

/// The longest silence of a stream: this duration, or less when the token of its reader expires earlier.
pub(super) fn silence(bearer: Option<&Bearer>, most: Duration) -> Duration {
    let left = bearer.map(|bearer| bearer.ends().since(SystemClock.now()).to_std());
    // A moment of silence that is none would keep us busy.
    left.map_or(most, |duration| duration.clamp(SILENCE_MIN, most))
}

/// Reports if a step may be at the other end of a connection: one that cannot be looked at is a step's.
async fn is_of_a_step(door: &Door, ends: Option<TcpPeer>) -> bool {
    let judge = door.judge;
    let look = move || ends.is_none_or(|ends| judge(&ends));
    door.tasks.spawn_blocking(look).await.unwrap_or(true)
}

fn count(
    door: &Door,
    bearer: &Bearer,
    now: Timestamp,
    left: &mut Option<Left>,
) -> Result<Option<Left>, Problem> {
    let caller = Caller::of(bearer);
    door.limits.take(&door.setup.rates, &caller, now).map_err(|(at, has)| {
        *left = Some(has);
        too_many(at, &caller.to_string())
    })
}

fn too_many(at: Timestamp, who: &str) -> Problem {
    let why = format!("could not answer: {who} asked too often; try again later");
    Problem { again_at: Some(at), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_001", why) }
}

fn query(known: &[Parameter], text: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut found: Vec<(String, String)> = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
            return Err(Problem::bad(
                "could not read what stands behind the `?`: it is not UTF-8; encode it",
            ));
        };
        let kind = known.iter().find(|row| row.0 == name).map(|row| row.1);
        if kind.is_none() || found.iter().any(|pair| pair.0 == name) {
            let name = cuelight_base::shorten(&cuelight_base::safe_text(&name), 60);
            let why = format!(
                "could not read the parameter `{name}`: it is not known here, or stands twice; see /openapi.json"
            );
            return Err(Problem::bad(why).with(json!([{"path": name, "message": "not known, or twice"}])));
        }
        if let Some(why) = kind.and_then(|kind| kind.refusal(&value)) {
            return Err(Problem::bad(format!("could not read `{name}`: {why}"))
                .with(json!([{"path": name, "message": why}])));
        }
        found.push((name, value));
    }
    Ok(found)
}

/// `2.0` is the whole number 2, as schemas have it; who reads a body into types does not think so.
fn with_whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let whole = text.strip_suffix(".0").and_then(|rest| rest.parse::<u64>().ok());
            whole.map_or(Value::Number(number), Value::from)
        }
        Value::Array(all) => all.into_iter().map(with_whole_numbers).collect(),
        Value::Object(all) => {
            all.into_iter().map(|(name, value)| (name, with_whole_numbers(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// `a%20b` and `a+b` are `a b`.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

async fn read_body(
    headers: &HeaderMap,
    body: Body,
    (route, patience): (&Route, Duration),
) -> Result<(Value, Bytes), Problem> {
    let (bytes_max, values_max) = (route.body_bytes_max(), route.body_values_max());
    let kind = headers.get(header::CONTENT_TYPE).and_then(|header| header.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|text| text != "identity");
    if !kind.eq_ignore_ascii_case("application/json") || encoded {
        let why = "could not read the body: send JSON as it is, with `Content-Type: application/json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "REQ_004", why));
    }
    let collected = timeout(patience, Limited::new(body, bytes_max).collect()).await;
    let Ok(collected) = collected else {
        let why = "could not read the body: it did not come in time; send it faster";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "REQ_005", why));
    };
    let too_large = |what: String| {
        let why = format!("could not read the body: it has more than {what}; send less");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "REQ_006", why)
    };
    let bytes = collected.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            too_large(format!("{bytes_max} bytes"))
        } else {
            Problem::bad("could not read the body: it was cut off; send it again")
        }
    })?;
    let raw = bytes.to_bytes();
    // Two bytes can be a value that takes a hundred times as many.
    if has_more_json_values(&raw, values_max) {
        return Err(too_large(format!("{values_max} values")));
    }
    let body = cuelight_base::read_json(&raw).map_err(|error| {
        Problem::bad(format!("could not read the body: it is no JSON ({error}); see /openapi.json"))
    })?;
    Ok((body, raw))
}

/// Holds a body against the schema of its type, so that the schema is true.
fn checked(schema: &Schema, body: Value) -> Result<Value, Problem> {
    let wrong = schema.problems(&body);
    if wrong.is_empty() {
        return Ok(body);
    }
    let details: Value =
        wrong.iter().map(|problem| json!({"path": problem.path, "message": problem.message})).collect();
    let first = wrong.first().map(ToString::to_string).unwrap_or_default();
    Err(Problem::bad(format!(
        "could not take the body: {}; see /openapi.json",
        cuelight_base::safe_text(&first)
    ))
    .with(details))
}
