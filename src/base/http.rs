//! A request that a step sends, wholly resolved: part of its launch, so that what people approve is what is
//! sent. Secrets stand in it by name.
//!
//! `tool` decides if it may be sent, and sends it. `plan` makes its texts.

use crate::{Digest, HTTP_BODY_BYTES_MAX, TextPart, Value, safe_text, shorten};
use serde::{Deserialize, Serialize};

/// Lines of a body that people see.
const BODY_LINES_SHOWN: usize = 20;
/// Characters of each such line.
const BODY_LINE_CHARS_SHOWN: usize = 500;

/// One HTTP request of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCall {
    /// The HTTP method: `GET`.
    pub method: String,
    /// The address. The part up to the end of the host holds no secret.
    pub url: Vec<TextPart>,
    /// Header fields, as they are sent beside those of every request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Vec<TextPart>)>,
    /// The body of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The conditions under which an answer counts as success.
    #[serde(default, skip_serializing_if = "HttpExpect::is_default")]
    pub expect: HttpExpect,
    /// Redirects that are followed, each checked as the first address was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redirects: u8,
    /// Bytes that an answer may have.
    #[serde(default = "bytes_max_default")]
    pub bytes_max: u64,
    /// True if `Idempotency-Key` is sent: the same over all attempts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keyed: bool,
    /// True if the host comes from another step's output; then the workspace has to name the host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign_host: bool,
}

/// The conditions under which an answer counts as success.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpExpect {
    /// Status codes; empty means 200 to 299.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// Paths into the JSON answer, `data.items[0].state`, and the values they must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<(String, Value)>,
}

impl HttpExpect {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl HttpCall {
    /// The address with its secrets as names.
    pub fn shown_url(&self) -> String {
        shown(&self.url)
    }

    /// The target, as breakers and buckets count it: scheme, host and port, `https://api.example.com`.
    pub fn target(&self) -> String {
        let clear = match self.url.first() {
            Some(TextPart::Text(text)) => text.as_str(),
            Some(TextPart::Secret(_)) | None => "",
        };
        let end = past_host(clear).unwrap_or(clear.len());
        let origin = clear[..end].to_ascii_lowercase();
        let default_port = if origin.starts_with("https:") { ":443" } else { ":80" };
        origin.strip_suffix(default_port).unwrap_or(&origin).to_owned()
    }

    /// All that is sent, for people: header fields in the clear, secrets by name, the body by length and
    /// hash.
    pub fn lines(&self) -> Vec<String> {
        let mut out: Vec<String> =
            self.headers.iter().map(|(name, parts)| format!("{name}: {}", shown(parts))).collect();
        let has_own = self.headers.iter().any(|header| header.0.eq_ignore_ascii_case("idempotency-key"));
        if self.keyed && !has_own {
            out.push("Idempotency-Key: the same for every attempt".to_owned());
        }
        if let (Some(body), Some(digest)) = (&self.body, self.body_digest()) {
            out.push(format!("body: {} bytes, sha256 {digest}", body.len()));
            let head: Vec<&str> = body.lines().take(BODY_LINES_SHOWN).collect();
            out.extend(
                head.iter().map(|text| format!("| {}", safe_text(&shorten(text, BODY_LINE_CHARS_SHOWN)))),
            );
            if body.lines().count() > head.len()
                || head.iter().any(|text| text.chars().count() > BODY_LINE_CHARS_SHOWN)
            {
                out.push("| … and more, which the hash stands for".to_owned());
            }
        }
        if !self.expect.status.is_empty() {
            let codes: Vec<String> = self.expect.status.iter().map(u16::to_string).collect();
            out.push(format!("expects: status {}", codes.join(", ")));
        }
        out.extend(self.expect.json.iter().map(|(path, value)| format!("expects: {path} = {value}")));
        if self.redirects > 0 {
            out.push(format!("follows: up to {} redirects", self.redirects));
        }
        if self.foreign_host {
            out.push("host: comes from another step".to_owned());
        }
        out
    }

    /// SHA-256 of the body; none without a body.
    pub fn body_digest(&self) -> Option<Digest> {
        self.body.as_ref().map(Digest::of)
    }
}

/// The place in an address at which scheme and host end, if a path, a query or a fragment follows them.
pub fn past_host(url: &str) -> Option<usize> {
    let host = url.find("://")? + 3;
    url[host..].find(['/', '?', '#']).map(|index| host + index)
}

/// A text with its secrets as names.
fn shown(parts: &[TextPart]) -> String {
    let part = |part: &TextPart| match part {
        TextPart::Text(text) => safe_text(text),
        TextPart::Secret(name) => format!("‹secret {}›", safe_text(name)),
    };
    parts.iter().map(part).collect()
}

fn bytes_max_default() -> u64 {
    HTTP_BODY_BYTES_MAX
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(byte: &u8) -> bool {
    *byte == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(url: Vec<TextPart>) -> HttpCall {
        HttpCall {
            method: "GET".to_owned(),
            url,
            headers: Vec::new(),
            body: None,
            expect: HttpExpect::default(),
            redirects: 0,
            bytes_max: HTTP_BODY_BYTES_MAX,
            keyed: false,
            foreign_host: false,
        }
    }

    #[test]
    fn a_target_is_scheme_host_and_an_unusual_port() {
        let target = |url: &str| call(vec![TextPart::Text(url.to_owned())]).target();
        assert_eq!(target("https://API.example.com/v1?x"), "https://api.example.com");
        assert_eq!(target("https://api.example.com:443"), "https://api.example.com");
        assert_eq!(target("http://[::1]:8080/"), "http://[::1]:8080");
        assert_eq!(target("http://a:80?x"), "http://a");
    }

    #[test]
    fn people_see_secrets_by_name_and_the_body_by_its_hash() {
        let text = |text: &str| TextPart::Text(text.to_owned());
        let parts = vec![text("Bearer "), TextPart::Secret("TOKEN".to_owned())];
        let url = vec![text("https://a/"), TextPart::Secret("PATH".to_owned())];
        let headers = vec![("Authorization".to_owned(), parts)];
        let call = HttpCall { headers, body: Some("abc".to_owned()), keyed: true, ..call(url) };
        assert_eq!(call.shown_url(), "https://a/‹secret PATH›");
        let lines = call.lines().join("\n");
        assert!(lines.starts_with("Authorization: Bearer ‹secret TOKEN›\nIdempotency-Key:"), "{lines}");
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(lines.ends_with(&format!("body: 3 bytes, sha256 {hash}\n| abc")), "{lines}");
        let own = vec![("idempotency-key".to_owned(), vec![text("7")])];
        assert_eq!(HttpCall { headers: own, body: None, ..call }.lines(), ["idempotency-key: 7"]);
    }
}
