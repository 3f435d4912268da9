//! Two seats on one engine, over a real socket in a directory of its own.

use crate::runtime::{ann, comes_to_rest, engine_in, launch_of, run_of};
use cuelight_base::{Actor, Channel, GateId, Proof, Seq, ValueMap};
use cuelight_engine::{Command, Decision, Refusal, RetryFrom, RunState, Verdict};
use cuelight_gateway::{LookDesk, RemoteDesk, Start, Way, admit, serve_socket};
use cuelight_runtime::{
    Desk, Engine, Entropy, OutputPart, Page, People, Reply, Request, Seen, Tasks, Want, WhoIsWho,
};
use cuelight_store::Workspace;
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;

const GATED: &str = "name: ask\nsteps:\n  - id: look\n    run: echo seen\n  - id: ok\n    needs: [look]\n    gate:\n      prompt: Go on?\n      undo-window: 0s\n  - id: go\n    needs: [ok]\n    run: echo gone\n";

fn serve(engine: &Engine, dir: &Path) {
    let (tasks, closing) = engine.doors();
    let people = People::read("[[person]]\nname = 'bob'\nuid = 4000000000\n").expect("people");
    let uid = rustix::process::geteuid().as_raw();
    let people = Arc::new(people.with_os_name(uid, "me"));
    let people = WhoIsWho::new(move || Ok(Arc::clone(&people)));
    serve_socket(&dir.join("socket"), engine.desk(), (people, String::new()), tasks, closing.clone())
        .expect("it listens");
}

async fn attached(dir: &Path) -> (RemoteDesk, Tasks, CancellationToken) {
    attached_by(dir, Channel::Command).await
}

async fn attached_by(dir: &Path, channel: Channel) -> (RemoteDesk, Tasks, CancellationToken) {
    let (tasks, closing) = (Tasks::default(), CancellationToken::new());
    let desk =
        RemoteDesk::attach(&dir.join("socket"), channel, &tasks, closing.clone()).await.expect("a seat");
    (desk, tasks, closing)
}

/// Waits until a desk shows what it should.
async fn shows<D: Desk>(desk: &D, wanted: impl Fn(&Seen) -> bool) -> Seen {
    let mut boards = desk.boards();
    let shown = tokio::time::timeout(Duration::from_secs(30), boards.wait_for(|boards| wanted(boards))).await;
    shown.expect("in time").expect("a desk").clone()
}

async fn yes<D: Desk>(desk: &D, gate: GateId) -> Request {
    let seen = shows(desk, |seen| seen.board.open_gates().next().is_some()).await;
    let view = seen.board.gate(gate).expect("a gate").clone();
    let decision = Decision {
        id: Entropy.decision_id(),
        gate,
        epoch: view.ask.epoch,
        ask: view.hash,
        verdict: Verdict::Approve,
        reason: "it looks right".to_owned(),
        by: ann(),
        shown_for: None,
        break_glass: false,
        overrides: false,
        form: ValueMap::new(),
    };
    Request { id: Entropy.request_id(), command: Command::Decide(Box::new(decision)) }
}

#[tokio::test]
async fn records_come_with_their_links_to_both_desks() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    let near = engine.desk();
    let run = run_of(&near, launch_of("name: a\nsteps:\n  - id: one\n    run: echo early\n")).await;
    comes_to_rest(&near, run).await;
    serve(&engine, dir.path());
    let (far, tasks, closing) = attached(dir.path()).await;
    let want = Want::Records { after: Seq(1), limit: 100 };
    let (here, there) = (near.read(want.clone()).await, far.read(want).await);
    assert_eq!(here, there);
    let Page::Records(records) = there else { panic!("{there:?}") };
    assert!(records.len() > 2 && records[0].seq == Seq(2) && records.iter().all(|record| record.holds));
    assert!(records.windows(2).all(|pair| pair[1].prev == pair[0].hash));
    let chain = far.read(Want::Chain).await;
    let Page::Chain { records: count, head, broken: None } = chain else { panic!("{chain:?}") };
    let last = records.last().expect("some");
    assert_eq!((count, head), (last.seq.0, (last.seq, last.hash)));
    closing.cancel();
    tasks.join().await;
    drop(near);
    engine.close().await;
}

