//! The talk with one MCP server. Both sides name their revision, its tools are listed, and the wanted one is
//! compared with the accepted one; only then it is called. Everything it says has a bound; what it asks of us
//! is declined.
//!
//! A program is asked to shake hands first, and one with an address what it speaks: each may know only the other way.

use super::{
    local::{Line, Local},
    marked,
    remote::Remote,
    said::shown,
};
use crate::Failure;
use cuelight_base::{
    FailureMode, MCP_BYTES_MAX, MCP_MESSAGES_MAX, MCP_META, MCP_REVISIONS, MCP_STATELESS, MCP_TOOLS_MAX,
    McpCall, OUTPUT_BYTES_MAX, Schema, Span, Value, ValueMap, json_bytes, mcp_held, type_name,
};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

/// Limit of new listings of the tools, when the server reports that they have changed meanwhile.
const LISTS_MAX: usize = 3;
/// Bytes that results may have: what stands beside them in the file of outputs has to fit as well.
const RESULT_BYTES_MAX: usize = OUTPUT_BYTES_MAX - 16 * 1024;

/// Errors by which a server that shakes no hands is known: it does not speak the revision, …
const UNKNOWN_REVISION: i64 = -32022;
/// … and header fields differ from the question, or we cannot do what it wants of us.
const STATELESS_ERRORS: [i64; 2] = [-32020, -32021];

/// The transport to the server.
enum Wire<'a> {
    Local(Local<'a>),
    Remote(Box<Remote<'a>>),
}

/// The talk so far.
pub(super) struct Session<'a> {
    wire: Wire<'a>,
    tell: &'a mut (dyn FnMut(&[u8]) + Send),
    asked: u64,
    messages: usize,
    bytes: usize,
    /// No hands were shaken: each question says what it speaks.
    is_stateless: bool,
    /// It has said that its tools are others now.
    has_changed: bool,
    /// The call may have reached it.
    has_left: bool,
    /// It has answered the call.
    is_known: bool,
}

/// Why a question has no result.
enum Unanswered {
    /// It says so itself.
    Refused { code: i64, message: String, data: Value },
    /// The question got no answer, for this reason.
    Failed(Failure),
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<'a> Session<'a> {
    pub(super) fn local(
        output: impl AsyncRead + Send + Unpin + 'a,
        input: impl AsyncWrite + Send + Unpin + 'a,
        tell: &'a mut (dyn FnMut(&[u8]) + Send),
    ) -> Self {
        Self::over(Wire::Local(Local::new(output, input)), tell)
    }

    pub(super) fn remote(remote: Remote<'a>, tell: &'a mut (dyn FnMut(&[u8]) + Send)) -> Self {
        Self::over(Wire::Remote(Box::new(remote)), tell)
    }

    fn over(wire: Wire<'a>, tell: &'a mut (dyn FnMut(&[u8]) + Send)) -> Self {
        Self {
            wire,
            tell,
            asked: 0,
            messages: 0,
            bytes: 0,
            is_stateless: false,
            has_changed: false,
            has_left: false,
            is_known: false,
        }
    }

    /// True if the call may have reached the server.
    pub(super) fn has_left(&self) -> bool {
        let is_sent = match &self.wire {
            Wire::Local(_) => true,
            Wire::Remote(remote) => remote.is_sent(),
        };
        self.has_left && is_sent
    }

    /// True if the server has answered the call.
    pub(super) const fn is_known(&self) -> bool {
        self.is_known
    }

    /// Time that the server asks us to wait.
    pub(super) fn retry_after(&self) -> Option<Span> {
        match &self.wire {
            Wire::Local(_) => None,
            Wire::Remote(remote) => remote.retry_after(),
        }
    }

    /// All that it offers that is a tool.
    pub(super) async fn all(&mut self) -> Result<Vec<Value>, Failure> {
        self.open().await?;
        let mut all = self.tools().await?;
        if self.repeats() {
            all.retain(|tool| match marked::marked(&tool["inputSchema"]) {
                Ok(_) => true,
                Err(why) => {
                    self.say(&format!("— left out: {} {why} —", tool["name"].as_str().unwrap_or_default()));
                    false
                }
            });
        }
        Ok(all)
    }

    /// True if header fields repeat the input of a tool.
    const fn repeats(&self) -> bool {
        self.is_stateless && matches!(self.wire, Wire::Remote(_))
    }

    /// The fields that repeat it, as the tool wants it.
    fn repeated(&self, says: &Value, given: &Value) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        if !self.repeats() {
            return Ok(Vec::new());
        }
        let marked = marked::marked(&says["inputSchema"])
            .map_err(|why| wrong(format!("{why}, which the protocol does not allow")))?;
        marked::fields(&marked, given).map_err(|why| Failure {
            mode: FailureMode::UserInvalidInput,
            message: format!("could not call it: {why}"),
        })
    }

