//! The template of a request as the file has it, and its resolution to the request that is sent.
//!
//! A value is data: after the host it is percent-encoded, in the host it may be nothing but a host, in a
//! header field it may not begin another line. The values come from an implementation of [`Answers`].

use cuelight_base::{
    HTTP_URL_BYTES_MAX, HttpCall, HttpExpect, OUTPUT_BYTES_MAX, TextPart, Value, past_host, safe_text,
    shorten,
};
use cuelight_expression::{Expr, Hole, Part, Template};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// One request of a step or of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpWork {
    /// The HTTP method: `GET`.
    pub method: String,
    /// The address; a template.
    pub url: String,
    /// Header fields: name, template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<HttpBody>,
    /// The conditions of success; every text among the values is a template.
    #[serde(default)]
    pub expect: HttpExpect,
    /// Redirects that are followed.
    #[serde(default)]
    pub redirects: u8,
    /// Bytes that an answer may have.
    pub bytes_max: u64,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpBody {
    /// A text that is a template.
    Text(String),
    /// A value; every text in it is a template.
    Json(Value),
}

/// Fills the holes of a request.
pub trait Answers {
    /// Why it could not.
    type Error: From<String>;
    /// The value of a hole as text.
    fn text(&self, hole: &Hole) -> Result<String, Self::Error>;
    /// A value all of whose texts are templates.
    fn deep(&self, value: &Value) -> Result<Value, Self::Error>;
    /// The text parts that a hole stands for if it may hold secrets; none when it holds none.
    fn secret(&self, hole: &Hole) -> Option<Vec<TextPart>>;
    /// True if a value that it reads comes from another step, a model or the network.
    fn is_foreign(&self, expr: &Expr) -> bool;
}

impl HttpWork {
    /// The request with every hole filled.
    ///
    /// # Errors
    /// The value that cannot be filled in, or would make another request of it.
    pub fn call<A: Answers>(&self, of: &A) -> Result<HttpCall, A::Error> {
        let (url, foreign_host) = self.address(of)?;
        let mut headers = Vec::new();
        for (name, template) in &self.headers {
            let parts = parts(of, template)?;
            let holds = |part: &TextPart| match part {
                TextPart::Text(text) => text.chars().any(|c| c.is_control() && c != '\t'),
                TextPart::Secret(_) => false,
            };
            if parts.iter().any(holds) {
                let why = "holds a line break or another control character, which no header field can";
                return Err(format!("the header field {name} {why}").into());
            }
            if !parts.is_empty() {
                headers.push((name.clone(), parts));
            }
        }
        let has = |name: &str| self.headers.iter().any(|header| header.0.eq_ignore_ascii_case(name));
        let (body, kind) = match &self.body {
            None => (None, ""),
            Some(HttpBody::Text(template)) => (Some(text(of, template)?), "text/plain; charset=utf-8"),
            Some(HttpBody::Json(value)) => (Some(of.deep(value)?.to_string()), "application/json"),
        };
        if let Some(body) = &body {
            if body.len() > OUTPUT_BYTES_MAX {
                let bytes = body.len();
                return Err(format!(
                    "its body has {bytes} bytes, more than {OUTPUT_BYTES_MAX}; send a file in a `run` step"
                )
                .into());
            }
            if !has("content-type") {
                headers.push(("Content-Type".to_owned(), vec![TextPart::Text(kind.to_owned())]));
            }
        }
        let json = self.expect.json.iter().map(|(path, value)| Ok((path.clone(), of.deep(value)?)));
        let json = json.collect::<Result<_, A::Error>>()?;
        Ok(HttpCall {
            method: self.method.clone(),
            url,
            headers,
            body,
            expect: HttpExpect { status: self.expect.status.clone(), json },
            redirects: self.redirects,
            bytes_max: self.bytes_max,
            keyed: false,
            foreign_host,
        })
    }

