//! The engine room at its doors: commands in, journal out, on a journal that fails as it is told and on paused time;
//! then the whole of it on a real workspace.

use cuelight_base::{Actor, Channel, Proof, RunId, Seq, Span, StepIx, Timestamp};
use cuelight_engine::{Command, Effect, Fact, GateEvent, Refusal, RunState, StepState};
use cuelight_projection::Board;
use cuelight_runtime::{
    Clock, Conductor, Desk, Engine, Entropy, Hands, Inbound, InputText, JournalPort, LaunchRequest,
    OutputPart, Page, Podium, ReadDesk, Reply, Request, RequestId, Seen, Setup, Signal, Source, Tasks,
    Trouble, Want, stamped,
};
use cuelight_store::{AppendError, Appended, Batch, Owner, OwnerError, Workspace};
use cuelight_tool::{Call, Ended, Host, HttpPolicy, SecretStore, end_orphans, run_process};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub(crate) const ECHO: &str = "name: greet\ninputs:\n  who: { type: string, default: all }\nsteps:\n  - id: say\n    run: echo \"hello ${{ inputs.who }}\"\n";

pub(crate) fn ann() -> Actor {
    Actor {
        name: "ann".to_owned(),
        proof: Proof::OsUser(1000),
        groups: Vec::new(),
        channel: Channel::Console,
    }
}

pub(crate) fn launch_of(text: &str) -> LaunchRequest {
    let source = Source::Text { name: "test.yaml".to_owned(), text: text.to_owned() };
    LaunchRequest::of(Entropy.request_id(), source)
}

/// A journal that answers when it is told, and as it is told.
struct Told {
    answers: mpsc::Receiver<Result<(), AppendError>>,
    asked: mpsc::Sender<Arc<Batch>>,
    seq: u64,
    room: mpsc::Receiver<bool>,
}

impl JournalPort for Told {
    async fn append(&mut self, batch: Arc<Batch>) -> Result<Appended, AppendError> {
        self.asked.send(Arc::clone(&batch)).await.expect("the test listens");
        let Some(answer) = self.answers.recv().await else { return pending().await };
        answer.map(|()| {
            let first = Seq(self.seq + 1);
            self.seq += batch.events.len() as u64;
            Appended { first, last: Seq(self.seq) }
        })
    }

    async fn history(&mut self, _: RunId) -> Result<Vec<(Seq, cuelight_engine::Event)>, String> {
        Ok(Vec::new())
    }

    async fn has_room(&mut self) -> bool {
        self.room.recv().await.unwrap_or(true)
    }
}

/// Time as tokio tells it, so that it can be paused.
#[derive(Clone)]
struct Paused(tokio::time::Instant);

impl Paused {
    #[expect(clippy::disallowed_methods, reason = "virtual time begins somewhere")]
    fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000) + self.uptime()
    }

    fn uptime(&self) -> Span {
        Span(u64::try_from(self.0.elapsed().as_millis()).expect("a short test"))
    }
}

/// Does nothing, and tells what it was to do.
struct Noted(mpsc::Sender<Effect>);

impl Hands for Noted {
    fn carry(&mut self, effect: Effect) {
        self.0.try_send(effect).expect("room for what a test does");
    }

    fn ended(&mut self, _: cuelight_base::AttemptId) {}
}

/// A loop on a told journal.
struct Room {
    inbox: mpsc::Sender<Inbound>,
    seen: watch::Receiver<Seen>,
    effects: mpsc::Receiver<Effect>,
    asked: mpsc::Receiver<Arc<Batch>>,
    answers: mpsc::Sender<Result<(), AppendError>>,
    space: mpsc::Sender<bool>,
    _running: Tasks,
}

