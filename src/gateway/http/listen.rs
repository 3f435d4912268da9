//! The port: who is let in, how many at once, and how long each may take for a request.

use super::{
    door::{Door, HttpSetup, Life, StepJudge},
    router::router,
    routes::body_schemas,
    strangers::{Peer, Strangers},
    tls::{H2, acceptor},
};
use crate::token::token_of_spawned;
use axum::{Extension, Router};
use cuelight_base::{AttemptId, SpawnedAgent};
use cuelight_runtime::{AgentDoor, Clock as _, Entropy, LocalDesk, SystemClock, Tasks, TcpPeer};
use cuelight_store::{TokenKeys, Workspace};
use hyper::{
    rt::Executor,
    server::conn::{http1, http2},
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{Notify, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Bytes of the line and the fields of a request.
const HEAD_BYTES_MAX: u16 = 16 * 1024;
/// Fields of a request.
const FIELDS_MAX: usize = 64;
/// Requests at once on a connection of HTTP/2.
const STREAMS_MAX: u32 = 32;
/// Lifetime of streams on an idle HTTP/2 connection; a client that follows continues on another one.
const STREAM_MAX: Duration = Duration::from_hours(1);
/// Bytes of an answer of HTTP/2 that wait for its reader.
const SEND_BYTES_MAX: usize = 256 * 1024;
/// After a failure to accept (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time for answers in progress when the engine ends.
const FAREWELL_MAX: Duration = Duration::from_secs(3);

/// True if only this machine can reach an address.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Listens until `closing`; the address it has comes back, also where the port was left to the system.
///
/// # Errors
/// When the port cannot be had, or what it should encrypt with.
pub async fn serve_http(
    address: SocketAddr,
    setup: HttpSetup,
    desk: LocalDesk,
    tasks: &Tasks,
    closing: CancellationToken,
) -> Result<SocketAddr, String> {
    serve_http_judged_by(TcpPeer::is_of_a_step, address, setup, desk, tasks, closing).await
}

/// The same with another judge, for tests: there the engine and the person who asks it are one process. The wall of words
/// (`tests/it/architecture.rs`) keeps it out of the program.
///
/// # Errors
/// The same errors as those of [`serve_http`].
pub async fn serve_http_judged_by(
    judge: StepJudge,
    address: SocketAddr,
    setup: HttpSetup,
    desk: LocalDesk,
    tasks: &Tasks,
    closing: CancellationToken,
) -> Result<SocketAddr, String> {
    let said = |error: std::io::Error| {
        format!("could not listen at {address}: {error}; choose another port with --listen")
    };
    let tls = setup.tls.clone().map(acceptor).transpose()?;
    let listener = TcpListener::bind(address).await.map_err(said)?;
    let bound = listener.local_addr().map_err(said)?;
    let (patience, connections) = (setup.patience, setup.places.connections);
    let agents = AgentDoor::new(url_for_agents(&setup, bound), mint(setup.workspace.clone()));
    let life = Life { tasks: tasks.clone(), closing: closing.clone() };
    let door = Arc::new(Door::new(desk, setup, (is_loopback(bound), judge), life, body_schemas()?));
    door.desk.answer_agents(Some(agents));
    let port = Port {
        router: router(&door),
        tls,
        patience,
        connections,
        tasks: tasks.clone(),
        closing: closing.clone(),
    };
    tasks.spawn(async move {
        tokio::select! {
            () = closing.cancelled() => {}
            () = port.accept_all(listener) => {}
        }
    });
    Ok(bound)
}

/// Our address for agents of this machine; the loopback address if we listen everywhere.
fn url_for_agents(setup: &HttpSetup, bound: SocketAddr) -> String {
    if let Some(said) = &setup.agents_url {
        return said.clone();
    }
    let scheme = if setup.tls.is_some() { "https" } else { "http" };
    let here = match bound.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::from(Ipv6Addr::LOCALHOST),
        other => other,
    };
    format!("{scheme}://{}", SocketAddr::new(here, bound.port()))
}

/// Makes tokens with the key that signs at that moment.
fn mint(workspace: Workspace) -> impl Fn(&SpawnedAgent, AttemptId) -> Result<String, String> + Send + Sync {
    move |agent, call| {
        let keys = TokenKeys::of(&workspace).map_err(|error| error.to_string())?;
        let keys = keys.ok_or("no key signs its token; `cuelight token keys new` makes one")?;
        let (now, id) = (SystemClock.now(), Entropy.request_id().0);
        token_of_spawned(&keys, agent, call, (now, id))
    }
}

/// The state that all connections share.
#[derive(Clone)]
struct Port {
    router: Router,
    tls: Option<TlsAcceptor>,
    /// Timeout for a request to arrive; also for a silent connection.
    patience: Duration,
    /// Limit of connections at once.
    connections: usize,
    tasks: Tasks,
    closing: CancellationToken,
}

impl Port {
    async fn accept_all(&self, listener: TcpListener) {
        let free = Arc::new(Semaphore::new(self.connections));
        let strangers = Strangers::default();
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            if free.available_permits() == 0 {
                strangers.make_room();
            }
            // Where all are known, whoever comes waits, and all after them in the queue of the system.
            let Ok(place) = free.clone().acquire_owned().await else { return };
            // What cannot be set costs a little time and nothing else.
            stream.set_nodelay(true).unwrap_or_default();
            let address = peer.ip().to_canonical();
            let stranger = strangers.came(address, self.connections);
            let port = self.clone();
            let ends = stream.local_addr().ok().map(|value| TcpPeer::new(value, peer));
            let peer = Peer { address, stranger: stranger.clone(), ends };
            self.tasks.spawn(async move {
                tokio::select! {
                    () = port.answer(stream, peer) => {}
                    () = stranger.is_sent_away() => {}
                }
                stranger.is_known();
                drop(place);
            });
        }
    }

    /// Serves a connection to its end. An error on it concerns its client alone.
    async fn answer(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin, peer: Peer) {
        let router = self.router.clone().layer(Extension(peer));
        let Some(tls) = &self.tls else { return self.http1(stream, router).await };
        let agreed = tokio::select! {
            () = self.closing.cancelled() => return,
            agreed = timeout(self.patience, tls.accept(stream)) => agreed,
        };
        let Ok(Ok(stream)) = agreed else { return };
        if stream.get_ref().1.alpn_protocol() == Some(H2) {
            self.http2(stream, router).await;
        } else {
            self.http1(stream, router).await;
        }
    }

    async fn http1(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin, router: Router) {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.patience)
            .max_header_size(usize::from(HEAD_BYTES_MAX))
            .max_headers(FIELDS_MAX);
        let service = TowerToHyperService::new(router);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            done = connection.as_mut() => drop(done),
            () = self.closing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                drop(timeout(FAREWELL_MAX, connection).await);
            }
        }
    }

    async fn http2(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin, router: Router) {
        let mut http = http2::Builder::new(OnTasks(self.tasks.clone()));
        http.timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::from(HEAD_BYTES_MAX))
            .max_send_buf_size(SEND_BYTES_MAX)
            .keep_alive_interval(self.patience)
            .keep_alive_timeout(self.patience);
        let busy = Arc::new(Busy::default());
        let service = {
            let (router, busy) = (TowerToHyperService::new(router), Arc::clone(&busy));
            service_fn(move |request| {
                let (asked, busy) = (router.call(request), Arc::clone(&busy));
                async move {
                    let _one = busy.one();
                    asked.await
                }
            })
        };
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            done = connection.as_mut() => return drop(done),
            () = self.closing.cancelled() => {}
            () = busy.idle_for(self.patience) => {
                if !busy.began.load(Relaxed) {
                    // Whoever has not asked anything may not even have said how it speaks, and never do so.
                    return;
                }
                // Streams that are under way go on to their end; no other is begun here.
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    done = connection.as_mut() => return drop(done),
                    () = sleep(STREAM_MAX) => return,
                    () = self.closing.cancelled() => {}
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        drop(timeout(FAREWELL_MAX, connection).await);
    }
}

