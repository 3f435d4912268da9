//! One afternoon of a payments team, told as commands to the real engine; the board is folded from its events. The
//! clock stands where it is put.

use crate::disk_fixture::Looked;
use cuelight_base::{
    Actor, AttemptId, Channel, DecisionId, FailureMode, Proof, RunId, Seq, Span, Timestamp, ValueMap,
};
use cuelight_definition::{Files, read};
use cuelight_engine::{
    AttemptEvent, CauseOfLaunch, Command, Decision, Event, Fact, Failure, Launching, Outcome, StepEvent,
    Verdict, World,
};
use cuelight_plan::lower;
use cuelight_projection::Board;
use std::sync::Arc;

/// An engine on a stage: it does what it is told, when it is told.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) board: Board,
    pub(super) now: Timestamp,
    running: Vec<AttemptId>,
    seq: u64,
    looked: Looked,
    /// All that happened, as a log keeps it.
    pub(super) log: Vec<(Seq, Event)>,
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> Result<String, String> {
        Err("there is no such file".to_owned())
    }

    fn agents(&self) -> Vec<(String, Result<String, String>)> {
        let file = |name: &str| {
            let text = format!(
                "name: {name}\nversion: 1\ndescription: Reads a change and says what it thinks of it\ncapabilities: [review]\neffect: pure\nheartbeat: 30s\ncommand: [./{name}]\n"
            );
            (format!(".cuelight/agents/{name}.yaml"), Ok(text))
        };
        let comes = "name: coder\nversion: 1\ndescription: Writes what a ticket asks for\ncapabilities: [implement]\neffect: pure\nclaim: true\n";
        vec![
            file("reviewer"),
            file("skimmer"),
            (".cuelight/agents/coder.yaml".to_owned(), Ok(comes.to_owned())),
        ]
    }
}

pub(super) fn actor(name: &str) -> Actor {
    let uid = name.bytes().map(u32::from).sum();
    Actor {
        name: name.to_owned(),
        proof: Proof::OsUser(uid),
        groups: vec!["ops".to_owned()],
        channel: Channel::Command,
    }
}

pub(super) fn instant(text: &str) -> Timestamp {
    format!("2025-06-12T{text}Z").parse().expect("an instant")
}