impl Room {
    fn new() -> Self {
        let (inbox, arrived) = mpsc::channel(64);
        let (sender, seen) = watch::channel(Seen::default());
        let (noted, effects) = mpsc::channel(64);
        let (ask, asked) = mpsc::channel(64);
        let (answers, told) = mpsc::channel(64);
        let (space, has_room) = mpsc::channel(64);
        let podium = Podium {
            conductor: Conductor::new(),
            journal: Told { answers: told, asked: ask, seq: 0, room: has_room },
            clock: Paused::new(),
            hands: Noted(noted),
            inbox: arrived,
            seen: sender,
            closing: CancellationToken::new(),
            found: Vec::new(),
            taken: None,
        };
        let running = Tasks::default();
        drop(running.spawn(podium.run()));
        Self { inbox, seen, effects, asked, answers, space, _running: running }
    }

    async fn ask(&self, request: Request) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        let asked = Inbound::Asked { request, reply: sender };
        self.inbox.send(asked).await.expect("the loop listens");
        receiver
    }

    async fn is_appending(&mut self) -> Arc<Batch> {
        self.asked.recv().await.expect("the loop lives")
    }

    async fn answer(&self, answer: Result<(), AppendError>) {
        self.answers.send(answer).await.expect("the journal lives");
    }
}

fn request(command: Command) -> Request {
    Request { id: Entropy.request_id(), command }
}

