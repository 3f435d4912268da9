//! Sends one request and stays with it to the last byte of the answer, which goes through the mask into the spool as the
//! output of a program does; memory holds no more than a stretch of it and what becomes an output.
//!
//! Every hop is judged anew (`policy`). What follows from a failure, another attempt above all, is the engine's matter;
//! here it is only said whether the request may have had its effect.

mod address;
mod connection;
mod exchange;
mod policy;
mod verdict;
mod visit;

pub use address::check_address;
pub use policy::HttpPolicy;
pub use visit::{HttpHeard, HttpVisit, visit_http};

pub(super) use connection::Door;
pub(super) use exchange::{Exchange, Post};

use self::{
    address::Address,
    connection::{Line, broken},
    verdict::Head,
};
use super::{Answer, Call, Ended, Failure, Host, Masker, Progress, Secret, log::Log, secret::revealed};
use cuelight_base::{
    FailureMode, HTTP_BODY_KEPT_BYTES_MAX, Hasher, HttpCall, Launch, OUTPUT_BYTES_MAX, Span, TextPart, Value,
    ValueMap, json_bytes, json_if_any, safe_text, shorten,
};
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body as _, Bytes, Incoming},
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, LOCATION, SET_COOKIE,
        USER_AGENT,
    },
};
use std::collections::BTreeMap;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Sends what a launch asks for, and reads the answer until its end, its time, or somebody's wish.
pub async fn run_http(
    host: &Host,
    launch: &Launch,
    call: &Call,
    cancel: &CancellationToken,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Answer {
    let refused = |why: String| Answer::not_started(None, format!("could not start: {why}"));
    let Some(http) = &launch.http else { return refused("no request is named".to_owned()) };
    let (secrets, masker) = match host.secrets_of(launch) {
        Ok(secrets) => secrets,
        Err(why) => return refused(why),
    };
    let mut log = Log::new(&masker, host.spool(launch, call), &mut progress);
    let mut talk = Talk { door: host.http(), http, secrets: &secrets, call, is_sent: false };
    let timer = sleep(launch.timeout.unwrap_or_default().to_std());
    let done = {
        let work = Box::pin(talk.perform(&mut log));
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Ended::Cancelled),
            done = work => Ok(done),
            () = timer, if launch.timeout.is_some() => {
                Err(Ended::TimedOut { after: launch.timeout.unwrap_or_default() })
            }
        }
    };
    let is_sent = talk.is_sent;
    let spooled = log.finish();
    let (ended, outputs, retry_after, may_have_happened) = match done {
        Ok(Done { result: Ok(outputs), .. }) => (Ended::Exit(0), masked(outputs, &masker), None, false),
        Ok(Done { result: Err(failure), retry_after, is_known }) => {
            let ended = Ended::Failed { mode: failure.mode, message: masker.mask(&failure.message) };
            (ended, ValueMap::new(), retry_after, is_sent && !is_known)
        }
        Err(ended) => (ended, ValueMap::new(), None, is_sent),
    };
    Answer { may_have_happened, retry_after, ..Answer::spooled(ended, outputs, spooled) }
}

/// The outcome of a request. `is_known` is false if its effect is unknown.
struct Done {
    result: Result<ValueMap, Failure>,
    retry_after: Option<Span>,
    is_known: bool,
}

/// One request with its redirects.
struct Talk<'a> {
    door: &'a Door,
    http: &'a HttpCall,
    secrets: &'a BTreeMap<String, Secret>,
    call: &'a Call,
    /// True if a byte of it may have reached the server.
    is_sent: bool,
}

/// The request of one hop.
struct Hop {
    to: Address,
    method: Method,
    body: Option<String>,
    /// True if the hop goes to the origin of the first request: secrets are sent only there.
    is_home: bool,
}

