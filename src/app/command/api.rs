//! `api`: calls the HTTP API of an engine, for shells and scripts. The operations come from the API's own
//! description, and only the engine judges a request.

use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
};
use clap::Args;
use cuelight_base::{Value, ValueMap, is_unseen, json_in_sight, refuse_twice, safe_text, shorten};
use cuelight_gateway::{is_loopback, openapi};
use cuelight_tool::{HttpHeard, HttpPolicy, HttpVisit, visit_http};
use serde_json::{Map, json};
use std::{
    fs,
    io::{Read as _, stdin},
    net::IpAddr,
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
};

#[derive(Debug, Args)]
pub(super) struct ApiArgs {
    /// HTTP method (optional), path, and fields to send: name=text, or name:=JSON
    #[arg(value_name = "METHOD PATH NAME=TEXT")]
    pub(super) what: Vec<String>,
    /// Body to send: JSON, @FILE, or - for standard input
    #[arg(long, short, value_name = "JSON")]
    pub(super) data: Option<String>,
    /// A field of the head: "If-Match: \"3\"", "Idempotency-Key: deploy-7"
    #[arg(long, short = 'H', value_name = "NAME: TEXT")]
    pub(super) header: Vec<String>,
    /// Address of the engine
    #[arg(long, env = "SIDECAR_URL", default_value = "http://127.0.0.1:3001", value_name = "URL")]
    pub(super) url: String,
    /// Certificates of an authority of your own (PEM), for https
    #[arg(long, value_name = "FILE")]
    pub(super) authorities: Option<PathBuf>,
    /// Send the token to another machine though nothing is encrypted
    #[arg(long)]
    pub(super) insecure: bool,
    /// Print the list of endpoints as JSON, as /openapi.json has it
    #[arg(long)]
    pub(super) json: bool,
}

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
/// Bytes of an answer that is shown as a whole.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(super) async fn api(config: &Config, out: Output, args: ApiArgs) -> Outcome {
    let Some(first) = &args.what.first() else { return list(out, args.json) };
    let (method, path, words) = match METHODS.iter().find(|method| method.eq_ignore_ascii_case(first)) {
        Some(method) => {
            let path = args.what.get(1).ok_or_else(|| {
                Trouble::usage(format!(
                    "could not ask: say what of, as in `cuelight api {method} /api/gates`"
                ))
            })?;
            (Some(*method), path.as_str(), &args.what[2..])
        }
        None => (None, first.as_str(), &args.what[1..]),
    };
    if !path.starts_with('/') {
        return Err(Trouble::usage(format!(
            "could not ask: a path begins with /, and {:?} does not; `cuelight api` lists them",
            safe_text(&shorten(path, 60))
        )));
    }
    let fields = words.iter().map(|word| field(word)).collect::<Result<Vec<_>, _>>()?;
    let body = args.data.as_deref().map(|text| data(config, text)).transpose()?;
    let sends = body.is_some() || !fields.is_empty();
    let method = method.unwrap_or(if sends { "POST" } else { "GET" });
    let in_query = matches!(method, "GET" | "DELETE");
    let url = format!("{}{path}", address(&args)?);
    let (url, body) = match (in_query, body) {
        (true, Some(_)) => {
            return Err(Trouble::usage(format!("could not ask: {method} takes no --data; write name=value")));
        }
        (true, None) => (with_query(url, &fields), Vec::new()),
        (false, Some(_)) if !fields.is_empty() => {
            return Err(Trouble::usage(
                "could not ask: give the body with --data or as name=value, not both",
            ));
        }
        (false, Some(body)) => (url, body),
        (false, None) if fields.is_empty() => (url, Vec::new()),
        (false, None) => {
            (url, Value::Object(fields.into_iter().collect::<Map<_, _>>()).to_string().into_bytes())
        }
    };
    let mut heads = args.header.iter().map(|text| head(text)).collect::<Result<Vec<_>, _>>()?;
    if let Some(token) = config.variable("JWT_TOKEN").filter(|jwt_token| !jwt_token.is_empty()) {
        heads.push(("authorization".to_owned(), format!("Bearer {token}").into_bytes()));
    }
    let authorities = args.authorities.as_ref().map(|authorities| config.here.join(authorities));
    let mut heard = Heard { out, status: 0, kind: Kind::Json, text: Vec::new(), cut: false };
    let policy = HttpPolicy::anywhere(authorities).map_err(Trouble::usage)?;
    let visit = HttpVisit { method, url, fields: heads, body, policy };
    let done = visit_http(visit, |http_heard| heard.take(&http_heard)).await;
    let shown = heard.end();
    done.map_err(|why| Trouble::not_recorded(format!("could not ask: {why}")))?;
    shown
}

/// Lists the operations of the API, as its own description names them.
fn list(out: Output, as_json: bool) -> Outcome {
    let document = openapi();
    if as_json {
        out.json_pretty(&document);
        return Ok(ExitCode::SUCCESS);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut rows = Vec::new();
    for (path, calls) in document["paths"].as_object().into_iter().flatten() {
        for (method, call) in calls.as_object().into_iter().flatten() {
            let asked = call["parameters"].as_array().into_iter().flatten();
            let query: Vec<_> = asked
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| text(&parameter["name"]))
                .collect();
            rows.push(vec![
                method.to_ascii_uppercase(),
                path.clone(),
                query.join(" "),
                text(&call["summary"]),
            ]);
        }
    }
    out.table(&["METHOD", "PATH", "NAMES", "WHAT IT DOES"], &rows);
    Ok(ExitCode::SUCCESS)
}