impl Stage {
    pub(super) fn at(clock: &str) -> Self {
        Self {
            world: World::default(),
            board: Board::default(),
            now: instant(clock),
            running: Vec::new(),
            seq: 0,
            looked: Looked::default(),
            log: Vec::new(),
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        let mut events = Vec::new();
        self.world.handle(command, self.now, &mut events).unwrap_or_else(|refusal| panic!("{refusal}"));
        self.fold(&events);
        for answer in self.looked.answers(&events) {
            self.command(answer);
        }
        events.iter().for_each(|event| self.end_what_is_ended(event));
    }

    /// A call that is told to end does so at once.
    fn end_what_is_ended(&mut self, event: &Event) {
        let Fact::Step(run, step, StepEvent::Ending { .. }) = &event.fact else { return };
        let told = |attempt: &&AttemptId| attempt.run == *run && attempt.step == *step;
        let Some(attempt) = self.running.iter().find(told).copied() else { return };
        let mode = FailureMode::UserCancelled;
        let failure = Failure { mode, message: "ended".to_owned(), tail: String::new(), not_started: false };
        let outcome = Outcome { failure: Some(failure), ..Outcome::default() };
        self.command(Command::AttemptEnded { attempt, outcome: Box::new(outcome) });
    }

    fn fold(&mut self, events: &[Event]) {
        for event in events {
            self.seq += 1;
            self.board.apply(Seq(self.seq), event);
            self.log.push((Seq(self.seq), event.clone()));
            if let Fact::Attempt(run, step, number, what) = &event.fact {
                let attempt = AttemptId { run: *run, step: *step, number: *number };
                match what {
                    AttemptEvent::Started { .. } => self.running.push(attempt),
                    AttemptEvent::Adopted { .. } => {}
                    AttemptEvent::Ended { .. } | AttemptEvent::Lost { .. } => {
                        self.running.retain(|attempt_id| *attempt_id != attempt)
                    }
                }
            }
        }
    }

    pub(super) fn launch(&mut self, by: &str, workflow: &str) -> RunId {
        self.launch_with(by, workflow, ValueMap::new())
    }

    /// The same with inputs.
    pub(super) fn launch_with(&mut self, by: &str, workflow: &str, inputs: ValueMap) -> RunId {
        let (read, findings) = read("main.yaml", workflow, &NoFiles);
        let workflow = read.unwrap_or_else(|| panic!("{findings:#?}"));
        let plan = lower(&workflow, inputs).unwrap_or_else(|problems| panic!("{problems:?}"));
        let before = self.board.run_count();
        self.command(Command::Launch(Box::new(Launching {
            plan,
            by: actor(by),
            seed: 7,
            cause: CauseOfLaunch::Asked,
            trace: format!("t-{before}"),
            request: None,
        })));
        self.board.summaries().last().expect("just launched").id
    }

    /// Time passes; what is due happens on its way.
    pub(super) fn pass(&mut self, seconds: u64) {
        let until = self.now + Span::seconds(seconds);
        while let Some(due) = self.world.deadline().filter(|deadline| *deadline <= until) {
            self.now = due.max(self.now);
            self.command(Command::Wake);
        }
        self.now = until;
    }

    /// The call of a step that runs now.
    fn running(&self, run: RunId, step: &str) -> AttemptId {
        let view = self.board.run(run).expect("known");
        let of_step = |attempt: &&AttemptId| attempt.run == run && view.step_id(attempt.step) == step;
        *self.running.iter().find(of_step).unwrap_or_else(|| panic!("{run} {step} does not run"))
    }

    pub(super) fn end(&mut self, run: RunId, step: &str, outcome: Outcome) {
        let attempt = self.running(run, step);
        self.command(Command::AttemptEnded { attempt, outcome: Box::new(outcome) });
    }

    pub(super) fn ok(&mut self, run: RunId, steps: &str) {
        for step in steps.split_whitespace() {
            let outcome = Outcome {
                exit_code: Some(0),
                ran_for: Span::seconds(2),
                output_bytes: 812,
                ..Outcome::default()
            };
            self.end(run, step, outcome);
        }
    }

    /// An agent answers: how sure it is, what it says of its own quality, and what it has cost in dollars.
    pub(super) fn answers(&mut self, run: RunId, step: &str, (sure, quality, cost): (&str, &str, &str)) {
        let said = [("result", "done"), ("confidence", sure), ("quality", quality), ("cost-usd", cost)];
        let outputs = said.into_iter().filter(|pair| !pair.1.is_empty());
        let outcome = Outcome {
            exit_code: Some(0),
            ran_for: Span::seconds(40),
            outputs: outputs.map(|(name, text)| (name.to_owned(), text.into())).collect(),
            ..Outcome::default()
        };
        self.end(run, step, outcome);
    }

    /// A call that fails, after all the time since it began.
    pub(super) fn fail(&mut self, run: RunId, step: &str, mode: FailureMode, message: &str) {
        let failure = Failure { mode, message: message.to_owned(), tail: String::new(), not_started: false };
        let attempt = self.running(run, step);
        let view = self.board.run(run).and_then(|run| run.step(attempt.step)).expect("known");
        let began = view.attempts().last().expect("it has begun").started_at;
        let ran_for = self.now.since(began);
        let outcome = Outcome { failure: Some(failure), exit_code: Some(1), ran_for, ..Outcome::default() };
        self.end(run, step, outcome);
    }

    /// A call that fails, and what it wrote last.
    pub(super) fn fail_with(&mut self, run: RunId, step: &str, mode: FailureMode, said: (&str, &str)) {
        let (message, tail) = (said.0.to_owned(), said.1.to_owned());
        let failure = Failure { mode, message, tail, not_started: false };
        let outcome = Outcome {
            failure: Some(failure),
            exit_code: Some(1),
            ran_for: Span::seconds(30),
            ..Outcome::default()
        };
        self.end(run, step, outcome);
    }

    /// Somebody says yes to the gate that was opened last.
    pub(super) fn approve(&mut self, by: &str) {
        let gate = self.board.open_gates().last().expect("a gate waits").clone();
        self.command(Command::Decide(Box::new(Decision {
            id: DecisionId(format!("{by}-{}", self.seq)),
            gate: gate.id,
            epoch: gate.epoch(),
            ask: gate.hash,
            verdict: Verdict::Approve,
            reason: "totals agree".to_owned(),
            by: actor(by),
            shown_for: None,
            break_glass: false,
            overrides: false,
            form: ValueMap::new(),
        })));
    }

    /// All that runs ends well, until nothing does, at most so many.
    pub(super) fn drain(&mut self, run: RunId, most: usize) {
        for _ in 0..most {
            let Some(attempt) = self.running.iter().find(|attempt| attempt.run == run).copied() else {
                break;
            };
            let outcome = Outcome { exit_code: Some(0), ..Outcome::default() };
            self.command(Command::AttemptEnded { attempt, outcome: Box::new(outcome) });
        }
    }

    pub(super) fn board(&self) -> Arc<Board> {
        Arc::new(self.board.clone())
    }
}

pub(super) const SETTLE: &str = r"
name: payments/settle
on-failure: compensate
budget: {calls: 200}
steps:
  - {id: fetch_batch, run: fetch, undo: unlock, effect: idempotent}
  - {id: check_fraud, needs: fetch_batch, run: score, effect: pure}
  - {id: validate, needs: fetch_batch, run: check, matrix: {part: [1, 2, 3, 4]}, effect: pure}
  - {id: fx_rates, needs: fetch_batch, run: rates, effect: pure}
  - {id: build_refunds, needs: [check_fraud, validate, fx_rates], run: build, effect: idempotent}
  - id: approve_refunds
    needs: build_refunds
    gate:
      prompt: Pay 48 refunds, 48 210.00 EUR?
      risk: irreversible
      require: [{count: 2}]
      timeout: 30m
  - {id: pay_out, needs: approve_refunds, run: pay}
  - {id: notify, needs: pay_out, run: mail, matrix: {part: [1, 2, 3, 4]}}
  - {id: ledger_post, needs: pay_out, run: post, effect: idempotent}
  - {id: close_batch, needs: [notify, ledger_post], run: close, effect: idempotent}
";

const ETL: &str = r#"
name: etl/orders-daily
max-parallel: 4
steps:
  - {id: plan_day, run: plan, effect: pure}
  - {id: src_shop, needs: plan_day, run: shop, effect: pure}
  - {id: src_app, needs: plan_day, run: app, effect: pure}
  - {id: src_pos, needs: plan_day, run: pos, effect: pure}
  - {id: merge_raw, needs: [src_shop, src_app, src_pos], run: merge, effect: idempotent}
  - {id: load_partition, needs: merge_raw, run: load, matrix: {part: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40]}, effect: idempotent, on-error: continue, retry: {max-attempts: 2, delay: 30s}}
  - {id: check_totals, needs: load_partition, run: totals, if: always(), effect: pure}
  - {id: publish, needs: check_totals, run: publish}
  - {id: report, needs: publish, run: report, matrix: {part: [1, 2, 3]}}