/// Streams of a connection are tasks like all others, so that each is joined before the program ends.
#[derive(Clone)]
struct OnTasks(Tasks);

impl<F> Executor<F> for OnTasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(self.0.spawn(future));
    }
}

/// Counts the requests of a connection that are being answered.
#[derive(Default)]
struct Busy {
    now: AtomicUsize,
    /// True once the connection had a request.
    began: AtomicBool,
    changed: Notify,
}

impl Busy {
    fn one(&self) -> One<'_> {
        self.began.store(true, Relaxed);
        self.now.fetch_add(1, Relaxed);
        self.changed.notify_one();
        One(self)
    }

    /// Until none was for so long.
    async fn idle_for(&self, silence: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.now.load(Relaxed) > 0 {
                changed.await;
            } else if timeout(silence, changed).await.is_err() {
                return;
            }
        }
    }
}

/// One of them, until its head is answered or nobody waits for it any more.
struct One<'a>(&'a Busy);

impl Drop for One<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Relaxed);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_agrees_on_http2_and_never_says_a_word_does_not_keep_a_place() {
        let port = Port {
            router: Router::new(),
            tls: None,
            patience: Duration::from_secs(30),
            connections: 1,
            tasks: Tasks::default(),
            closing: CancellationToken::new(),
        };
        let (ours, _theirs) = tokio::io::duplex(1024);
        let silent = timeout(Duration::from_mins(1), port.http2(ours, Router::new())).await;
        assert!(silent.is_ok(), "it is let go of");
    }
}