#[tokio::test]
async fn both_desks_show_the_same_board() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    let near = engine.desk();
    let early = run_of(&near, launch_of("name: a\nsteps:\n  - id: one\n    run: echo early\n")).await;
    comes_to_rest(&near, early).await;
    serve(&engine, dir.path());
    let (far, tasks, closing) = attached(dir.path()).await;
    assert!(far.boards().borrow().board.summary(early).is_some(), "what was before is seen at once");

    let run = run_of(&far, launch_of(GATED)).await;
    let request = yes(&far, GateId(1)).await;
    let Command::Decide(decision) = &request.command else { panic!("a decision") };
    assert_eq!(decision.by, ann(), "as forged by the seat");
    let preview = far.preview(request.command.clone()).await.expect("it would be possible");
    assert!(!preview.is_empty());
    let reply = far.submit(request.clone()).await;
    let Reply::Recorded(receipt) = reply else { panic!("{reply:?}") };
    assert!(far.boards().borrow().board.seq >= receipt.seq, "who asked sees what came of it");
    assert_eq!(far.submit(request).await, reply, "the same request, the same answer");

    let board = comes_to_rest(&far, run).await;
    assert_eq!(board.summary(run).map(|summary| summary.state), Some(RunState::Completed));
    let there = shows(&near, |seen| seen.board.seq >= board.seq).await;
    assert_eq!(*there.board, *board);
    let by = &board.gate(GateId(1)).expect("a gate").votes[0].vote.by;
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!((by.name.as_str(), &by.proof, by.channel), ("me", &Proof::OsUser(uid), Channel::Command));

    for want in [
        Want::Plan(run),
        Want::Events { run: None, after: Seq(0), limit: 10 },
        Want::Past { run, until: None },
    ] {
        assert_eq!(far.read(want.clone()).await, near.read(want).await);
    }
    let attempt = cuelight_base::AttemptId { run, step: cuelight_base::StepIx(0), number: 1 };
    let want = Want::Output { attempt, part: OutputPart::From(2) };
    let Page::Bytes { from: 2, bytes, total: 5, times } = far.read(want).await else { panic!("no output") };
    assert!(bytes == b"en\n" && times.at(2).is_some(), "{bytes:?} {times:?}");
    closing.cancel();
    tasks.join().await;
    drop(near);
    engine.close().await;
    assert!(!dir.path().join("socket").exists(), "the socket goes with its engine");
}

#[tokio::test]
async fn a_seat_of_agents_asks_and_decides_nothing() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    serve(&engine, dir.path());
    let (far, tasks, closing) = attached_by(dir.path(), Channel::Mcp).await;
    let run = run_of(&far, launch_of(GATED)).await;
    let request = yes(&far, GateId(1)).await;
    let reply = far.submit(request).await;
    let Reply::Refused(Refusal::NotAllowed { why, .. }) = &reply else { panic!("{reply:?}") };
    assert!(why.contains("over MCP decides nothing"), "{why}");
    let command = Command::Cancel { run, by: ann(), reason: "nobody waits".to_owned(), undo: false };
    let reply = far.submit(Request { id: Entropy.request_id(), command }).await;
    assert!(matches!(reply, Reply::Recorded(_)), "what it asked for it can end: {reply:?}");
    closing.cancel();
    tasks.join().await;
    engine.close().await;
}

