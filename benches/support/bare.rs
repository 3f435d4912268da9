//! The least that could do what the API does, as a yardstick: a server of the same library that gives JSON back (`/echo`), keeps events in synced
//! transactions, each for all who wait at that moment (`/publish`), and hands them to whoever follows (`/stream`). It knows no tokens, no schemas, no
//! projects, no filters and no past.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures_util::stream;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rusqlite::{Connection, params};
use serde_json::Value;
use std::{
    convert::Infallible,
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};
use tokio::{
    net::TcpListener,
    sync::{broadcast, oneshot},
};

/// Events that wait to be written, events of one transaction, and events that who follows may be behind.
const WAITING: usize = 8192;
const BATCH: usize = 1000;
const BEHIND: usize = 16_384;

type Job = (String, oneshot::Sender<u64>);

#[derive(Clone)]
struct Bare {
    writer: SyncSender<Job>,
    said: broadcast::Sender<Bytes>,
}

/// Serves until it is ended; says where.
pub(crate) async fn serve(dir: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("bare at {}", listener.local_addr().expect("an address"));
    let (writer, jobs) = sync_channel(WAITING);
    let (said, _) = broadcast::channel(BEHIND);
    let (connection, teller) = (opened(dir), said.clone());
    thread::spawn(move || write(connection, &jobs, &teller));
    let routes = Router::new()
        .route("/echo", post(echo))
        .route("/publish", post(publish))
        .route("/stream", get(follow))
        .with_state(Bare { writer, said });
    let service = TowerToHyperService::new(routes);
    loop {
        let (line, _) = listener.accept().await.expect("somebody");
        line.set_nodelay(true).expect("set");
        let service = service.clone();
        tokio::spawn(async move {
            drop(http1::Builder::new().serve_connection(TokioIo::new(line), service).await)
        });
    }
}

fn opened(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join("bare.db")).expect("a database");
    let mode: String = connection.query_row("PRAGMA journal_mode = wal", [], |row| row.get(0)).expect("set");
    assert_eq!(mode, "wal");
    let form = "PRAGMA synchronous = full; CREATE TABLE events (seq INTEGER PRIMARY KEY, body TEXT) STRICT";
    connection.execute_batch(form).expect("made");
    connection
}

/// Writes jobs to the database; all that have arrived meanwhile form the next transaction.
fn write(mut connection: Connection, jobs: &Receiver<Job>, said: &broadcast::Sender<Bytes>) {
    let mut seq = 0_i64;
    while let Ok(first) = jobs.recv() {
        let batch: Vec<Job> = [first].into_iter().chain(jobs.try_iter().take(BATCH - 1)).collect();
        let transaction = connection.transaction().expect("begun");
        for ((body, _), seq) in batch.iter().zip(seq..) {
            let mut insert = transaction.prepare_cached("INSERT INTO events VALUES (?1, ?2)").expect("read");
            insert.execute(params![seq, body]).expect("inserted");
        }
        transaction.commit().expect("synced");
        for (body, reply) in batch {
            let _nobody_waits = reply.send(seq.unsigned_abs());
            if said.receiver_count() > 0 {
                drop(said.send(format!("id: {seq}\nevent: message\ndata: {body}\n\n").into()));
            }
            seq += 1;
        }
    }
}

fn read(body: &Bytes) -> String {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    told.to_string()
}

async fn echo(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], read(&body)).into_response()
}

async fn publish(State(bare): State<Bare>, body: Bytes) -> Response {
    let (reply, written) = oneshot::channel();
    bare.writer.try_send((read(&body), reply)).expect("there is room");
    let seq = written.await.expect("written");
    (StatusCode::ACCEPTED, [(CONTENT_TYPE, "application/json")], format!("{{\"seq\":{seq}}}")).into_response()
}

async fn follow(State(bare): State<Bare>) -> Response {
    let events = stream::unfold(bare.said.subscribe(), |mut said| async move {
        let event = said.recv().await.ok()?;
        Some((Ok::<_, Infallible>(event), said))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}