impl Talk<'_> {
    async fn perform<P: FnMut(Progress<'_>) + Send>(&mut self, log: &mut Log<'_, P>) -> Done {
        let failed = |failure| Done { result: Err(failure), retry_after: None, is_known: false };
        let mut hop = match self.first() {
            Ok(hop) => hop,
            Err(failure) => return failed(failure),
        };
        let home = hop.to.origin();
        for left in (0..=self.http.redirects).rev() {
            let (mut line, response) = match self.ask(&hop, log).await {
                Ok(pair) => pair,
                Err(failure) => return failed(failure),
            };
            let next = if self.http.redirects == 0 { None } else { self.next(&hop, &home, &response, left) };
            match next {
                None => return self.read(&hop, &mut line, response, log).await,
                Some(Ok(next)) => hop = next,
                // The other side has answered; what it wants from us then was refused.
                Some(Err(failure)) => return Done { is_known: true, ..failed(failure) },
            }
        }
        failed(Failure::invalid("follows redirects without end"))
    }

    fn first(&self) -> Result<Hop, Failure> {
        let url = self.revealed("its address", &self.http.url)?;
        let url =
            String::from_utf8(url).map_err(|_| Failure::invalid("a secret in its address is no text"))?;
        // A secret is not shown, not even in what went wrong with it.
        let to = Address::parse(&url).map_err(|_| {
            Failure::invalid(format!("its address `{}` cannot be one", self.http.shown_url()))
        })?;
        let method = Method::from_bytes(self.http.method.as_bytes())
            .map_err(|_| Failure::invalid(format!("{:?} is no method", self.http.method)))?;
        Ok(Hop { to, method, body: self.http.body.clone(), is_home: true })
    }

    /// Looks where it goes, connects and sends; the head of the answer.
    async fn ask<P: FnMut(Progress<'_>) + Send>(
        &mut self,
        hop: &Hop,
        log: &mut Log<'_, P>,
    ) -> Result<(Line, Response<Incoming>), Failure> {
        // Where a redirect leads was chosen by the other side as well, but only addresses that are public, or named, are left.
        self.door.policy.check_host(&hop.to, self.http.foreign_host && hop.is_home)?;
        let request = self.request(hop)?;
        let addresses = self.door.addresses(&hop.to).await?;
        let mut line = self.door.connect(&hop.to, &addresses).await?;
        self.is_sent = true;
        let response = line.send(request).await.map_err(|error| broken(&hop.to, &error))?;
        let status = response.status();
        let reason = status
            .canonical_reason()
            .map_or(String::new(), |canonical_reason| format!(" {canonical_reason}"));
        let kind =
            text_of(response.headers(), &CONTENT_TYPE).map_or(String::new(), |text| format!(", {text}"));
        log.say(&format!("{} {}: {}{reason}{kind}\n", hop.method, hop.to.origin(), status.as_u16()));
        Ok((line, response))
    }

    fn request(&self, hop: &Hop) -> Result<Request<Full<Bytes>>, Failure> {
        let body = Full::new(Bytes::from(hop.body.clone().unwrap_or_default()));
        let mut request = Request::new(body);
        *request.method_mut() = hop.method.clone();
        *request.uri_mut() = hop.to.path.parse().map_err(|_| Failure::invalid("its path cannot be sent"))?;
        let fields = request.headers_mut();
        let field = |name: &str, value: &[u8]| {
            HeaderValue::from_bytes(value)
                .map_err(|_| Failure::invalid(format!("the header field {name} holds what no field can")))
        };
        fields.insert(HOST, field("Host", hop.to.authority().as_bytes())?);
        fields.insert(ACCEPT, HeaderValue::from_static("*/*"));
        fields.insert(USER_AGENT, HeaderValue::from_static(concat!("cuelight/", env!("CARGO_PKG_VERSION"))));
        let mut own = Vec::new();
        for (name, parts) in &self.http.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                Failure::invalid(format!("{:?} is no name of a header field", shorten(name, 60)))
            })?;
            let is_private = header == AUTHORIZATION
                || header == COOKIE
                || parts.iter().any(|part| matches!(part, TextPart::Secret(_)));
            let is_of_body = header.as_str().starts_with("content-");
            if is_private && !hop.is_home || is_of_body && hop.body.is_none() && self.http.body.is_some() {
                continue;
            }
            let mut value = field(name, &self.revealed(name, parts)?)?;
            value.set_sensitive(is_private);
            own.push((header, value));
        }
        // Of a field that is written twice both are sent; one of ours gives way.
        own.iter().for_each(|(name, _)| drop(fields.remove(name)));
        for (name, value) in own {
            fields.append(name, value);
        }
        let key = HeaderName::from_static("idempotency-key");
        if self.http.keyed && hop.is_home && !fields.contains_key(&key) {
            fields.insert(key, field("Idempotency-Key", self.call.effect_key.as_bytes())?);
        }
        let traceparent = HeaderName::from_static("traceparent");
        if let Some(place) = self.call.traceparent.as_ref().filter(|_| hop.is_home)
            && !fields.contains_key(&traceparent)
        {
            fields.insert(traceparent, field("traceparent", place.as_bytes())?);
        }
        Ok(request)
    }

    /// The next hop of a redirect; `None` when the answer is no redirect.
    fn next(
        &self,
        hop: &Hop,
        home: &str,
        answer: &Response<Incoming>,
        left: u8,
    ) -> Option<Result<Hop, Failure>> {
        let code = answer.status().as_u16();
        if !matches!(code, 301 | 302 | 303 | 307 | 308) || self.http.expect.status.contains(&code) {
            return None;
        }
        let location = text_of(answer.headers(), &LOCATION)?;
        let shown = safe_text(&shorten(&location, 100));
        if left == 0 {
            let message = format!(
                "answers with a redirect to {shown}, and no more than {} are followed",
                self.http.redirects
            );
            return Some(Err(Failure::invalid(message)));
        }
        let refused = |message: String| Some(Err(Failure { mode: FailureMode::PolicySecurity, message }));
        let to = match hop.to.join(&location) {
            Ok(to) => to,
            Err(why) => {
                return Some(Err(Failure::invalid(format!(
                    "answers with a redirect that cannot be followed: {why}"
                ))));
            }
        };
        if hop.to.is_secure && !to.is_secure {
            return refused(format!("answers with a redirect to {shown}, which is not encrypted"));
        }
        let is_plain = matches!(hop.method, Method::GET | Method::HEAD);
        let becomes_get =
            !is_plain && (code == 303 || matches!(code, 301 | 302) && hop.method == Method::POST);
        let is_home = to.origin() == home;
        if !is_plain && !becomes_get && !is_home {
            return refused(format!("answers with a redirect of a {} to another host, {shown}", hop.method));
        }
        let (method, body) =
            if becomes_get { (Method::GET, None) } else { (hop.method.clone(), hop.body.clone()) };
        Some(Ok(Hop { to, method, body, is_home }))
    }

    /// Reads the body to its end, then says what the answer is worth.
    async fn read<P: FnMut(Progress<'_>) + Send>(
        &self,
        hop: &Hop,
        line: &mut Line,
        response: Response<Incoming>,
        log: &mut Log<'_, P>,
    ) -> Done {
        let (head, mut body) = response.into_parts();
        let is_known = !verdict::is_unknown(head.status);
        let retry_after = verdict::retry_after(head.status, &head.headers);
        let failed = |failure, is_known| Done { result: Err(failure), retry_after, is_known };
        let too_large = || {
            let message = format!(
                "its answer has more than {} bytes; set `max-bytes` if that is meant",
                self.http.bytes_max
            );
            Failure { mode: FailureMode::ResourceQuota, message }
        };
        if body.size_hint().lower() > self.http.bytes_max {
            return failed(too_large(), true);
        }
        let (mut hasher, mut bytes, mut kept) = (Hasher::new(), 0, Some(Vec::new()));
        while let Some(stretch) = line.next(&mut body).await {
            let stretch = match stretch {
                Ok(stretch) => stretch,
                // That it refused is known, how it said so is not; that it did the work is not, without its answer.
                Err(error) => {
                    let is_refusal = head.status.is_client_error() || head.status.is_server_error();
                    return failed(broken(&hop.to, &error), is_refusal && is_known);
                }
            };
            bytes += stretch.len() as u64;
            if bytes > self.http.bytes_max {
                return failed(too_large(), true);
            }
            hasher.update(&stretch);
            kept = kept.filter(|kept| kept.len() + stretch.len() <= HTTP_BODY_KEPT_BYTES_MAX);
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(&stretch);
            }
            log.take(&stretch);
        }
        let location = text_of(&head.headers, &LOCATION);
        let status = head.status;
        if let Err(failure) = verdict::of_status(&Head { status, location }, &self.http.expect) {
            return failed(failure, is_known);
        }
        let json = match kept.as_deref().map_or(Ok(None), json_if_any) {
            Ok(json) => json,
            Err(why) => {
                let message = format!("could not take the answer: {why}; see the other side");
                return failed(Failure { mode: FailureMode::ResourceApi, message }, true);
            }
        };
        if let Err(failure) = verdict::of_json(json.as_ref(), &self.http.expect) {
            return failed(failure, true);
        }
        let hash: String = hasher.finish().to_string();
        let outputs = outputs(status, &head.headers, kept, json, bytes, hash);
        Done { result: Ok(outputs), retry_after: None, is_known: true }
    }

    /// A text with the values of its secrets.
    fn revealed(&self, what: &str, parts: &[TextPart]) -> Result<Vec<u8>, Failure> {
        revealed(parts, self.secrets).ok_or_else(|| Failure::invalid(format!("{what} lacks a secret")))
    }
}