#[tokio::test]
async fn whoever_asked_for_a_run_cannot_approve_it_through_another_door() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    serve(&engine, dir.path());
    let (far, tasks, closing) = attached(dir.path()).await;
    let four_eyes = GATED.replace("      prompt:", "      forbid: [run.actor]\n      prompt:");
    run_of(&far, launch_of(&four_eyes)).await;
    let request = yes(&far, GateId(1)).await;
    let reply = far.submit(request).await;
    assert!(matches!(reply, Reply::Refused(Refusal::NotAllowed { .. })), "{reply:?}");
    let tried = |seen: &Seen| seen.board.gate(GateId(1)).is_some_and(|gate| gate.refused.len() == 1);
    shows(&far, tried).await;
    // The same user in this process: another door, the same person.
    let uid = rustix::process::geteuid().as_raw();
    let other_name = People::default().with_os_name(uid, "somebody else").actor(uid, Channel::Console);
    let near = engine.desk().with_actor(other_name);
    let request = yes(&near, GateId(1)).await;
    assert!(matches!(near.submit(request).await, Reply::Refused(Refusal::NotAllowed { .. })));
    // Somebody else may.
    let near = engine.desk();
    let request = yes(&near, GateId(1)).await;
    assert!(matches!(near.submit(request).await, Reply::Recorded(_)));
    closing.cancel();
    tasks.join().await;
    drop(near);
    engine.close().await;
}

#[tokio::test]
async fn who_has_voted_and_then_does_without_the_others_is_written_down_as_both() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    let near = engine.desk();
    let two = GATED.replace("      prompt:", "      require: [{group: sre, count: 2}]\n      prompt:");
    let run = run_of(&near, launch_of(&two)).await;
    let groups = vec!["sre".to_owned(), "break-glass".to_owned()];
    let gil = engine.desk().with_actor(Actor {
        name: "gil".to_owned(),
        proof: Proof::OsUser(4711),
        groups,
        ..ann()
    });
    let request = yes(&gil, GateId(1)).await;
    assert!(matches!(gil.submit(request).await, Reply::Recorded(_)));
    let mut request = yes(&gil, GateId(1)).await;
    if let Command::Decide(decision) = &mut request.command {
        (decision.break_glass, decision.reason) = (true, "the shop is down and nobody answers".to_owned());
    }
    let reply = gil.submit(request).await;
    assert!(matches!(reply, Reply::Recorded(_)), "{reply:?}");
    let board = comes_to_rest(&near, run).await;
    let gate = board.gate(GateId(1)).expect("a gate");
    assert_eq!((gate.closed_by.as_deref(), gate.votes.len()), (Some("break-glass"), 1));
    assert_eq!(board.summary(run).map(|summary| summary.state), Some(RunState::Completed));
    drop((near, gil));
    engine.close().await;
}

#[tokio::test]
async fn a_seat_survives_its_engine_and_finds_the_next() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    serve(&engine, dir.path());
    let (far, tasks, closing) = attached(dir.path()).await;
    let run = run_of(&far, launch_of(GATED)).await;
    shows(&far, |seen| seen.board.open_gates().next().is_some()).await;
    engine.close().await;
    shows(&far, Seen::is_lost).await;
    let engine = engine_in(dir.path()).await;
    serve(&engine, dir.path());
    shows(&far, |seen| seen.trouble.is_none()).await;
    let request = yes(&far, GateId(1)).await;
    assert!(matches!(far.submit(request).await, Reply::Recorded(_)));
    let board = comes_to_rest(&far, run).await;
    assert_eq!(board.summary(run).map(|summary| summary.state), Some(RunState::Completed));
    closing.cancel();
    tasks.join().await;
    engine.close().await;
}

