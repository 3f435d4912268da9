//! From a request to its answer: the router that the table of routes makes, who answers each call, and what is counted of it.

use super::{
    agents,
    answer::{dressed, json, told},
    asked::{Asked, caller, request_id},
    context,
    door::Door,
    events, gates, knowledge,
    log::RequestLine,
    openapi::openapi,
    probes,
    problem::{Problem, of_reply},
    results,
    routes::{Call, ROUTES, Route},
    runs,
    shapes::Renewed,
    spawn, state,
    strangers::Peer,
    work,
};
use axum::{
    Router,
    extract::{RawPathParams, Request},
    http::{Method, StatusCode},
    response::Response,
    routing::{MethodFilter, MethodRouter},
};
use cuelight_base::{Timestamp, TraceContext, hex};
use cuelight_engine::{Command, TokenName};
use cuelight_projection::{SpanKind, SpanValue, TraceSpan};
use cuelight_runtime::{Entropy, Reply, RequestId, SystemClock};
use std::{collections::BTreeMap, sync::Arc};

/// The router that the table makes.
pub(super) fn router(door: &Arc<Door>) -> Router {
    let mut paths: BTreeMap<&'static str, MethodRouter> = BTreeMap::new();
    for route in ROUTES {
        let filter = MethodFilter::try_from(route.method.clone()).expect("a method of the standard");
        let door = Arc::clone(door);
        let answer = move |params: RawPathParams, request: Request| {
            let door = Arc::clone(&door);
            async move {
                let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                respond(&door, route, params, request).await
            }
        };
        let before = paths.remove(route.path).unwrap_or_default();
        paths.insert(route.path, before.on(filter, answer));
    }
    let router = paths.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    let (no_path, no_method) = (Arc::clone(door), Arc::clone(door));
    router
        .method_not_allowed_fallback(move |request: Request| async move {
            lost(&no_method, &request, StatusCode::METHOD_NOT_ALLOWED)
        })
        .fallback(move |request: Request| async move { lost(&no_path, &request, StatusCode::NOT_FOUND) })
}

/// Lets a request in, has it answered, and counts it.
async fn respond(
    door: &Arc<Door>,
    route: &'static Route,
    params: Vec<(String, String)>,
    request: Request,
) -> Response {
    let (began, began_at) = (SystemClock.microseconds(), door.now());
    let id = request_id(request.headers());
    let caller = caller(request.headers());
    let own = Place::of(door, caller, &id);
    let (mut left, mut project) = (None, None);
    let place = own.as_ref().map(|place| place.own).filter(|_| caller.is_some()).or(caller);
    let answer = match Asked::read(door, route, params, request, (id.clone(), place), &mut left).await {
        Ok(asked) => {
            project = asked.bearer.as_ref().map(|bearer| bearer.project().to_owned());
            call(door, route.call, &asked).await
        }
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
    let took = SystemClock.microseconds().saturating_sub(began);
    door.count((route.method.as_str(), route.path), status, took);
    door.log.tell(|| RequestLine {
        at: began_at,
        request_id: id.clone(),
        method: route.method.to_string(),
        route: Some(route.path),
        status,
        micros: took,
        project,
        trace: caller.map(|caller| hex(&caller.trace)),
        left_out: 0,
    });
    if let Some(own) = own {
        own.tell(door, route, (&id, status), (began_at, took));
    }
    dressed(answer, &id, left)
}

/// The span of a request, where traces are sent and this one is wanted.
struct Place {
    own: TraceContext,
    parent: Option<[u8; 8]>,
}

impl Place {
    /// Below the caller; else in a trace that the name of the request stands for.
    fn of(door: &Door, caller: Option<TraceContext>, request_id: &str) -> Option<Self> {
        door.setup.traces.as_ref()?;
        let around = caller.unwrap_or_else(|| TraceContext::derived(&["request", request_id]));
        // A name may come twice, and each time it is another request.
        let own = around.with_span(around.span_named(&["request", &Entropy.request_id().0]));
        around.sampled.then_some(Self { own, parent: caller.map(|caller| caller.span) })
    }

    fn tell(
        self,
        door: &Door,
        route: &Route,
        (request_id, status): (&str, u16),
        (began, took): (Timestamp, u64),
    ) {
        let Some(traces) = &door.setup.traces else { return };
        let began = began.0.saturating_mul(1000);
        let text = |method: &str| SpanValue::Text(method.to_owned());
        traces.request(TraceSpan {
            place: self.own,
            parent: self.parent,
            name: format!("{} {}", route.method, route.path),
            kind: SpanKind::Server,
            micros: (began, began.saturating_add(i64::try_from(took).unwrap_or(i64::MAX))),
            did_well: (status >= 500).then_some(false),
            about: vec![
                ("http.request.method", text(route.method.as_str())),
                ("http.route", text(route.path)),
                ("http.response.status_code", SpanValue::Whole(i64::from(status))),
                ("cuelight.request.id", text(request_id)),
            ],
        });
    }
}

/// A method that HTTP has, by its name. A caller can put any word there, also one that nobody else may read: that is `_OTHER`, as
/// OpenTelemetry calls it.
fn method(said: &Method) -> &str {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    if known.contains(said) { said.as_str() } else { "_OTHER" }
}

/// Nothing is asked there.
fn lost(door: &Door, request: &Request, status: StatusCode) -> Response {
    let (id, now) = (request_id(request.headers()), door.now());
    let why = "could not find that; /openapi.json lists what can be asked";
    let mut problem = Problem::new(status, "REQ_008", why);
    if let Some(Peer { address, .. }) = request.extensions().get() {
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
    let status = problem.status.as_u16();
    door.log.tell(|| RequestLine {
        at: now,
        request_id: id.clone(),
        method: method(request.method()).to_owned(),
        route: None,
        status,
        micros: 0,
        project: None,
        trace: None,
        left_out: 0,
    });
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
        Call::ListGates => gates::list(door, asked).await,
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
        Call::SpawnAgent => spawn::spawn(door, asked).await,
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
    let command = Command::RevokeToken { token: name, reason, by: (*bearer.actor).clone() };
    match asked.command(door, RequestId::once(), command).await {
        Reply::Recorded(_) => {}
        other => return Err(of_reply(other)),
    }
    let expires_at = Timestamp(claims.exp.saturating_mul(1000)).to_string();
    Ok(json(StatusCode::OK, &Renewed { token, id: claims.jti, expires_at, permissions: claims.permissions }))
}