    /// Calls the tool, if it is still the one that was accepted. `leaves` is told before the call leaves.
    pub(super) async fn call(
        &mut self,
        held: &McpCall,
        input: &ValueMap,
        leaves: &mut (dyn FnMut() -> Result<(), String> + Send),
    ) -> Result<ValueMap, Failure> {
        self.open().await?;
        let says = self.accepted(held).await?;
        let given = Value::Object(input.clone());
        fits(
            &says["inputSchema"],
            &given,
            "could not call it: its input does not fit",
            FailureMode::UserInvalidInput,
        )?;
        let repeated = self.repeated(&says, &given)?;
        if let Wire::Remote(remote) = &mut self.wire {
            remote.repeats(repeated);
        }
        leaves().map_err(|why| Failure {
            mode: FailureMode::SystemDisk,
            message: format!("could not call it: {why}"),
        })?;
        self.has_left = true;
        let answer = self.ask("tools/call", json!({"name": held.tool, "arguments": given})).await;
        let result = match answer {
            Ok(result) => result,
            Err(Unanswered::Failed(failure)) => {
                self.is_known = matches!(&self.wire, Wire::Remote(remote) if remote.is_refused());
                return Err(failure);
            }
            Err(Unanswered::Refused { code, message, .. }) => {
                self.is_known = true;
                let mode =
                    if code == -32602 { FailureMode::UserInvalidInput } else { FailureMode::AgentLogic };
                let message =
                    format!("its MCP server refuses the call ({code}): {}; see its log", shown(&message));
                return Err(Failure { mode, message });
            }
        };
        self.is_known = true;
        self.outputs(&says, &result)
    }

    /// Says that we go, where the server remembers us.
    pub(super) async fn leave(&mut self) {
        if let Wire::Remote(remote) = &mut self.wire {
            remote.leave().await;
        }
    }

    /// Both sides name the revision that they speak.
    async fn open(&mut self) -> Result<(), Failure> {
        if matches!(self.wire, Wire::Remote(_)) && self.asks_what_it_speaks().await? {
            return Ok(());
        }
        let hello = json!({"protocolVersion": MCP_REVISIONS[0], "capabilities": {}, "clientInfo": us()});
        let result = match self.ask("initialize", hello).await {
            Ok(result) => result,
            Err(why) if matches!((&why, &self.wire), (Unanswered::Refused { .. }, Wire::Local(_))) => {
                return self.discover(why).await;
            }
            Err(why) => return Err(refused("does not begin", why)),
        };
        let revision = result["protocolVersion"].as_str().unwrap_or_default();
        if !MCP_REVISIONS.contains(&revision) {
            return Err(wrong(format!(
                "speaks the revision {} of MCP; known here are {}",
                shown(revision),
                MCP_REVISIONS.join(", ")
            )));
        }
        if let Wire::Remote(remote) = &mut self.wire {
            remote.speaks(Some(revision));
        }
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await
    }

    /// A program that shakes no hands is asked what it speaks; where it does not say that either, the first answer stands.
    async fn discover(&mut self, why: Unanswered) -> Result<(), Failure> {
        self.is_stateless = true;
        let Ok(found) = self.ask("server/discover", json!({})).await else {
            return Err(refused("does not begin", why));
        };
        let spoken = revisions(&found["supportedVersions"]);
        if spoken.contains(&MCP_STATELESS) { Ok(()) } else { Err(unknown_revisions(&spoken)) }
    }

    /// Returns true if a server with an address speaks without a handshake. A server that does not know the
    /// question is spoken to with a handshake, as in older revisions. One that could not be reached, or turns
    /// us away, is not asked a second time.
    async fn asks_what_it_speaks(&mut self) -> Result<bool, Failure> {
        self.set_stateless(true);
        let spoken = match self.ask("server/discover", json!({})).await {
            Ok(found) => found["supportedVersions"].clone(),
            Err(Unanswered::Refused { code: UNKNOWN_REVISION, data, .. }) => data["supported"].clone(),
            Err(Unanswered::Refused { code, message, data }) if STATELESS_ERRORS.contains(&code) => {
                return Err(refused("does not begin", Unanswered::Refused { code, message, data }));
            }
            Err(Unanswered::Failed(failure)) if !matches!(&self.wire, Wire::Remote(remote) if remote.may_be_older()) =>
            {
                return Err(failure);
            }
            Err(Unanswered::Refused { .. } | Unanswered::Failed(_)) => Value::Null,
        };
        let spoken = revisions(&spoken);
        if spoken.contains(&MCP_STATELESS) {
            return Ok(true);
        }
        if !spoken.is_empty() && !spoken.iter().any(|text| MCP_REVISIONS.contains(text)) {
            return Err(unknown_revisions(&spoken));
        }
        self.set_stateless(false);
        Ok(false)
    }

