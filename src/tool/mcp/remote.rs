//! A server with an address, over the streamable HTTP of MCP: every message of ours is a request, and what the server has to say comes
//! in its answer, as JSON or as a stream of events. Where it goes is judged in `http`, as for any request; no redirect is followed.

use super::{
    local::Line,
    marked::encoded,
    said::{heard, shown},
};
use crate::{
    Failure, Secret,
    http::{Door, Exchange, Post},
    model::Events,
    secret::revealed,
};
use cuelight_base::{
    FailureMode, HttpCall, MCP_MESSAGE_BYTES_MAX, MCP_STATELESS, Span, TextPart, Value, read_json,
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use tokio::time::timeout;

/// The field by which a server that remembers us knows us again.
const SESSION: &str = "mcp-session-id";
/// Bytes of what it calls us.
const SESSION_BYTES_MAX: usize = 1024;
/// Timeout for our goodbye to the server.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// The talk with it.
pub(super) struct Remote<'a> {
    door: &'a Door,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    session: Option<String>,
    revision: Option<String>,
    /// Fields that repeat what the call is given.
    repeated: Vec<(String, Vec<u8>)>,
    answer: Option<Answering>,
    retry_after: Option<Span>,
    /// A byte of our last question may have reached somebody; what we answer and that we go says nothing about it, …
    is_sent: bool,
    /// … nor about whether its recipient refused it.
    is_refused: bool,
    /// Status of the answer to our last question; `None` when no answer came.
    status: Option<u16>,
}

/// An answer that is being read.
struct Answering {
    exchange: Exchange,
    events: Events,
    is_stream: bool,
    /// Body of an answer that is no stream.
    bytes: Vec<u8>,
    /// Messages that are whole.
    ready: VecDeque<Vec<u8>>,
    is_over: bool,
}

impl<'a> Remote<'a> {
    pub(super) fn new(
        door: &'a Door,
        http: &HttpCall,
        secrets: &BTreeMap<String, Secret>,
    ) -> Result<Self, Failure> {
        let read = |parts: &[TextPart]| {
            revealed(parts, secrets).ok_or_else(|| Failure::invalid("a secret of its server is not there"))
        };
        let url = String::from_utf8(read(&http.url)?)
            .map_err(|_| Failure::invalid("a secret in the address of the server is no text"))?;
        let header = |(name, parts): &(String, Vec<TextPart>)| Ok((name.to_ascii_lowercase(), read(parts)?));
        let headers = http.headers.iter().map(header).collect::<Result<_, Failure>>()?;
        Ok(Self {
            door,
            url,
            headers,
            session: None,
            revision: None,
            repeated: Vec::new(),
            answer: None,
            retry_after: None,
            is_sent: false,
            is_refused: false,
            status: None,
        })
    }

    /// The same, which says where in a trace it stands unless its file says that itself.
    pub(super) fn at(mut self, place: Option<&str>) -> Self {
        let name = "traceparent";
        if let Some(place) = place.filter(|_| self.headers.iter().all(|header| header.0 != name)) {
            self.headers.push((name.to_owned(), place.as_bytes().to_vec()));
        }
        self
    }

    /// Sets the revision to speak from now on; `None` before a handshake.
    pub(super) fn speaks(&mut self, revision: Option<&str>) {
        self.revision = revision.map(str::to_owned);
    }

    /// Sets the header fields that repeat the call's input.
    pub(super) fn repeats(&mut self, fields: Vec<(String, Vec<u8>)>) {
        self.repeated = fields;
    }

    /// True if our last question was answered as a server of older revisions might. Refusals for our
    /// identity, our rate or its load do not count.
    pub(super) fn may_be_older(&self) -> bool {
        self.status.is_some_and(|status| !matches!(status, 401 | 403 | 407 | 429 | 502..=504))
    }

    fn is_stateless(&self) -> bool {
        self.revision.as_deref() == Some(MCP_STATELESS)
    }

    pub(super) const fn retry_after(&self) -> Option<Span> {
        self.retry_after
    }

    pub(super) const fn is_sent(&self) -> bool {
        self.is_sent
    }

    pub(super) const fn is_refused(&self) -> bool {
        self.is_refused
    }

    pub(super) async fn send(&mut self, message: &Value) -> Result<(), Failure> {
        let is_question = message.get("method").is_some() && message.get("id").is_some();
        if is_question {
            (self.is_sent, self.is_refused, self.status, self.retry_after) = (false, false, None, None);
        }
        let told = if self.is_stateless() { self.told(message) } else { Vec::new() };
        let exchange = self.exchange("POST", told, message.to_string().into_bytes(), is_question).await?;
        let status = exchange.status().as_u16();
        if is_question {
            self.status = Some(status);
        }
        if let Some(mut failure) = exchange.refusal() {
            if is_question {
                self.retry_after = exchange.retry_after();
                self.is_refused = !exchange.is_unknown();
            }
            if status == 404 && self.session.is_some() {
                "its MCP server does not know us any more; call it again".clone_into(&mut failure.message);
            }
            if is_question && self.is_stateless() && matches!(status, 400 | 404) {
                let mut answer = Answering::of(exchange);
                if answer.says_why(&message["id"]).await {
                    self.answer = Some(answer);
                    return Ok(());
                }
            }
            return Err(failure);
        }
        // Without shaken hands nobody is remembered, and what a server says of it is not sent back.
        if let Some(session) = exchange.field(SESSION).filter(|_| !self.is_stateless()) {
            let is_plain =
                session.len() <= SESSION_BYTES_MAX && session.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_plain {
                return Err(Failure::invalid(
                    "its MCP server calls us what no header field can hold; see the server",
                ));
            }
            self.session = Some(session);
        }
        // Whatever is said to what is no question says nothing.
        if is_question {
            if !matches!(exchange.kind(), "text/event-stream" | "application/json") {
                let message = format!(
                    "its MCP server answers as {}, not as JSON or events; see whether it speaks MCP there",
                    shown(exchange.kind())
                );
                return Err(Failure { mode: FailureMode::ResourceApi, message });
            }
            self.answer = Some(Answering::of(exchange));
        }
        Ok(())
    }

