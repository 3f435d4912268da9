//! One request to where somebody at a terminal has said, and what comes back as it comes.
//!
//! Nothing is kept of it, and where it may go is that person's matter: no step and no workflow gets here.

use super::{Exchange, HttpPolicy, Post, connection::Door};
use std::ops::ControlFlow;

/// A request to send.
#[derive(Debug)]
pub struct HttpVisit {
    /// HTTP method, for example `GET`.
    pub method: &'static str,
    /// The complete address, including the query.
    pub url: String,
    /// Fields beside the usual ones. None is ever shown.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Body of the request.
    pub body: Vec<u8>,
    /// Destinations that are allowed.
    pub policy: HttpPolicy,
}

/// Parts of the answer: first its head, then one stretch after the other.
#[derive(Debug)]
pub enum HttpHeard<'a> {
    /// The status, and the kind of what follows: `application/json`.
    Head(u16, &'a str),
    /// Bytes of the body.
    Body(&'a [u8]),
}

/// Asks, and tells what is heard until its end or until nobody wants more.
///
/// # Errors
/// When it could not be reached, or broke off.
pub async fn visit_http(
    visit: HttpVisit,
    mut heard: impl FnMut(HttpHeard<'_>) -> ControlFlow<()>,
) -> Result<(), String> {
    let door = Door::new(visit.policy);
    let post = Post {
        method: visit.method,
        url: &visit.url,
        fields: &[],
        own: &visit.fields,
        private: None,
        accept: "application/json, text/event-stream, text/plain",
        json: visit.body,
    };
    let mut is_sent = false;
    let begun = Exchange::begin(&door, post, &mut is_sent).await;
    let mut exchange = begun.map_err(|error| error.message)?;
    let head = HttpHeard::Head(exchange.status().as_u16(), exchange.kind());
    if heard(head).is_break() {
        return Ok(());
    }
    while let Some(bytes) = exchange.next().await {
        if heard(HttpHeard::Body(&bytes.map_err(|error| error.message)?)).is_break() {
            return Ok(());
        }
    }
    Ok(())
}