"#;

const SCORE: &str = r"
name: ml/score-customers
steps:
  - {id: features, run: make, effect: pure}
  - {id: train, needs: features, run: train, effect: pure}
  - {id: explain, needs: train, run: explain, effect: pure}
";

const SYNC: &str = r"
name: crm/sync-contacts
steps:
  - {id: login, run: login, effect: pure}
  - {id: sync_page_7, needs: login, run: sync, effect: idempotent, retry: {max-attempts: 5, delay: 60s}}
  - {id: finish, needs: sync_page_7, run: finish}
";

const ROTATE: &str = r"
name: infra/rotate-keys
steps:
  - {id: make_keys, run: make, effect: pure}
  - id: rotate_prod_keys
    needs: make_keys
    gate: {prompt: Rotate the keys of PROD?, risk: externally-reversible}
  - {id: rotate, needs: rotate_prod_keys, run: rotate}
";

const REFUNDS: &str = r"
name: payments/refunds
on-failure: stop
steps:
  - {id: lock, run: lock, effect: idempotent}
  - {id: call_bank, needs: lock, run: bank, effect: idempotent}
  - {id: book, needs: call_bank, run: book}
";

const BACKUP: &str = r"
name: infra/backup
steps:
  - {id: dump, run: dump, effect: pure}
  - {id: verify, needs: dump, run: verify, effect: pure}
";

/// The afternoon: gates, retries, failures and all else that a list of runs can show. It is 12:04:31.
pub(super) fn afternoon() -> Stage {
    let mut stage = Stage::at("10:04:31");
    let backup = stage.launch("cron", BACKUP);
    stage.pass(20);
    stage.drain(backup, 9);
    stage.pass(40);
    let refunds = stage.launch("cron", REFUNDS);
    stage.pass(5);
    stage.ok(refunds, "lock");
    stage.pass(60);
    stage.fail(refunds, "call_bank", FailureMode::SystemTimeout, "the bank did not answer within 60 s");
    stage.pass(4_900);
    let etl = stage.launch("cron", ETL);
    stage.pass(10);
    stage.ok(etl, "plan_day");
    stage.pass(100);
    stage.ok(etl, "src_shop src_app src_pos");
    stage.pass(60);
    stage.ok(etl, "merge_raw");
    let cancelled = stage.launch("jon", SCORE);
    stage.pass(30);
    stage.command(Command::Cancel {
        run: cancelled,
        by: actor("jon"),
        reason: "wrong day".to_owned(),
        undo: false,
    });
    stage.drain(cancelled, 1);
    stage.pass(900);
    let settle = stage.launch("bot-settle", SETTLE);
    stage.pass(5);
    stage.ok(settle, "fetch_batch");
    stage.pass(10);
    stage.ok(settle, "check_fraud fx_rates validate[1] validate[2] validate[3] validate[4]");
    stage.pass(400);
    stage.drain(etl, 12);
    let score = stage.launch("cron", SCORE);
    stage.pass(45);
    stage.ok(score, "features");
    stage.pass(60);
    stage.ok(settle, "build_refunds");
    stage.pass(100);
    let rotate = stage.launch("mira", ROTATE);
    stage.pass(8);
    stage.ok(rotate, "make_keys");
    let sync = stage.launch("api", SYNC);
    stage.pass(3);
    stage.ok(sync, "login");
    stage.drain(etl, 6);
    stage.pass(30);
    stage.fail(etl, "load_partition[19]", FailureMode::AgentValidation, "UNIQUE order_id=77120");
    stage.pass(9);
    stage.fail(sync, "sync_page_7", FailureMode::PolicyRateLimit, "429 Too Many Requests");
    stage.pass(8);
    let fixed = instant("12:04:31");
    let left = fixed.since(stage.now);
    stage.pass(left.0 / 1000 - 2);
    let gate = stage.board.open_gates().find(|gate| gate.run == settle).expect("it waits").id;
    stage.command(Command::Comment { gate, text: "the totals are right".to_owned(), by: actor("jon") });
    stage.pass(2);
    stage
}
