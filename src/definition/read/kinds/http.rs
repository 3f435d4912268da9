//! A request: its address, headers, body, and the answer that is expected.

use crate::document::{EXPECT, HTTP, METHODS};
use crate::read::fields::{Object, Reader, one_or_many};
use crate::yaml::Node;
use crate::{Body, Http, Text};
use cuelight_base::{HTTP_REDIRECTS_MAX, shorten};

/// Header fields that follow from the request itself, or from the connection.
const OWN_FIELDS: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
    "proxy-connection",
];

/// One request, of a step or of a tool.
pub(in crate::read) fn http(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Http> {
    let found = reader.object(node, &HTTP)?;
    let method = found.get("method").and_then(|method| reader.one_of(method, "`method`", METHODS, METHODS));
    let (url, headers) = address(reader, &found);
    let body = body(reader, &found, method.unwrap_or("GET"));
    let (mut expect_status, mut expect_json) = (Vec::new(), Vec::new());
    if let Some(expect) = found.get("expect").and_then(|node| reader.object(node, &EXPECT)) {
        for item in expect.get("status").map(one_or_many).unwrap_or_default() {
            let code = reader.whole(item, "a status", 100, 599).and_then(|number| u16::try_from(number).ok());
            expect_status.extend(code);
        }
        if let Some(node) = expect.get("json") {
            expect_json = reader.values(node, "`json` is a mapping of paths to values");
        }
    }
    let redirects = found
        .get("redirects")
        .and_then(|redirects| reader.small(redirects, "`redirects`", 0, HTTP_REDIRECTS_MAX));
    let bytes_max = found.get("max-bytes").and_then(|max_bytes| reader.size(max_bytes, "`max-bytes`"));
    let method = method.unwrap_or("GET").to_owned();
    let redirects = redirects.and_then(|redirects| u8::try_from(redirects).ok()).unwrap_or_default();
    Some(Http { method, url: url?, headers, body, expect_status, expect_json, redirects, bytes_max })
}

/// The address of an MCP server: only a URL and header fields.
pub(in crate::read) fn server_address(reader: &mut Reader<'_, '_>, found: &Object<'_>) -> Option<Http> {
    let (url, headers) = address(reader, found);
    Some(Http {
        method: "POST".to_owned(),
        url: url?,
        headers,
        body: None,
        expect_status: Vec::new(),
        expect_json: Vec::new(),
        redirects: 0,
        bytes_max: None,
    })
}

/// The URL of a request and its header fields.
fn address(reader: &mut Reader<'_, '_>, found: &Object<'_>) -> (Option<Text>, Vec<(String, Text)>) {
    let url = found.get("url").and_then(|url| reader.text(url, "a url"));
    if let Some(url) = &url {
        check_url(reader, url);
    }
    let mut headers = Vec::new();
    if let Some(node) = found.get("headers") {
        for entry in reader.entries(node, "`headers` is a mapping of names to texts") {
            let fits = !entry.key.is_empty()
                && entry.key.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
            if !fits {
                let message = format!("`{}` is no name of a header field", shorten(&entry.key, 60));
                reader.findings.error("id", entry.place, message);
            }
            if OWN_FIELDS.iter().any(|field| entry.key.eq_ignore_ascii_case(field)) {
                let message = format!("`{}` is written by the request itself", shorten(&entry.key, 60));
                reader.findings.error("value", entry.place, message).help("remove it");
            }
            headers.extend(reader.text(&entry.value, "a header field").map(|text| (entry.key.clone(), text)));
        }
    }
    (url, headers)
}

fn check_url(reader: &mut Reader<'_, '_>, url: &Text) {
    let known = url.value.starts_with("https://") || url.value.starts_with("http://");
    if !known && !url.value.trim_start().starts_with("${{") {
        reader.findings.error("value", url.place, "a url begins with https:// or http://");
    } else if url.value.starts_with("http://")
        && !url.value[7..].starts_with("localhost")
        && !url.value[7..].starts_with("127.")
    {
        reader
            .findings
            .warning("value", url.place, "this request is not encrypted")
            .help("use https:// unless the other side is on this machine");
    }
}

fn body(reader: &mut Reader<'_, '_>, found: &Object<'_>, method: &str) -> Option<Body> {
    let (text, json) = (found.get("body"), found.get("json"));
    let place = found.key_place("json").or_else(|| found.key_place("body"))?;
    if text.is_some() && json.is_some() {
        reader
            .findings
            .error("kind", place, "a request has `body` or `json`, not both")
            .help("remove one of the two");
    } else if matches!(method, "GET" | "HEAD") {
        let message = format!("a {method} request has no body");
        reader.findings.error("value", place, message).help("set `method: POST`, or remove it");
    }
    match (text, json) {
        (Some(node), _) => reader.text(node, "a body").map(Body::Text),
        (None, Some(node)) => Some(Body::Json(reader.data(node))),
        (None, None) => None,
    }
}