/// The URL of the API, without a slash at its end. A token goes over an unencrypted line only if the operator
/// permits it.
fn address(args: &ApiArgs) -> Result<String, Trouble> {
    let url = args.url.trim_end_matches('/');
    let plain = url.split_at_checked(7).filter(|split| split.0.eq_ignore_ascii_case("http://"));
    let host = plain.map(|split| split.1).map(|text| text.split(['/', '?']).next().unwrap_or_default());
    let is_here = |host: &str| {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, _)) => name,
            None => host.split(':').next().unwrap_or_default(),
        };
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|name| is_loopback((name, 0).into()))
    };
    if host.is_some_and(|host| !is_here(host)) && !args.insecure {
        return Err(Trouble::usage(format!(
            "could not ask {}: nothing is encrypted on the way, and whoever listens has the token; use https, or say --insecure",
            safe_text(&shorten(url, 100))
        )));
    }
    Ok(url.to_owned())
}

/// `name=text`, or `name:=JSON`.
fn field(word: &str) -> Result<(String, Value), Trouble> {
    let wrong =
        |why: String| Trouble::usage(format!("could not read {:?}: {why}", safe_text(&shorten(word, 60))));
    let (name, text) =
        word.split_once('=').ok_or_else(|| wrong("write name=text or name:=JSON".to_owned()))?;
    match name.strip_suffix(':') {
        Some(name) => {
            let value =
                cuelight_base::read_json(text).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
            Ok((name.to_owned(), value))
        }
        None => Ok((name.to_owned(), json!(text))),
    }
}

/// JSON, `@FILE`, or `-` for standard input.
fn data(config: &Config, said: &str) -> Result<Vec<u8>, Trouble> {
    let text = if said == "-" {
        let mut text = Vec::new();
        let read = stdin().lock().read_to_end(&mut text).map(|_| text);
        read.map_err(|error| Trouble::usage(format!("could not read standard input: {error}")))?
    } else if let Some(file) = said.strip_prefix('@') {
        let path = config.here.join(file);
        fs::read(&path)
            .map_err(|error| Trouble::usage(format!("could not read {}: {error}", path.display())))?
    } else {
        said.as_bytes().to_vec()
    };
    refuse_twice(&text)
        .map_err(|error| Trouble::usage(format!("could not read --data: it is no JSON: {error}")))?;
    Ok(text)
}

fn head(word: &str) -> Result<(String, Vec<u8>), Trouble> {
    let (name, value) = word.split_once(':').ok_or_else(|| {
        Trouble::usage(format!(
            "could not read {:?}: write it as \"If-Match: \\\"3\\\"\"",
            safe_text(&shorten(word, 60))
        ))
    })?;
    Ok((name.trim().to_owned(), value.trim().as_bytes().to_vec()))
}

/// Everything but what stands for itself in a query (RFC 3986, unreserved) goes as `%XX`.
fn with_query(url: String, fields: &[(String, Value)]) -> String {
    let encoded = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        text.bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(&text(value))));
    let query: Vec<String> = pairs.collect();
    if query.is_empty() {
        return url;
    }
    let between = if url.contains('?') { '&' } else { '?' };
    format!("{url}{between}{}", query.join("&"))
}

/// JSON over several lines that moves nothing on a terminal.
fn plain_json(value: &ValueMap) -> String {
    json_in_sight(&serde_json::to_string_pretty(value).unwrap_or_default(), is_unseen)
}

/// The form of a response, which decides how it is shown.
enum Kind {
    Json,
    /// Events, of which each is shown as one line of what it says.
    Events,
    Text,
}

struct Heard {
    out: Output,
    status: u16,
    kind: Kind,
    text: Vec<u8>,
    cut: bool,
}

impl Heard {
    fn take(&mut self, heard: &HttpHeard<'_>) -> ControlFlow<()> {
        match heard {
            HttpHeard::Head(status, kind) => {
                self.status = *status;
                self.kind = match *kind {
                    "text/event-stream" => Kind::Events,
                    kind if kind.ends_with("json") => Kind::Json,
                    _ => Kind::Text,
                };
            }
            HttpHeard::Body(bytes) => {
                self.text.extend_from_slice(bytes);
                if !matches!(self.kind, Kind::Json) {
                    self.lines();
                }
                if self.text.len() > ANSWER_BYTES_MAX {
                    self.cut = true;
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Shows all lines that are whole.
    fn lines(&mut self) {
        while let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            self.line(&line);
        }
    }

    fn line(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        match self.kind {
            Kind::Events => {
                if let Some(said) = line.strip_prefix("data:") {
                    self.out.line(&safe_text(said.trim_start()));
                }
            }
            Kind::Json | Kind::Text => self.out.line(&safe_text(line)),
        }
    }

    /// Shows what is left; the answer decides how we end.
    fn end(mut self) -> Outcome {
        let text = std::mem::take(&mut self.text);
        if self.cut {
            return Err(Trouble::failed(format!(
                "could not show the answer: it has more than {} MiB; ask for less",
                ANSWER_BYTES_MAX >> 20
            )));
        }
        let value: Option<ValueMap> = match self.kind {
            Kind::Json => serde_json::from_slice(&text).ok(),
            Kind::Events | Kind::Text => None,
        };
        match &value {
            Some(value) => self.out.line(&plain_json(value)),
            None if text.is_empty() => {}
            None => String::from_utf8_lossy(&text).lines().for_each(|line| self.line(line.as_bytes())),
        }
        if (200..300).contains(&self.status) {
            return Ok(ExitCode::SUCCESS);
        }
        let told = value.as_ref().and_then(|value| value.get("message")?.as_str());
        let why = told.map_or_else(|| "could not have it done".to_owned(), str::to_owned);
        say(&format!("{why} (HTTP {})", self.status));
        Ok(ExitCode::FAILURE)
    }
}