/// The launch of a workflow, as the desk makes it.
fn launching(text: &str) -> Command {
    struct None;
    impl cuelight_definition::Files for None {
        fn read(&self, _: &str) -> Result<String, String> {
            Err("there is nothing".to_owned())
        }
    }
    let (workflow, findings) = cuelight_definition::read("test.yaml", text, &None);
    let workflow = workflow.unwrap_or_else(|| panic!("{findings:?}"));
    let inputs = cuelight_definition::check_inputs(&workflow, &cuelight_base::ValueMap::new());
    let plan = cuelight_plan::lower(&workflow, inputs.expect("no inputs")).expect("a plan");
    let cause = cuelight_engine::CauseOfLaunch::Asked;
    let (by, trace) = (ann(), "t".to_owned());
    Command::Launch(Box::new(cuelight_engine::Launching {
        plan,
        by,
        seed: 7,
        cause,
        trace,
        request: Option::None,
    }))
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_before_the_commit() {
    let mut room = Room::new();
    let mut launched = room.ask(request(launching(ECHO))).await;
    let mut refused = room.ask(request(Command::Pause { run: RunId(9), by: ann() })).await;
    let batch = room.is_appending().await;
    assert!(!batch.events.is_empty());
    tokio::time::advance(Duration::from_hours(1)).await;
    assert!(launched.try_recv().is_err() && refused.try_recv().is_err(), "no reply, and no refusal either");
    assert!(room.effects.try_recv().is_err(), "no effect");
    assert_eq!(room.seen.borrow().board.seq, Seq(0), "no board");
    room.answer(Ok(())).await;
    let last = Seq(batch.events.len() as u64);
    match launched.await.expect("an answer") {
        Reply::Recorded(receipt) => assert_eq!((receipt.run, receipt.seq), (Some(RunId(1)), last)),
        other => panic!("{other:?}"),
    }
    assert_eq!(refused.await.expect("an answer"), Reply::Refused(Refusal::NoRun(RunId(9))));
    assert!(matches!(room.effects.recv().await, Some(Effect::Call { .. })));
    assert_eq!(room.seen.borrow().board.seq, last);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_time_approves_is_not_approved_by_a_time_in_which_the_loop_did_not_run() {
    let mut room = Room::new();
    let gate = "name: t\nsteps:\n  - {id: g, gate: {prompt: go?, timeout: 1h, on-timeout: approve}}\n";
    let _launched = room.ask(request(launching(gate))).await;
    let told = |batch: &Arc<Batch>| {
        let events = batch.events.iter().filter_map(|event| match &event.fact {
            Fact::Gate(_, _, _, GateEvent::Asked { ask, .. }) => Some(format!("asked {}", ask.epoch)),
            Fact::Gate(_, _, _, GateEvent::Resolved { state, .. }) => Some(state.word().to_owned()),
            _ => None,
        });
        events.collect::<Vec<_>>()
    };
    assert_eq!(told(&room.is_appending().await), ["asked 1"]);
    room.answer(Ok(())).await;
    tokio::time::advance(Duration::from_hours(2)).await;
    assert_eq!(told(&room.is_appending().await), ["asked 2"]);
    room.answer(Ok(())).await;
    // The loop sleeps through the next hour in short naps.
    assert_eq!(told(&room.is_appending().await), ["approved"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_holds_the_same_batch_until_there_is_room() {
    let mut room = Room::new();
    let launched = room.ask(request(launching(ECHO))).await;
    let batch = room.is_appending().await;
    room.answer(Err(AppendError::NoSpace)).await;
    let holding = |seen: &Seen| matches!(seen.trouble, Some(Trouble::Holding(_)));
    room.seen.wait_for(holding).await.expect("the loop lives");
    let turned_away = room.ask(request(Command::Pause { run: RunId(1), by: ann() })).await;
    assert!(matches!(turned_away.await.expect("at once"), Reply::NotRecorded(why) if why.contains("full")));
    room.inbox.send(Inbound::Told(Command::Wake)).await.expect("the loop listens");
    room.space.send(false).await.expect("asked");
    room.space.send(true).await.expect("asked");
    let again = room.is_appending().await;
    assert!(Arc::ptr_eq(&batch, &again), "the same batch");
    assert_eq!(room.seen.borrow().board.seq, Seq(0));
    room.answer(Ok(())).await;
    assert!(matches!(launched.await.expect("an answer"), Reply::Recorded(_)));
    assert_eq!(room.seen.borrow().trouble, None);
}

#[tokio::test(start_paused = true)]
async fn after_any_other_failure_nothing_is_decided_any_more() {
    let mut room = Room::new();
    let launched = room.ask(request(launching(ECHO))).await;
    room.is_appending().await;
    room.answer(Err(AppendError::Fatal("disk I/O error".to_owned()))).await;
    assert!(
        matches!(launched.await.expect("an answer"), Reply::NotRecorded(why) if why.contains("disk I/O error"))
    );
    let later = room.ask(request(launching(ECHO))).await;
    assert!(matches!(later.await.expect("an answer"), Reply::NotRecorded(_)));
    assert!(matches!(room.seen.borrow().trouble, Some(Trouble::Stopped(_))));
    assert_eq!(room.seen.borrow().board.seq, Seq(0));
    assert!(room.asked.try_recv().is_err() && room.effects.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_same_request_gets_the_same_answer_and_happens_once() {
    let mut room = Room::new();
    let asked = request(launching(ECHO));
    let (first, twin) = (room.ask(asked.clone()).await, room.ask(asked.clone()).await);
    room.is_appending().await;
    room.answer(Ok(())).await;
    let first = first.await.expect("an answer");
    assert!(matches!(first, Reply::Recorded(_)));
    assert_eq!(twin.await.expect("an answer"), first);
    assert_eq!(room.ask(asked).await.await.expect("an answer"), first);
    assert_eq!(room.seen.borrow().board.run_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_never_sent_again_takes_no_place_among_the_answers_that_are_remembered() {
    let mut room = Room::new();
    let asked = request(launching(ECHO));
    let first = room.ask(asked.clone()).await;
    room.is_appending().await;
    room.answer(Ok(())).await;
    let first = first.await.expect("an answer");
    for _ in 0..5000 {
        let command = Command::Pause { run: RunId(9), by: ann() };
        let told = room.ask(Request { id: RequestId::once(), command }).await.await.expect("an answer");
        assert!(matches!(told, Reply::Refused(_)), "{told:?}");
    }
    assert_eq!(room.ask(asked).await.await.expect("an answer"), first);
    // Two of those are two, also when they come at once.
    let twice = || Request { id: RequestId::once(), command: launching(ECHO) };
    let (one, two) = (room.ask(twice()).await, room.ask(twice()).await);
    for _ in 0..2 {
        room.answer(Ok(())).await;
    }
    let (one, two) = (one.await.expect("an answer"), two.await.expect("an answer"));
    assert!(one != two, "{one:?}");
    assert_eq!(room.seen.borrow().board.run_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_wakes_the_engine_and_nothing_else_does() {
    let mut room = Room::new();
    let text = "name: nap\nsteps:\n  - id: nap\n    wait: 2h\n";
    let launched = room.ask(request(launching(text))).await;
    room.is_appending().await;
    room.answer(Ok(())).await;
    assert!(matches!(launched.await.expect("an answer"), Reply::Recorded(_)));
    let before = room.seen.borrow().board.at;
    let batch = room.is_appending().await;
    assert_eq!(batch.events[0].at.since(before), Span::seconds(7200));
    room.answer(Ok(())).await;
    let done = |seen: &Seen| {
        seen.board.summary(RunId(1)).is_some_and(|summary| summary.state == RunState::Completed)
    };
    room.seen.wait_for(done).await.expect("the loop lives");
}

#[test]
fn a_seat_says_only_what_people_may_say_and_in_its_own_name() {
    let forged = Actor { name: "root".to_owned(), proof: Proof::Engine, ..ann() };
    let pause = |by| Command::Pause { run: RunId(1), by };
    assert_eq!(stamped(pause(forged), &ann()), Ok(pause(ann())));
    for command in [Command::Wake, Command::Recover { away: Span(1), found: Vec::new(), taken: None }] {
        assert!(stamped(command, &ann()).is_err());
    }
}

// ── The whole of it, on a real workspace ──

pub(crate) async fn engine_in(dir: &Path) -> Engine {
    loop {
        let workspace = crate::run_and_answer::trusted(dir);
        let environment = vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())];
        let secrets = SecretStore::new(BTreeMap::new(), dir);
        match Engine::start(Setup {
            trees: None,
            workspace,
            actor: ann(),
            environment,
            secrets,
            program: None,
            http: HttpPolicy::default(),
            traced: false,
            guard: None,
        })
        .await
        {
            Ok(engine) => return engine,
            // Between its fork and its exec, a child of another test holds the lock that was given up here.
            Err(OwnerError::Held { .. }) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

pub(crate) async fn comes_to_rest<D: Desk>(desk: &D, run: RunId) -> Arc<Board> {
    let mut boards = desk.boards();
    let rests = |seen: &Seen| seen.board.summary(run).is_some_and(|summary| summary.state.rests());
    let waited = tokio::time::timeout(Duration::from_secs(30), boards.wait_for(rests)).await;
    Arc::clone(&waited.expect("it comes to rest").expect("the engine lives").board)
}

pub(crate) async fn run_of<D: Desk>(desk: &D, launch: LaunchRequest) -> RunId {
    match desk.launch(launch).await {
        Reply::Recorded(receipt) => receipt.run.expect("a run"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_workflow_runs_and_all_it_left_can_be_read() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    let desk = engine.desk();
    let word = InputText { name: "who".to_owned(), text: "you".to_owned() };
    let run = run_of(&desk, LaunchRequest { words: vec![word], ..launch_of(ECHO) }).await;
    let board = comes_to_rest(&desk, run).await;
    assert_eq!(board.summary(run).map(|summary| summary.state), Some(RunState::Completed));
    let attempt = cuelight_base::AttemptId { run, step: StepIx(0), number: 1 };
    let output = desk.read(Want::Output { attempt, part: OutputPart::LastLines(1) }).await;
    let Page::Bytes { from: 0, bytes, total: 10, times } = output else { panic!("{output:?}") };
    assert_eq!(bytes, b"hello you\n");
    let call = board.run(run).and_then(|run| run.step(StepIx(0))).expect("it ran").attempts()[0].clone();
    let came = times.at(0).expect("when it came was kept");
    assert!(call.started_at <= came && came <= call.ended_at.expect("it ended"), "{came} {call:?}");
    assert!(matches!(desk.read(Want::Plan(run)).await, Page::Plan(plan) if plan.name == "greet"));
    let Page::Past(past) = desk.read(Want::Past { run, until: Some(Seq(1)) }).await else {
        panic!("no past")
    };
    assert_eq!((past.seq, past.run_count()), (Seq(1), 1));
    assert!(matches!(desk.read(Want::Plan(RunId(9))).await, Page::Missing(_)));
    drop(desk);
    engine.close().await;
    // Another engine, and a desk without one, see the same.
    let workspace = Workspace::find(dir.path()).expect("a workspace");
    let reading = ReadDesk::open(&workspace, &Tasks::default()).expect("a log");
    assert_eq!(reading.boards().borrow().board.summary(run), board.summary(run));
    let engine = engine_in(dir.path()).await;
    assert_eq!(engine.desk().boards().borrow().board.summary(run), board.summary(run));
    assert!(Owner::take(&workspace).is_err(), "a second owner is refused");
    engine.close().await;
    engine_in(dir.path()).await.close().await;
}

#[tokio::test]
async fn what_a_workflow_asks_for_is_told_before_it_is_started() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    let folder = dir.path().join(".cuelight/workflows");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("echo.yaml"), ECHO).expect("a file");
    let desk = engine.desk();
    let ask = async |path: &str, words: &[(&str, &str)]| {
        let text =
            |(name, text): &(&str, &str)| InputText { name: (*name).to_owned(), text: (*text).to_owned() };
        let want = Want::Workflow { path: path.to_owned(), words: words.iter().map(text).collect() };
        match desk.read(want).await {
            Page::Workflow(offer) => *offer,
            other => panic!("{other:?}"),
        }
    };
    let offer = ask("", &[]).await;
    assert_eq!(
        (offer.files.as_slice(), offer.problems.len()),
        (&[".cuelight/workflows/echo.yaml".to_owned()][..], 0)
    );
    let offer = ask(&offer.files[0], &[("who", "you")]).await;
    assert_eq!(offer.problems, Vec::<String>::new());
    assert_eq!(offer.inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["who"]);
    let offer = ask(&offer.files[0], &[("whom", "you")]).await;
    assert!(offer.problems.iter().any(|problem| problem.contains("whom")), "{:?}", offer.problems);
    let offer = ask("missing.yaml", &[]).await;
    assert!(offer.problems[0].contains("could not read missing.yaml"), "{:?}", offer.problems);
    // What would be refused for want of a key is told as well, and no longer when the key is there.
    let asks = "steps:\n  - {id: review, llm: {model: claude-sonnet, prompt: Is it well?}}\n";
    std::fs::write(folder.join("review.yaml"), asks).expect("a file");
    let offer = ask(".cuelight/workflows/review.yaml", &[]).await;
    let said = "step `review` asks claude-sonnet, and the secret ANTHROPIC_API_KEY is not set";
    assert!(offer.problems.iter().any(|problem| problem.starts_with(said)), "{:?}", offer.problems);
    std::fs::create_dir_all(dir.path().join(".cuelight/secrets")).expect("a folder");
    let key = dir.path().join(".cuelight/secrets/ANTHROPIC_API_KEY");
    std::fs::write(&key, "sk-test-of-the-form").expect("a secret");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours alone");
    let offer = ask(".cuelight/workflows/review.yaml", &[]).await;
    assert_eq!(offer.problems, Vec::<String>::new());
    assert_eq!(desk.boards().borrow().board.seq, Seq(0), "nothing was started");
}

#[tokio::test]
async fn a_workflow_with_problems_is_reported_and_leaves_nothing() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    let desk = engine.desk();
    let check = async |launch: LaunchRequest, part: &str| match desk.launch(launch).await {
        Reply::Invalid { report, findings } => {
            assert!(report.contains(part), "{report}");
            assert!(findings.as_array().is_some_and(|findings| !findings.is_empty()));
        }
        other => panic!("{other:?}"),
    };
    check(launch_of("steps: 3"), "steps").await;
    let path = Source::Path("missing.yaml".to_owned());
    check(LaunchRequest { source: path, ..launch_of("") }, "could not read missing.yaml").await;
    let surplus = vec![InputText { name: "whom".to_owned(), text: "x".to_owned() }];
    check(LaunchRequest { words: surplus, ..launch_of(ECHO) }, "whom").await;
    assert_eq!(desk.boards().borrow().board.seq, Seq(0));
    drop(desk);
    engine.close().await;
}

#[tokio::test]
async fn what_was_in_flight_is_judged_by_the_next_engine() {
    let dir = TempDir::new().expect("a directory");
    let text = "name: long\nsteps:\n  - id: once\n    run: echo began; sleep 1000\n  - id: again\n    effect: idempotent\n    run: 'test -e began && exit 0; touch began; echo began; sleep 1000'\n";
    let engine = engine_in(dir.path()).await;
    let desk = engine.desk();
    let mut output = desk.signals(Some(RunId(1)));
    let run = run_of(&desk, launch_of(text)).await;
    let mut began = BTreeSet::new();
    while began.len() < 2 {
        let signal = output.next().await.expect("both begin");
        if let Signal::Output { attempt, .. } = *signal {
            began.insert(attempt.step);
        }
    }
    drop((desk, output));
    engine.close().await;
    let engine = engine_in(dir.path()).await;
    let state =
        |seen: &Seen, step| seen.board.run(run).and_then(|run| run.step(StepIx(step))).map(|step| step.state);
    let judged = |seen: &Seen| {
        (state(seen, 0), state(seen, 1)) == (Some(StepState::InDoubt), Some(StepState::Completed))
    };
    let mut boards = engine.desk().boards();
    let waited = tokio::time::timeout(Duration::from_secs(30), boards.wait_for(judged)).await;
    waited.expect("judged in time").expect("the engine lives");
    engine.close().await;
}

#[tokio::test]
async fn what_a_dead_console_left_running_is_ended_first() {
    let dir = TempDir::new().expect("a directory");
    let secrets = SecretStore::new(BTreeMap::new(), dir.path());
    let environment = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    let host = Host::new(dir.path().to_owned(), environment, secrets, Span::seconds(5));
    let launch = cuelight_base::Launch::of(["sh", "-c", "trap '' TERM; echo on; while :; do sleep 1; done"]);
    let call = Call {
        tree: None,
        attempt_dir: dir.path().join(".cuelight/spool/r-1/0.1"),
        run: "r-1".to_owned(),
        step: "0".to_owned(),
        attempt: "r-1.0.1".to_owned(),
        effect_key: "k".to_owned(),
        traceparent: None,
    };
    let (started, mut on) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let running = run_process(&host, &launch, None, &call, &cancel, |_| started.try_send(()).unwrap_or(()));
    let ending = async {
        on.recv().await;
        assert_eq!(
            end_orphans(&dir.path().join("other"), Span(50), |_| true).await,
            (0, 0),
            "another workspace"
        );
        end_orphans(dir.path(), Span(50), |_| true).await
    };
    let (answer, (found, left)) = tokio::join!(running, ending);
    assert!(matches!(answer.ended, Ended::Signal { number: 9, .. }), "{:?}", answer.ended);
    assert!(found >= 1 && left == 0);
}

/// A schedule `0 6 * * *` (UTC) with these runs before it, begun and last looked at these times: what is due, and when.
fn due_at(
    catch_up: Option<&str>,
    overlap: &str,
    runs: &[(&str, bool)],
    times: (&str, &str, &str),
) -> Option<String> {
    use cuelight_definition::read;
    use cuelight_engine::{CauseOfLaunch, Command, Launching, World};
    use cuelight_plan::lower;
    use cuelight_projection::Board;
    use cuelight_runtime::{DueWhat, Scheduled, due};
    struct NoFiles;
    impl cuelight_definition::Files for NoFiles {
        fn read(&self, _: &str) -> Result<String, String> {
            Err("there are none".to_owned())
        }
    }
    let catch_up = catch_up.map_or(String::new(), |catch_up| format!(", catch-up: {catch_up}"));
    let text = format!(
        "name: nightly\non: {{schedule: [{{cron: '0 6 * * *', overlap: {overlap}{catch_up}}}]}}\nsteps:\n  - {{id: a, wait: 1h}}\n"
    );
    let (workflow, findings) = read("nightly.yaml", &text, &NoFiles);
    let workflow = workflow.unwrap_or_else(|| panic!("{findings:?}"));
    let found = vec![Scheduled {
        file: "nightly.yaml".to_owned(),
        workflow: workflow.name.clone(),
        schedule: workflow.schedule[0].clone(),
    }];
    let (mut world, mut board, mut seq) = (World::default(), Board::default(), 0);
    for (at, rests) in runs {
        let at: Timestamp = at.parse().expect("an instant");
        let plan = lower(&workflow, cuelight_base::ValueMap::new()).expect("a plan");
        let (by, cause) = (Actor::engine(), CauseOfLaunch::Schedule(at));
        let launch = Launching { plan, by, seed: 1, cause, trace: "t".to_owned(), request: None };
        let mut out = Vec::new();
        world.handle(Command::Launch(Box::new(launch)), at, &mut out).expect("launches");
        if *rests {
            world.handle(Command::Wake, at + Span::seconds(3600), &mut out).expect("wakes");
        }
        for event in out {
            seq += 1;
            board.apply(Seq(seq), &event);
        }
    }
    let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
    let due = due(&found, &board, (at(times.0), at(times.1)), at(times.2));
    due.first().map(|due| match &due.what {
        DueWhat::Start => due.at.to_string(),
        DueWhat::Wait(runs) => format!("{} after {runs:?}", due.at),
        DueWhat::Cancel(runs) => format!("{} cancels {runs:?}", due.at),
    })
}

#[test]
fn a_schedule_starts_once_at_each_of_its_times() {
    let began = "2026-11-20T05:00:00Z";
    let none: &[(&str, bool)] = &[];
    let six = Some("2026-11-20T06:00:00.000Z".to_owned());
    assert_eq!(due_at(None, "skip", none, (began, "2026-11-20T05:59:30Z", "2026-11-20T05:59:59Z")), None);
    assert_eq!(due_at(None, "skip", none, (began, "2026-11-20T05:59:30Z", "2026-11-20T06:00:10Z")), six);
    let started: &[(&str, bool)] = &[("2026-11-20T06:00:00Z", true)];
    assert_eq!(due_at(None, "skip", started, (began, "2026-11-20T05:59:30Z", "2026-11-20T06:00:20Z")), None);
}

#[test]
fn what_was_missed_is_made_up_for_once_and_only_as_far_as_catch_up_reaches() {
    let before: &[(&str, bool)] = &[("2026-11-18T06:00:00Z", true)];
    let began = "2026-11-20T08:00:00Z";
    assert_eq!(due_at(None, "skip", before, (began, began, "2026-11-20T08:00:00Z")), None);
    let made_up = due_at(Some("6h"), "skip", before, (began, began, "2026-11-20T08:00:00Z"));
    assert_eq!(made_up, Some("2026-11-20T06:00:00.000Z".to_owned()));
    assert_eq!(due_at(Some("1h"), "skip", before, (began, began, "2026-11-20T08:00:00Z")), None);
}

#[test]
fn a_run_that_still_goes_on_keeps_its_schedule_from_starting_another_unless_that_is_allowed() {
    let open: &[(&str, bool)] = &[("2026-11-19T06:00:00Z", false)];
    let times = ("2026-11-20T05:00:00Z", "2026-11-20T05:59:30Z", "2026-11-20T06:00:10Z");
    assert_eq!(due_at(None, "skip", open, times), None);
    assert_eq!(due_at(None, "allow", open, times), Some("2026-11-20T06:00:00.000Z".to_owned()));
    let waits = Some("2026-11-20T06:00:00.000Z after [RunId(1)]".to_owned());
    assert_eq!(due_at(None, "queue", open, times), waits);
    let cancels = Some("2026-11-20T06:00:00.000Z cancels [RunId(1)]".to_owned());
    assert_eq!(due_at(None, "cancel", open, times), cancels);
}

#[test]
fn a_start_that_waits_for_its_turn_is_not_forgotten_and_comes_once_for_the_newest_time() {
    // Looked at long after both times: the run before has just come to rest.
    let rested: &[(&str, bool)] = &[("2026-11-20T06:00:00Z", true)];
    let times = ("2026-11-20T05:00:00Z", "2026-11-22T09:00:00Z", "2026-11-22T09:00:10Z");
    let newest = Some("2026-11-22T06:00:00.000Z".to_owned());
    assert_eq!(due_at(None, "queue", rested, times), newest);
    assert_eq!(due_at(None, "cancel", rested, times), newest);
    assert_eq!(due_at(None, "skip", rested, times), None, "what was skipped does not come later");
}

#[test]
fn a_workflow_on_hold_is_not_started_and_nothing_of_it_is_made_up_for() {
    use cuelight_definition::read;
    use cuelight_engine::{Command, World};
    use cuelight_projection::Board;
    use cuelight_runtime::{Scheduled, due};
    struct NoFiles;
    impl cuelight_definition::Files for NoFiles {
        fn read(&self, _: &str) -> Result<String, String> {
            Err("there are none".to_owned())
        }
    }
    let text = "name: nightly\non: {schedule: [{cron: '0 6 * * *', overlap: queue, catch-up: 2d}]}\nsteps:\n  - {id: a, wait: 1h}\n";
    let workflow = read("nightly.yaml", text, &NoFiles).0.expect("it is right");
    let (file, schedule) = ("nightly.yaml".to_owned(), workflow.schedule[0].clone());
    let found = vec![Scheduled { file, workflow: workflow.name, schedule }];
    let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
    let (mut world, mut board, mut seq) = (World::default(), Board::default(), 0);
    let mut say = |command, when: &str, board: &mut Board| {
        let mut out = Vec::new();
        world.handle(command, at(when), &mut out).expect("it may be");
        for event in out {
            seq += 1;
            board.apply(Seq(seq), &event);
        }
    };
    let (by, workflow) = (Actor::engine, "nightly".to_owned());
    let began = at("2026-11-19T05:00:00Z");
    let is_due = |board: &Board, now: &str| {
        let due = due(&found, board, (began, at("2026-11-19T05:30:00Z")), at(now));
        due.first().map(|due| due.at.to_string())
    };
    assert_eq!(is_due(&board, "2026-11-19T06:00:01Z").as_deref(), Some("2026-11-19T06:00:00.000Z"));
    let hold = Command::HoldSchedule { workflow: workflow.clone(), reason: "moving".to_owned(), by: by() };
    say(hold, "2026-11-19T05:10:00Z", &mut board);
    assert_eq!(is_due(&board, "2026-11-19T06:00:01Z"), None);
    say(Command::ReleaseSchedule { workflow, by: by() }, "2026-11-20T07:00:00Z", &mut board);
    assert_eq!(is_due(&board, "2026-11-20T07:00:01Z"), None, "what was missed on hold is gone");
    assert_eq!(is_due(&board, "2026-11-21T06:00:01Z").as_deref(), Some("2026-11-21T06:00:00.000Z"));
}