    /// The address, and whether its host comes from elsewhere.
    fn address<A: Answers>(&self, of: &A) -> Result<(Vec<TextPart>, bool), A::Error> {
        let template = Template::parse(&self.url).map_err(|error| error.to_string())?;
        let (mut parts, mut clear, mut is_foreign) = (Vec::new(), String::new(), false);
        for part in template.parts() {
            let hole = match part {
                Part::Text(text) => {
                    push(&mut parts, text);
                    clear.push_str(text);
                    continue;
                }
                Part::Hole(hole) => hole,
            };
            let is_past = past_host(&clear).is_some();
            if let Some(secret) = of.secret(hole) {
                if !is_past && !secret.is_empty() {
                    return Err(
                        "a secret stands in its address before the path; write scheme and host in the clear"
                            .to_owned()
                            .into(),
                    );
                }
                parts.extend(secret);
                continue;
            }
            let value = of.text(hole)?;
            let value = if is_past {
                encoded(&value)
            } else {
                is_foreign |= of.is_foreign(&hole.expr);
                let is_host =
                    |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
                if !clear.is_empty() && !value.chars().all(is_host) {
                    let shown = safe_text(&shorten(&value, 60));
                    return Err(format!(
                        "`{shown}` cannot be part of a host; end the host with `/` before the expression"
                    )
                    .into());
                }
                value
            };
            push(&mut parts, &value);
            clear.push_str(&value);
        }
        checked(&clear).map_err(A::Error::from)?;
        Ok((parts, is_foreign))
    }
}

/// An address is one line of what may stand in one, with a host and nobody's password.
fn checked(url: &str) -> Result<(), String> {
    let shown = || safe_text(&shorten(url, 100));
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(format!("its address `{}` begins with neither https:// nor http://", shown()));
    }
    if url.len() > HTTP_URL_BYTES_MAX {
        return Err(format!("its address has {} bytes, more than {HTTP_URL_BYTES_MAX}", url.len()));
    }
    if let Some(odd) = url.chars().find(|c| c.is_whitespace() || c.is_control() || "\\\"<>^`{|}".contains(*c))
    {
        let odd = safe_text(&odd.to_string());
        return Err(format!("its address `{}` holds `{odd}`, which no address can", shown()));
    }
    let host = &url[url.find("://").map_or(0, |index| index + 3)..past_host(url).unwrap_or(url.len())];
    if host.is_empty() || host.contains('@') || !host.is_ascii() {
        return Err(format!(
            "its address `{}` has no plain host; write names of other scripts as xn--…, and credentials as a header field",
            shown()
        ));
    }
    Ok(())
}

/// A template where secrets may stand.
fn parts<A: Answers>(of: &A, template: &str) -> Result<Vec<TextPart>, A::Error> {
    let template = Template::parse(template).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    for part in template.parts() {
        match part {
            Part::Text(text) => push(&mut out, text),
            Part::Hole(hole) => match of.secret(hole) {
                Some(secret) => out.extend(secret),
                None => push(&mut out, &of.text(hole)?),
            },
        }
    }
    Ok(out)
}

fn text<A: Answers>(of: &A, template: &str) -> Result<String, A::Error> {
    let template = Template::parse(template).map_err(|error| error.to_string())?;
    let mut out = String::new();
    for part in template.parts() {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Hole(hole) => out.push_str(&of.text(hole)?),
        }
    }
    Ok(out)
}

/// Adds text; stretches of it are one, so that the same request has one form.
fn push(parts: &mut Vec<TextPart>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(TextPart::Text(last)) => last.push_str(text),
        Some(TextPart::Secret(_)) | None => parts.push(TextPart::Text(text.to_owned())),
    }
}