#[tokio::test]
async fn a_command_that_an_ending_engine_did_not_take_starts_the_next_engine_and_is_carried_out_once() {
    // While the engine stops to read, and after it has gone.
    for is_gone in [false, true] {
        let dir = TempDir::new().expect("a directory");
        let engine = engine_in(dir.path()).await;
        serve(&engine, dir.path());
        let (asked, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let start: Start = Arc::new(move || Some(Box::new(asked.send(()))));
        let (tasks, closing) = (Tasks::default(), CancellationToken::new());
        let way = Way::Started(dir.path().join("socket"), start);
        let far = RemoteDesk::attach_by(way, Channel::Command, &tasks, closing.clone()).await;
        let far = far.expect("a seat");
        let run = run_of(&far, launch_of("name: a\nsteps:\n  - id: one\n    run: echo early\n")).await;
        comes_to_rest(&far, run).await;
        engine.doors().1.cancel();
        if is_gone {
            shows(&far, Seen::is_lost).await;
        }
        let command = Command::Retry { run, from: RetryFrom::All, by: ann(), corrected: None };
        let next = async {
            starts.recv().await.expect("an engine is asked for");
            engine.close().await;
            let engine = engine_in(dir.path()).await;
            serve(&engine, dir.path());
            engine
        };
        let request = Request { id: Entropy.request_id(), command };
        let (reply, engine) = tokio::join!(far.submit(request), next);
        assert!(matches!(reply, Reply::Recorded(_)), "{is_gone}: {reply:?}");
        assert_eq!(engine.desk().board().summaries().count(), 2, "{is_gone}");
        closing.cancel();
        tasks.join().await;
        engine.close().await;
    }
}

#[tokio::test]
async fn who_only_looks_reads_the_log_when_the_engine_has_gone() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    serve(&engine, dir.path());
    let (far, tasks, closing) = attached(dir.path()).await;
    let run = run_of(&far, launch_of("name: a\nsteps:\n  - id: one\n    run: echo early\n")).await;
    comes_to_rest(&far, run).await;
    let want = Want::Events { run: Some(run), after: Seq(0), limit: 10 };
    let told = far.read(want.clone()).await;
    let workspace = Workspace::create(dir.path()).expect("a workspace");
    let look = LookDesk::new(far, workspace, tasks.clone());
    assert_eq!(look.read(want.clone()).await, told, "from the engine");
    engine.close().await;
    assert_eq!(look.read(want).await, told, "from the log");
    closing.cancel();
    tasks.join().await;
}

#[tokio::test]
async fn nonsense_on_the_line_ends_the_line_and_nothing_else() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    serve(&engine, dir.path());
    let frame = |text: &str| {
        let length = u32::try_from(text.len()).expect("short").to_be_bytes();
        [&[0], length.as_slice(), text.as_bytes()].concat()
    };
    let deep = format!("{}1{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    for (bytes, answer) in [
        (vec![0xFF; 64], ""),
        (vec![0, 0xFF, 0xFF, 0xFF, 0xFF], ""),
        (frame("not json"), ""),
        (frame(&deep), ""),
        (frame("{\"question\":{\"number\":1,\"question\":{\"read\":{\"plan\":1}}}}"), ""),
        (
            frame("{\"hello\":{\"version\":99,\"program\":\"x\",\"after\":0}}"),
            "speaks version 4, you speak 99",
        ),
        (frame("{\"hello\":{\"version\":4,\"program\":\"x\",\"after\":7}}"), "another log"),
    ] {
        let mut stream = UnixStream::connect(dir.path().join("socket")).await.expect("a line");
        // The other end may hang up before it has read everything.
        drop(stream.write_all(&bytes).await);
        let mut said = Vec::new();
        drop(stream.read_to_end(&mut said).await);
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(answer) && (said.is_empty() == answer.is_empty()), "{said:?} for {answer:?}");
    }
    let (far, tasks, closing) = attached(dir.path()).await;
    assert!(matches!(
        far.submit(Request { id: Entropy.request_id(), command: Command::Wake }).await,
        Reply::Refused(_)
    ));
    closing.cancel();
    tasks.join().await;
    engine.close().await;
}

/// Passes a line on, and shows another question to whoever reads it.
async fn turns_the_question(front: UnixListener, back: std::path::PathBuf) {
    while let Ok((near, _)) = front.accept().await {
        let (mut near_in, mut near_out) = near.into_split();
        let (mut far_in, mut far_out) = UnixStream::connect(&back).await.expect("an engine").into_split();
        tokio::spawn(async move { tokio::io::copy(&mut near_in, &mut far_out).await });
        tokio::spawn(async move {
            let mut bytes = vec![0; 1 << 20];
            while let Ok(many @ 1..) = far_in.read(&mut bytes).await {
                while let Some(at) = bytes[..many].windows(6).position(|window| window == b"Go on?") {
                    bytes[at..at + 6].copy_from_slice(b"Hello?");
                }
                drop(near_out.write_all(&bytes[..many]).await);
            }
        });
    }
}