    fn set_stateless(&mut self, is_stateless: bool) {
        self.is_stateless = is_stateless;
        if let Wire::Remote(remote) = &mut self.wire {
            remote.speaks(is_stateless.then_some(MCP_STATELESS));
        }
    }

    /// The server's description of a tool, if it equals the accepted one.
    async fn accepted(&mut self, held: &McpCall) -> Result<Value, Failure> {
        for _ in 0..LISTS_MAX {
            self.has_changed = false;
            let tools = self.tools().await?;
            let mut named = tools.iter().filter(|tool| tool["name"].as_str() == Some(&held.tool));
            let (first, second) = (named.next(), named.next());
            let Some(says) = first.filter(|_| second.is_none()) else {
                let why =
                    if second.is_some() { "offers it more than once" } else { "does not offer it any more" };
                let message = format!(
                    "could not call {}: its MCP server {why}; `cuelight tool add` lists what it offers",
                    shown(&held.tool)
                );
                return Err(Failure { mode: FailureMode::PolicySecurity, message });
            };
            if let Some(changed) = held.changed(says) {
                let message = format!(
                    "could not call {}: its MCP server says of it something else than was accepted: {changed}; look with `cuelight tool \
                     accept` and accept it there, or stay with what it was",
                    shown(&held.tool)
                );
                return Err(Failure { mode: FailureMode::PolicySecurity, message });
            }
            if !self.has_changed {
                return Ok(mcp_held(says));
            }
        }
        Err(wrong("changes its tools faster than they can be looked at".to_owned()))
    }