    pub(super) async fn next(&mut self) -> Result<(Line, usize), Failure> {
        let ended = || {
            let message = "its MCP server has ended its answer before it answered; see the server".to_owned();
            Failure { mode: FailureMode::ResourceApi, message }
        };
        let answer = self.answer.as_mut().ok_or_else(ended)?;
        loop {
            if let Some(bytes) = answer.ready.pop_front() {
                let count = bytes.len();
                let line = heard(&bytes)?.map_or_else(|| Line::Talk(bytes), Line::Message);
                return Ok((line, count));
            }
            if answer.is_over {
                return Err(ended());
            }
            answer.read().await?;
        }
    }

    /// Says that we go; nothing depends on it.
    pub(super) async fn leave(&mut self) {
        if self.session.is_some() {
            drop(timeout(LEAVE_MAX, Box::pin(self.exchange("DELETE", Vec::new(), Vec::new(), false))).await);
        }
    }

    /// Header fields that repeat parts of a question without a handshake, for proxies.
    fn told(&self, message: &Value) -> Vec<(String, Vec<u8>)> {
        let method = message["method"].as_str().unwrap_or_default();
        let mut told = vec![("mcp-method".to_owned(), method.as_bytes().to_vec())];
        if let ("tools/call", Some(name)) = (method, message["params"]["name"].as_str()) {
            told.push(("mcp-name".to_owned(), encoded(name).into_bytes()));
            told.extend(self.repeated.iter().cloned());
        }
        told
    }

    async fn exchange(
        &mut self,
        method: &'static str,
        told: Vec<(String, Vec<u8>)>,
        json: Vec<u8>,
        is_question: bool,
    ) -> Result<Exchange, Failure> {
        let mut own = self.headers.clone();
        let agreed = [(SESSION, &self.session), ("mcp-protocol-version", &self.revision)];
        let agreed = agreed
            .into_iter()
            .filter_map(|(name, session)| Some((name.to_owned(), session.clone()?.into_bytes())));
        own.extend(agreed.chain(told));
        let post = Post {
            method,
            url: &self.url,
            fields: &[],
            own: &own,
            private: None,
            accept: "application/json, text/event-stream",
            json,
        };
        let mut unasked = false;
        let is_sent = if is_question { &mut self.is_sent } else { &mut unasked };
        Exchange::begin(self.door, post, is_sent).await
    }
}

impl Answering {
    fn of(exchange: Exchange) -> Self {
        let is_stream = exchange.kind() == "text/event-stream";
        Self {
            exchange,
            events: Events::default(),
            is_stream,
            bytes: Vec::new(),
            ready: VecDeque::new(),
            is_over: false,
        }
    }

    /// True if a refusal carries an error of the protocol. That error is then the answer to the question of
    /// this id.
    async fn says_why(&mut self, id: &Value) -> bool {
        while !self.is_over {
            if self.is_stream || self.read().await.is_err() {
                return false;
            }
        }
        let said = self.ready.pop_front().and_then(|bytes| read_json::<Value>(&bytes).ok());
        let Some(mut said) = said.filter(|json| json["jsonrpc"] == "2.0" && json["error"]["code"].is_i64())
        else {
            return false;
        };
        said["id"] = id.clone();
        self.ready.push_back(said.to_string().into_bytes());
        true
    }

    /// Takes what comes next.
    async fn read(&mut self) -> Result<(), Failure> {
        let ready = &mut self.ready;
        let each = |data: &str| {
            ready.push_back(data.as_bytes().to_vec());
            Ok(false)
        };
        match self.exchange.next().await {
            Some(stretch) if self.is_stream => {
                self.events.take(&stretch?, each)?;
            }
            Some(stretch) => {
                self.bytes.extend_from_slice(&stretch?);
                if self.bytes.len() > MCP_MESSAGE_BYTES_MAX {
                    let message = format!(
                        "its MCP server sends a message of more than {MCP_MESSAGE_BYTES_MAX} bytes; ask it for less"
                    );
                    return Err(Failure { mode: FailureMode::ResourceQuota, message });
                }
            }
            None => {
                self.is_over = true;
                if self.is_stream {
                    self.events.finish(each)?;
                } else {
                    self.ready.push_back(std::mem::take(&mut self.bytes));
                }
            }
        }
        Ok(())
    }
}