#[tokio::test]
async fn a_line_that_shows_another_ask_than_it_names_gives_no_seat() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    serve(&engine, dir.path());
    let desk = engine.desk();
    run_of(&desk, launch_of(GATED)).await;
    shows(&desk, |seen| seen.board.open_gates().next().is_some()).await;
    let front = UnixListener::bind(dir.path().join("front")).expect("a socket");
    let relay = tokio::spawn(turns_the_question(front, dir.path().join("socket")));
    let (tasks, closing) = (Tasks::default(), CancellationToken::new());
    let seat = RemoteDesk::attach(&dir.path().join("front"), Channel::Command, &tasks, closing.clone()).await;
    let why = seat.expect_err("no seat").to_string();
    assert!(why.contains("shows another ask than the one it names"), "{why}");
    relay.abort();
    closing.cancel();
    tasks.join().await;
    engine.close().await;
}

#[tokio::test]
async fn an_engine_whose_socket_was_removed_listens_again() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    serve(&engine, dir.path());
    let path = dir.path().join("socket");
    std::fs::remove_file(&path).expect("a socket");
    let (tasks, closing) = (Tasks::default(), CancellationToken::new());
    let attaches = async {
        loop {
            let seat = RemoteDesk::attach(&path, Channel::Command, &tasks, closing.clone()).await;
            if seat.is_ok() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), attaches).await.expect("a seat in time");
    closing.cancel();
    tasks.join().await;
    engine.close().await;
    assert!(!path.exists(), "an engine that ends removes the socket that it made last");
}

#[test]
fn another_user_is_refused() {
    let shop = ("ops", Path::new("/srv/shop"));
    assert_eq!(admit(1000, 1000, shop), Ok(()));
    for peer in [0, 1001] {
        let why = admit(peer, 1000, shop).expect_err("another user");
        assert!(why.contains("the workspace /srv/shop belongs to ops (uid 1000)"), "{why}");
    }
}

#[tokio::test]
async fn somebody_else_who_gets_as_far_as_the_socket_is_sent_away() {
    use rustix::{process::Uid, thread::set_thread_res_uid};
    use std::{fs, io::Read as _, os::unix::fs::PermissionsExt as _};
    if !rustix::process::geteuid().is_root() {
        // Nobody but root can be somebody else.
        return;
    }
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    serve(&engine, dir.path());
    // As if its directory had been opened to all by mistake.
    let path = dir.path().join("socket");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("a mode");
    let knocks = move || {
        let nobody = Uid::from_raw(65_534);
        set_thread_res_uid(nobody, nobody, nobody).expect("a thread of somebody else");
        let mut line = std::os::unix::net::UnixStream::connect(&path).expect("a line");
        line.set_read_timeout(Some(Duration::from_secs(5))).expect("a limit");
        let mut said = Vec::new();
        drop(line.read_to_end(&mut said));
        String::from_utf8_lossy(&said).into_owned()
    };
    // On a thread that ends with it: who it is stays with the thread.
    let said = tokio::task::spawn_blocking(|| {
        std::thread::scope(|scope| scope.spawn(knocks).join().expect("it knocks"))
    });
    let said = said.await.expect("it was told");
    assert!(said.contains("belongs to me (uid 0), and you are uid 65534"), "{said}");
    engine.close().await;
}

#[tokio::test]
async fn without_an_engine_nobody_attaches() {
    let dir = TempDir::new().expect("a directory");
    let attached = RemoteDesk::attach(
        &dir.path().join("socket"),
        Channel::Command,
        &Tasks::default(),
        CancellationToken::new(),
    )
    .await;
    assert!(attached.expect_err("nobody listens").to_string().contains("could not attach"));
    let long = dir.path().join("d".repeat(120));
    let attached = RemoteDesk::attach(
        &long.join("socket"),
        Channel::Command,
        &Tasks::default(),
        CancellationToken::new(),
    )
    .await;
    assert!(attached.expect_err("no directory").to_string().contains("No such file"));
}