    /// All pages of its tools.
    async fn tools(&mut self) -> Result<Vec<Value>, Failure> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let asked = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
            let page = self
                .ask("tools/list", asked)
                .await
                .map_err(|error| refused("does not list its tools", error))?;
            let Some(tools) = page["tools"].as_array() else {
                return Err(wrong(format!("lists its tools as {}", type_name(&page["tools"]))));
            };
            all.extend(tools.iter().cloned());
            if all.len() > MCP_TOOLS_MAX {
                return Err(wrong(format!("offers more than {MCP_TOOLS_MAX} tools")));
            }
            match page["nextCursor"].as_str() {
                Some(next) if cursor.as_deref() != Some(next) => cursor = Some(next.to_owned()),
                Some(_) => return Err(wrong("lists the same page again and again".to_owned())),
                None => return Ok(all),
            }
        }
    }

    /// Asks one thing and waits for its answer; whatever comes in between is attended to.
    async fn ask(&mut self, method: &str, mut params: Value) -> Result<Value, Unanswered> {
        if self.is_stateless {
            params["_meta"] = json!({MCP_META[0]: MCP_STATELESS, MCP_META[1]: {}, MCP_META[3]: us()});
        }
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await?;
        loop {
            let message = self.next().await?;
            let is_answer = message.get("method").is_none();
            match (is_answer, message.get("id")) {
                (true, Some(its)) if *its == json!(id) => {
                    if let Some(error) = message.get("error").filter(|error| !error.is_null()) {
                        let code = error["code"].as_i64().unwrap_or_default();
                        let text = error["message"].as_str().unwrap_or("it does not say why");
                        let data = error["data"].clone();
                        return Err(Unanswered::Refused { code, message: text.to_owned(), data });
                    }
                    return match message.get("result") {
                        Some(result) if result.is_object() && is_whole(result) => Ok(result.clone()),
                        Some(result) if result.is_object() => Err(Unanswered::Refused {
                            code: 0,
                            message: "it wants to be told more first, which is not offered here".to_owned(),
                            data: Value::Null,
                        }),
                        _ => Err(wrong(format!("answers {method} with what is no answer")).into()),
                    };
                }
                // An answer that nobody waits for.
                (true, _) => self.say("— the server answers what was not asked —"),
                (false, Some(its)) => self.decline(&its.clone(), &message).await,
                (false, None) => self.hear(&message),
            }
        }
    }

    /// It asks something of us: whether we live is answered, everything else is declined. That this could not be said is not told:
    /// it says nothing about our own question, whose answer may still come.
    async fn decline(&mut self, id: &Value, message: &Value) {
        let method = message["method"].as_str().unwrap_or_default();
        if self.is_stateless {
            // Nobody may ask this way any more, and there is no way to answer.
            return self.say(&format!("— the server asks for {}: not answered —", shown(method)));
        }
        let answer = if method == "ping" {
            json!({"jsonrpc": "2.0", "id": id, "result": {}})
        } else {
            self.say(&format!("— the server asks for {}: declined —", shown(method)));
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "not offered here"}})
        };
        drop(self.send(&answer).await);
    }

    /// Handles a notification of the server.
    fn hear(&mut self, message: &Value) {
        match message["method"].as_str().unwrap_or_default() {
            "notifications/tools/list_changed" => self.has_changed = true,
            "notifications/message" => {
                let data = &message["params"]["data"];
                let text = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
                self.say(&text);
            }
            _ => {}
        }
    }

    async fn send(&mut self, message: &Value) -> Result<(), Failure> {
        match &mut self.wire {
            Wire::Local(local) => local.send(message).await,
            Wire::Remote(remote) => remote.send(message).await,
        }
    }

    /// The next message, counted.
    async fn next(&mut self) -> Result<Value, Failure> {
        loop {
            let (line, bytes) = match &mut self.wire {
                Wire::Local(local) => local.next().await?,
                Wire::Remote(remote) => remote.next().await?,
            };
            self.messages += 1;
            self.bytes += bytes;
            if self.messages > MCP_MESSAGES_MAX || self.bytes > MCP_BYTES_MAX {
                let message = format!(
                    "its MCP server sends more than {MCP_MESSAGES_MAX} messages or {MCP_BYTES_MAX} bytes and does not answer; see its log"
                );
                return Err(Failure { mode: FailureMode::ResourceQuota, message });
            }
            match line {
                Line::Message(message) if message.is_object() => return Ok(message),
                Line::Message(_) => return Err(wrong("sends what is no message of MCP".to_owned())),
                Line::Talk(bytes) => {
                    (self.tell)(&bytes);
                    (self.tell)(b"\n");
                }
            }
        }
    }

    /// A line of ours for the log.
    fn say(&mut self, text: &str) {
        (self.tell)(format!("{}\n", shown(text)).as_bytes());
    }

    /// Outputs of a step from a result.
    fn outputs(&mut self, says: &Value, result: &Value) -> Result<ValueMap, Failure> {
        let parts = result["content"].as_array().cloned().unwrap_or_default();
        let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
        let text = texts.join("\n");
        if !text.is_empty() {
            (self.tell)(text.as_bytes());
            (self.tell)(b"\n");
        }
        if result["isError"] == Value::Bool(true) {
            let message = format!("says that it failed: {}; see its log", shown(&text));
            return Err(Failure { mode: FailureMode::AgentLogic, message });
        }
        let structured =
            result.get("structuredContent").filter(|structured_content| !structured_content.is_null());
        if let Some(schema) = says.get("outputSchema") {
            let given = structured.unwrap_or(&Value::Null);
            fits(schema, given, "gave what it does not promise", FailureMode::AgentContract)?;
        }
        let mut out = ValueMap::from_iter([("text".to_owned(), Value::String(text))]);
        out.extend(structured.map(|structured| ("structured".to_owned(), structured.clone())));
        out.insert("content".to_owned(), Value::Array(parts));
        if json_bytes(&out) > RESULT_BYTES_MAX {
            out.shift_remove("content");
        }
        if json_bytes(&out) > RESULT_BYTES_MAX {
            let message = format!("its result has more than {RESULT_BYTES_MAX} bytes; ask it for less");
            return Err(Failure { mode: FailureMode::ResourceQuota, message });
        }
        Ok(out)
    }
}

/// Our name and version for the server.
fn us() -> Value {
    json!({"name": "cuelight", "version": env!("CARGO_PKG_VERSION")})
}

/// Revisions, as a server lists them.
fn revisions(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn unknown_revisions(spoken: &[&str]) -> Failure {
    wrong(format!(
        "speaks the revisions {} of MCP; known here are {MCP_STATELESS}, {}",
        shown(&spoken.join(", ")),
        MCP_REVISIONS.join(", ")
    ))
}

/// True if a result is complete; one without `resultType` is.
fn is_whole(result: &Value) -> bool {
    result.get("resultType").is_none_or(|result_type| result_type == "complete")
}

/// Holds a value against a schema of the server.
fn fits(schema: &Value, value: &Value, what: &str, mode: FailureMode) -> Result<(), Failure> {
    let read =
        Schema::read(schema).map_err(|why| wrong(format!("says a schema that is none: {}", shown(&why))))?;
    match read.problems(value).first() {
        None => Ok(()),
        Some(problem) => Err(Failure { mode, message: format!("{what}: {}", shown(&problem.to_string())) }),
    }
}

fn wrong(what: String) -> Failure {
    Failure { mode: FailureMode::AgentContract, message: format!("its MCP server {what}; see the server") }
}

fn refused(what: &str, unanswered: Unanswered) -> Failure {
    match unanswered {
        Unanswered::Refused { code, message, .. } => wrong(format!("{what} ({code}: {})", shown(&message))),
        Unanswered::Failed(failure) => failure,
    }
}
