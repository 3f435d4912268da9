//! The port: who is let in, how many at once, and how long each may take to say what they want.

use super::{
    door::{Door, HttpSetup},
    routes::router,
};
use crate::runtime::{LocalDesk, Tasks};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Connections at once.
const CONNECTIONS_MAX: usize = 1000;
/// How long a request may take to be sent; also how long a connection may be silent.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Bytes of the line and the fields of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Fields of a request.
const FIELDS_MAX: usize = 64;
/// After a failure to accept (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long answers that are under way get when the engine ends.
const FAREWELL_MAX: Duration = Duration::from_secs(3);

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Whether this machine alone can reach an address.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Listens until `closing`; the address it has comes back, also where the port was left to the system.
///
/// # Errors
/// When the port cannot be had.
pub async fn serve_http(
    address: SocketAddr,
    setup: HttpSetup,
    desk: LocalDesk,
    tasks: &Tasks,
    closing: CancellationToken,
) -> Result<SocketAddr, String> {
    let said = |it: std::io::Error| {
        format!("could not listen at {address}: {it}; choose another port with --listen")
    };
    let listener = TcpListener::bind(address).await.map_err(said)?;
    let bound = listener.local_addr().map_err(said)?;
    let door = Arc::new(Door::new(desk, setup, is_loopback(bound), closing.clone()));
    let (router, all) = (router(&door), tasks.clone());
    tasks.spawn(async move {
        tokio::select! {
            () = closing.cancelled() => {}
            () = accept_all(listener, router, all, closing.clone()) => {}
        }
    });
    Ok(bound)
}

async fn accept_all(listener: TcpListener, router: Router, tasks: Tasks, closing: CancellationToken) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Whoever comes when all places are taken waits in the queue of the system, and sees that.
        let Ok(place) = free.clone().acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // What cannot be set costs a little time and nothing else.
        stream.set_nodelay(true).unwrap_or_default();
        let service =
            TowerToHyperService::new(router.clone().layer(Extension(Peer(peer.ip().to_canonical()))));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .max_header_size(HEAD_BYTES_MAX)
            .max_headers(FIELDS_MAX);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let closing = closing.clone();
        tasks.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                // What went wrong on a line is a matter of whoever is at its other end.
                done = connection.as_mut() => drop(done),
                () = closing.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    drop(timeout(FAREWELL_MAX, connection).await);
                }
            }
            drop(place);
        });
    }
}