/// Outputs of a step from an answer: everything except a body that is too large, and cookies.
fn outputs(
    status: StatusCode,
    fields: &HeaderMap,
    body: Option<Vec<u8>>,
    json: Option<Value>,
    bytes: u64,
    hash: String,
) -> ValueMap {
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in fields.iter().filter(|field| field.0 != SET_COOKIE) {
        let text = String::from_utf8_lossy(value.as_bytes());
        let all = headers.entry(name.as_str()).or_default();
        all.push_str(if all.is_empty() { "" } else { ", " });
        all.push_str(&text);
    }
    let headers = headers.into_iter().map(|(name, text)| (name.to_owned(), Value::String(text))).collect();
    // Only what is text is given as text: a changed one would be worse than none.
    let body = body.and_then(|body| String::from_utf8(body).ok());
    let mut out = ValueMap::from_iter([
        ("status".to_owned(), status.as_u16().into()),
        ("headers".to_owned(), Value::Object(headers)),
        ("body".to_owned(), body.map_or(Value::Null, Value::String)),
        ("json".to_owned(), json.unwrap_or(Value::Null)),
        ("bytes".to_owned(), bytes.into()),
        ("sha256".to_owned(), hash.into()),
    ]);
    if json_bytes(&out) > OUTPUT_BYTES_MAX {
        out.insert("body".to_owned(), Value::Null);
        out.insert("json".to_owned(), Value::Null);
    }
    out
}

fn masked(mut outputs: ValueMap, masker: &Masker) -> ValueMap {
    outputs.values_mut().for_each(|output| masker.mask_value(output));
    outputs
}

/// A field as text, when it is there and is one.
fn text_of(fields: &HeaderMap, name: &HeaderName) -> Option<String> {
    fields.get(name).and_then(|field| field.to_str().ok()).map(str::to_owned)
}