/// Percent-encoded but for what RFC 3986 calls unreserved.
fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String succeeds");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::{HTTP_BODY_BYTES_MAX, ValueMap};
    use cuelight_expression::{MapLookup, evaluate_text};
    use serde_json::json;

    struct Inputs(MapLookup);

    impl Answers for Inputs {
        type Error = String;
        fn text(&self, hole: &Hole) -> Result<String, String> {
            evaluate_text(&hole.expr, &self.0).map_err(|error| error.to_string())
        }
        fn deep(&self, value: &Value) -> Result<Value, String> {
            Ok(value.clone())
        }
        fn secret(&self, hole: &Hole) -> Option<Vec<TextPart>> {
            hole.source.strip_prefix("secrets.").map(|rest| vec![TextPart::Secret(rest.to_owned())])
        }
        fn is_foreign(&self, expr: &Expr) -> bool {
            expr.references().iter().any(|reference| reference.root == "steps")
        }
    }

    fn request(url: &str, header: &str, value: &str) -> Result<HttpCall, String> {
        let contexts = json!({"inputs": {"x": value}, "steps": {"x": value}});
        let Value::Object(contexts) = contexts else { return Err(String::new()) };
        let work = HttpWork {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: vec![("X-Note".to_owned(), header.to_owned())],
            body: None,
            expect: HttpExpect::default(),
            redirects: 0,
            bytes_max: HTTP_BODY_BYTES_MAX,
        };
        work.call(&Inputs(MapLookup::new(ValueMap::from_iter(contexts))))
    }

    #[track_caller]
    fn url(template: &str, value: &str, expected: &str) {
        let shown = request(template, "", value).map_or_else(|why| why, |request| request.shown_url());
        assert!(shown.contains(expected), "{template} with {value:?}: {shown}");
    }

    #[test]
    fn a_value_in_an_address_stays_a_value() {
        url(
            "https://a.test/v/${{ inputs.x }}?q=${{ inputs.x }}",
            "a/../b?c=d&e#f",
            "/v/a%2F..%2Fb%3Fc%3Dd%26e%23f?q=a%2F..%2Fb",
        );
        url("https://a.test/${{ inputs.x }}", "x\r\nHost: evil", "/x%0D%0AHost%3A%20evil");
        url("${{ inputs.x }}/v1", "https://a.test", "https://a.test/v1");
        url("https://${{ inputs.x }}/v1", "a.test:8443", "https://a.test:8443/v1");
        for evil in ["a.test/evil", "good@evil", "a#@b", "a\\@b", "a b"] {
            url("https://${{ inputs.x }}/v1", evil, "cannot be part of a host");
        }
        url("https://a.test${{ inputs.x }}", "/v1", "end the host with `/`");
        for evil in [
            "https://good@127.0.0.1/",
            "gopher://a",
            "https:///x",
            "//a",
            "https://a.test/\r\nx",
            "http://good\\@evil",
        ] {
            assert!(request("${{ inputs.x }}", "", evil).is_err(), "{evil}");
        }
    }

    #[test]
    fn a_secret_stands_after_the_host_and_is_never_filled_in() {
        url("https://a.test/${{ secrets.PATH }}", "", "https://a.test/‹secret PATH›");
        url("https://${{ secrets.HOST }}/", "", "a secret stands in its address before the path");
    }

    #[test]
    fn a_header_field_is_one_line() {
        let header = |value: &str| {
            request("https://a.test/", "n ${{ inputs.x }}", value).map(|request| request.headers)
        };
        assert_eq!(
            header("ü\t1"),
            Ok(vec![("X-Note".to_owned(), vec![TextPart::Text("n ü\t1".to_owned())])])
        );
        for evil in ["a\r\nAuthorization: x", "a\nb", "a\0", "a\u{7f}"] {
            assert!(header(evil).is_err_and(|error| error.contains("X-Note holds a line break")), "{evil:?}");
        }
        assert_eq!(
            request("https://a.test/", "${{ inputs.x }}", "").map(|request| request.headers),
            Ok(vec![])
        );
    }

    #[test]
    fn a_host_from_another_step_is_known_as_one() {
        let foreign = |url: &str| request(url, "", "https://a.test").map(|request| request.foreign_host);
        assert_eq!(foreign("${{ steps.x }}"), Ok(true));
        assert_eq!(foreign("${{ inputs.x }}"), Ok(false));
        assert_eq!(foreign("https://a.test/${{ steps.x }}"), Ok(false));
    }
}
