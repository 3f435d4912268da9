//! One question and its answer, for those in this room who speak a format of their own over it: the same judgement
//! of where it goes, the same encryption, no redirects.

use super::{
    address::Address,
    connection::{Door, Line, broken},
    verdict::{self, Head},
};
use crate::{Failure, Secret};
use cuelight_base::{Span, shorten};
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT},
};

/// The request to send.
pub(crate) struct Post<'a> {
    /// HTTP method, for example `POST`.
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    pub(crate) fields: &'a [(&'static str, &'static str)],
    /// Fields whose values are known only now; any may be a secret.
    pub(crate) own: &'a [(String, Vec<u8>)],
    /// Name of a field, what stands before the secret in it, the secret.
    pub(crate) private: Option<(&'static str, &'static str, &'a Secret)>,
    /// Value of the `Accept` field.
    pub(crate) accept: &'static str,
    pub(crate) json: Vec<u8>,
}

/// A question that was sent, and an answer whose head has come.
pub(crate) struct Exchange {
    to: Address,
    line: Line,
    status: StatusCode,
    kind: String,
    headers: HeaderMap,
    retry_after: Option<Span>,
    body: Incoming,
}

impl Exchange {
    /// Looks where it goes, connects and sends. `is_sent` is set when a byte of it may have reached somebody.
    pub(crate) async fn begin(door: &Door, post: Post<'_>, is_sent: &mut bool) -> Result<Self, Failure> {
        let to = Address::parse(post.url).map_err(Failure::invalid)?;
        door.policy.check_host(&to, false)?;
        let request = post.request(&to)?;
        let addresses = door.addresses(&to).await?;
        let mut line = door.connect(&to, &addresses).await?;
        *is_sent = true;
        let response: Response<Incoming> = line.send(request).await.map_err(|error| broken(&to, &error))?;
        let (head, body) = response.into_parts();
        let kind = head.headers.get(CONTENT_TYPE).and_then(|header| header.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let retry_after = verdict::retry_after(head.status, &head.headers);
        Ok(Self { to, line, status: head.status, kind, headers: head.headers, retry_after, body })
    }

    /// `https://api.example.com`
    pub(crate) fn origin(&self) -> String {
        self.to.origin()
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// `text/event-stream`; empty when nothing is said.
    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    /// A field of its head, where that is text.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.headers.get(name).and_then(|header| header.to_str().ok()).map(str::to_owned)
    }

    /// Time that the server asks us to wait.
    pub(crate) fn retry_after(&self) -> Option<Span> {
        self.retry_after
    }

    /// Returns the failure that the status alone means, with the next step; `None` when it is a success.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        verdict::of_status(
            &Head { status: self.status, location: None },
            &cuelight_base::HttpExpect::default(),
        )
        .err()
    }

    /// True if the effect of the request is unknown.
    pub(crate) fn is_unknown(&self) -> bool {
        verdict::is_unknown(self.status)
    }

    /// The next stretch of the answer; none at its end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        let next = self.line.next(&mut self.body).await?;
        Some(next.map_err(|error| broken(&self.to, &error)))
    }
}

impl Post<'_> {
    fn request(&self, to: &Address) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::new(Full::new(Bytes::from(self.json.clone())));
        *request.method_mut() = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| Failure::invalid("its method cannot be sent"))?;
        *request.uri_mut() = to.path.parse().map_err(|_| Failure::invalid("its path cannot be sent"))?;
        let fields = request.headers_mut();
        let host = HeaderValue::from_str(&to.authority())
            .map_err(|_| Failure::invalid("its host cannot be sent"))?;
        fields.insert(HOST, host);
        fields.insert(ACCEPT, HeaderValue::from_static(self.accept));
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(USER_AGENT, HeaderValue::from_static(concat!("cuelight/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in self.fields {
            fields.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        for (name, value) in self.own {
            let named = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                Failure::invalid(format!("{:?} is no name of a header field", shorten(name, 60)))
            })?;
            let mut value = HeaderValue::from_bytes(value)
                .map_err(|_| Failure::invalid(format!("the header field {named} holds what no field can")))?;
            value.set_sensitive(true);
            fields.insert(named, value);
        }
        if let Some((name, before, secret)) = self.private {
            let value = [before.as_bytes(), secret.reveal()].concat();
            let mut value = HeaderValue::from_bytes(&value).map_err(|_| {
                Failure::invalid(
                    "its key holds what no header field can; write it again, without line breaks",
                )
            })?;
            value.set_sensitive(true);
            fields.insert(HeaderName::from_static(name), value);
        }
        Ok(request)
    }
}
