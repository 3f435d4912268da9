//! Commands that ask an engine for something: the one that runs, or one that is started for it.

use super::{
    ask_text, form, named,
    run::absolute,
    signing::{self, Signed},
};
use crate::{
    app::{
        args::{
            Answer, CancelArgs, CommentArgs, ConfirmArgs, CorrectedArgs, DecideArgs, DelegateArgs, DoneArgs,
            DoubtArgs, EditArgs, ForkArgs, From, GateArgs, ReasonArgs, RetryArgs, ReviewArgs, SettleUndoArgs,
            SignArgs, SkipArgs,
        },
        config::Config,
        exit::{FAILED, NOT_RECORDED, Outcome, Trouble, USAGE},
        output::{Output, say},
        wiring::{self, Seat},
    },
    base::{Digest, Epoch, RunId, Seq, StepIx, Value, ValueMap, json_if_any, safe_text},
    engine::{Command, Correction, Decision, DoubtAnswer, ForkAt, Refusal, RetryFrom, Verdict, ask_hash},
    plan::{Risk, Work},
    projection::{Board, GateView, RunView, asked_anew, send_back_words, settled_words},
    runtime::{Desk, Entropy, Receipt, Reply, Request},
    store::{id_told, name_to_sign},
};
use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

/// How long a command waits until the board shows what it has done.
const BOARD_WAIT: Duration = Duration::from_secs(2);

/// What is asked about a whole run.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnRun {
    Pause,
    Resume,
}

pub(super) async fn on_run(config: &Config, out: Output, run: &str, what: OnRun) -> Outcome {
    let run = named::run(run)?;
    let seat = wiring::act(config).await?;
    let by = seat.actor.clone();
    let (command, said) = match what {
        OnRun::Pause => {
            (Command::Pause { run, by }, format!("{run} paused: what runs goes on, nothing new starts"))
        }
        OnRun::Resume => (Command::Resume { run, by }, format!("{run} goes on")),
    };
    submit(seat, out, command, |_| said).await
}

pub(super) async fn cancel(config: &Config, out: Output, args: CancelArgs) -> Outcome {
    let run = named::run(&args.run)?;
    let seat = wiring::act(config).await?;
    let by = seat.actor.clone();
    let command = Command::Cancel { run, by, reason: args.reason, undo: args.undo };
    submit(seat, out, command, |_| format!("{run} is being cancelled")).await
}

pub(super) async fn retry(config: &Config, out: Output, args: RetryArgs) -> Outcome {
    let run = named::run(&args.run)?;
    let seat = wiring::act(config).await?;
    let from = match args.from {
        From::Failed => RetryFrom::Failed,
        From::Checkpoint => RetryFrom::Checkpoint,
        From::All => RetryFrom::All,
    };
    let corrected = match corrected(config, args.corrected) {
        Ok(corrected) => corrected,
        Err(trouble) => return left(seat, trouble).await,
    };
    let by = seat.actor.clone();
    let command = Command::Retry { run, from, by, corrected };
    say_asked_anew(&seat, run, &command).await;
    submit(seat, out, command, |receipt| {
        receipt.run.inspect(|it| say(&format!("{it} retries {run}")));
        receipt.run.map_or_else(|| format!("{run} is retried"), |it| it.to_string())
    })
    .await
}

pub(super) async fn fork(config: &Config, out: Output, args: ForkArgs) -> Outcome {
    let run = named::run(&args.run)?;
    let seat = wiring::act(config).await?;
    let at = args.at.trim_start_matches('#').parse().map_or(ForkAt::Step(args.at), |it| ForkAt::Seq(Seq(it)));
    let corrected = match corrected(config, args.corrected) {
        Ok(corrected) => corrected,
        Err(trouble) => return left(seat, trouble).await,
    };
    let by = seat.actor.clone();
    let command = Command::Fork { run, at, by, corrected, past: None };
    say_asked_anew(&seat, run, &command).await;
    submit(seat, out, command, |receipt| {
        receipt.run.inspect(|it| say(&format!("{it} forks {run}")));
        receipt.run.map_or_else(|| format!("{run} is forked"), |it| it.to_string())
    })
    .await
}

/// Models whose talk begins anew with the new run, and what they have had called: who does it again knows before anything is.
async fn say_asked_anew(seat: &Seat, run: RunId, command: &Command) {
    let Ok(events) = seat.desk.preview(command.clone()).await else { return };
    let board = seat.desk.boards().borrow().board.clone();
    let Some(view) = board.run(run) else { return };
    for line in asked_anew(view, &events) {
        say(&format!("note: {}", safe_text(&line)));
    }
}

/// What is corrected first; the path is told from where the engine stands.
fn corrected(config: &Config, args: CorrectedArgs) -> Result<Option<Box<Correction>>, Trouble> {
    if args.file.is_none() && args.inputs.is_empty() {
        return Ok(None);
    }
    let file = args.file.map(|it| absolute(config, &it)).transpose()?;
    Ok(Some(Box::new(Correction { file, words: args.inputs, plan: None })))
}

pub(super) async fn undo(config: &Config, out: Output, args: ReasonArgs) -> Outcome {
    let run = named::run(&args.run)?;
    let seat = wiring::act(config).await?;
    let by = seat.actor.clone();
    let command = Command::Undo { run, reason: args.reason, by };
    submit(seat, out, command, |_| format!("{run} is being undone, last step first")).await
}

pub(super) async fn skip(config: &Config, out: Output, args: SkipArgs) -> Outcome {
    let SkipArgs { step: args, confirm, sign } = args;
    let (seat, run, step) = at_step(config, &args.run, &args.step).await?;
    if let Some(view) = gate_at(&seat, run, step) {
        return override_gate(seat, out, &view, args.reason, (&confirm, &sign)).await;
    }
    if sign.is_given() {
        return left(seat, no_gate(&args.step)).await;
    }
    let by = seat.actor.clone();
    let said = format!("{} of {run} is skipped", args.step);
    submit(seat, out, Command::Skip { run, step, reason: args.reason, by }, |_| said).await
}

pub(super) async fn done(config: &Config, out: Output, args: DoneArgs) -> Outcome {
    let (seat, run, step) = at_step(config, &args.step.run, &args.step.step).await?;
    if let Some(view) = gate_at(&seat, run, step) {
        if !args.outputs.is_empty() {
            let why = format!(
                "could not complete {} by hand: a gate has no outputs of its own; fill in its form with --set",
                args.step.step
            );
            return left(seat, Trouble::usage(why)).await;
        }
        return override_gate(seat, out, &view, args.step.reason, (&args.confirm, &args.sign)).await;
    }
    if args.sign.is_given() {
        return left(seat, no_gate(&args.step.step)).await;
    }
    let by = seat.actor.clone();
    let said = format!("{} of {run} is done", args.step.step);
    let outputs = texts(args.outputs);
    submit(seat, out, Command::Done { run, step, outputs, reason: args.step.reason, by }, |_| said).await
}

pub(super) async fn doubt(config: &Config, out: Output, args: DoubtArgs) -> Outcome {
    let (seat, run, step) = at_step(config, &args.run, &args.step).await?;
    let by = seat.actor.clone();
    let answer = match args.answer {
        Answer::Happened => DoubtAnswer::Happened(texts(args.outputs)),
        Answer::NotHappened => DoubtAnswer::NotHappened,
        Answer::Abort => DoubtAnswer::Abort,
    };
    let said = format!("{} of {run} is no longer in doubt", args.step);
    submit(seat, out, Command::AnswerDoubt { run, step, answer, reason: args.reason, by }, |_| said).await
}

pub(super) async fn settle_undo(config: &Config, out: Output, args: SettleUndoArgs) -> Outcome {
    let (seat, run, step) = at_step(config, &args.step.run, &args.step.step).await?;
    let by = seat.actor.clone();
    let said = settled_words(&safe_text(&args.step.step), args.again);
    let command = Command::SettleUndo { run, step, again: args.again, reason: args.step.reason, by };
    submit(seat, out, command, |_| said).await
}

pub(super) async fn decide(config: &Config, out: Output, args: DecideArgs, verdict: Verdict) -> Outcome {
    let (seat, view) = seat_at(config, &args.gate).await?;
    let gate = view.id;
    let form = match answered(&view, run_of(&seat, &view).as_deref(), &args, verdict) {
        Ok(form) => form,
        Err(trouble) => return left(seat, trouble).await,
    };
    let mut decision = Decision {
        id: Entropy.decision_id(),
        gate,
        epoch: view.epoch(),
        ask: view.hash,
        verdict,
        reason: args.reason.clone(),
        by: seat.actor.clone(),
        shown_for: None,
        break_glass: args.break_glass,
        overrides: false,
        form,
    };
    let seat = match signed(seat, &mut decision, &view, &args.sign).await? {
        Ok(seat) => seat,
        Err(code) => return Ok(code),
    };
    let (whose, who) = if args.sign.is_given() {
        (format!("the approval of {gate} by {}", decision.by.name), decision.by.name.clone())
    } else {
        (format!("your approval of {gate}"), "you".to_owned())
    };
    let stood = view.law().vote_of(&decision.by).is_some_and(|it| it.verdict == verdict);
    let was_given = stood && !(view.is_open() && decision.break_glass);
    let to = view.ask.send_back.clone().unwrap_or_default();
    let alone = decision.break_glass;
    let said = move |now: &GateView, run: Option<&RunView>| match verdict {
        _ if was_given => format!(
            "this answer to {gate} was given before by {who}; nothing was recorded; {}",
            now.standing_words(run)
        ),
        Verdict::Approve if alone => {
            format!("{gate} has an emergency approval by {who}; another person must review it")
        }
        Verdict::Approve => format!("{whose} is recorded; {}", now.standing_words(run)),
        Verdict::Reject => format!("{gate} is rejected"),
        Verdict::SendBack => format!("{gate} is sent back: {}", send_back_words(&to)),
    };
    at_gate(seat, out, &view, Command::Decide(Box::new(decision)), said).await
}

/// Only a gate is answered with a key.
fn no_gate(step: &str) -> Trouble {
    Trouble::usage(format!(
        "could not sign for {step}: only an open gate is answered with a key; leave --as and --signed out"
    ))
}

/// Gives an answer its author. Nothing more is to be done where it was only written down to be signed.
async fn signed(
    seat: Seat,
    decision: &mut Decision,
    view: &Arc<GateView>,
    args: &SignArgs,
) -> Result<Result<Seat, ExitCode>, Trouble> {
    let trace = seat.desk.boards().borrow().board.trace_of(view.id).unwrap_or_default().to_owned();
    let log = name_to_sign(&seat.workspace, &id_told(&seat.workspace));
    let log = log.map_err(|it| Trouble::not_recorded(it.to_string()))?;
    match signing::sign(decision, view, (&trace, &log), args) {
        Ok(Signed::Given) => Ok(Ok(seat)),
        Ok(Signed::Written(what)) => {
            seat.leave().await;
            say(&what);
            Ok(Err(ExitCode::SUCCESS))
        }
        Err(trouble) => left(seat, trouble).await.map(Err),
    }
}

/// The form of an answer, once the answer is confirmed. A no needs neither a form nor a code.
fn answered(
    view: &Arc<GateView>,
    run: Option<&RunView>,
    args: &DecideArgs,
    verdict: Verdict,
) -> Result<ValueMap, Trouble> {
    let verb = verdict.word();
    let wanted = match verdict {
        Verdict::Reject | Verdict::SendBack => Wanted::Nothing,
        Verdict::Approve if args.sign.signed.is_some() => Wanted::Nothing,
        Verdict::Approve if view.ask.risk == Risk::Irreversible => Wanted::FormAndCode,
        Verdict::Approve => Wanted::Form,
    };
    if verdict != Verdict::Approve && !(args.confirm.set.is_empty() && args.confirm.leave.is_empty()) {
        let why = "an approval fills in the form; leave --set and --leave out";
        return Err(Trouble::usage(format!("could not {verb} {}: {why}", view.id)));
    }
    confirm(view, run, &args.confirm, wanted, verb)
}

/// The run of a gate, where the board still has it.
fn run_of(seat: &Seat, gate: &GateView) -> Option<Arc<RunView>> {
    seat.desk.boards().borrow().board.run(gate.run).cloned()
}

/// The open gate that a step is; nothing for a step that a gate only asks about.
fn gate_at(seat: &Seat, run: RunId, step: StepIx) -> Option<Arc<GateView>> {
    let board = seat.desk.boards().borrow().board.clone();
    let view = board.run(run)?;
    let is_gate = view.plan_step(step).is_some_and(|it| matches!(it.work, Work::Gate(_)));
    let gate = view.step(step)?.gate().filter(|_| is_gate)?;
    board.gate(gate).filter(|it| it.is_open()).cloned()
}

/// Closes a gate by hand: the whole ask is shown, and confirmed as an approval of high risk is.
async fn override_gate(
    seat: Seat,
    out: Output,
    view: &Arc<GateView>,
    reason: String,
    (args, sign): (&ConfirmArgs, &SignArgs),
) -> Outcome {
    // Who has signed elsewhere has read the ask there.
    let wanted = if sign.signed.is_some() { Wanted::Nothing } else { Wanted::FormAndCode };
    let run = run_of(&seat, view);
    let form = match confirm(view, run.as_deref(), args, wanted, "override") {
        Ok(form) => form,
        Err(trouble) => {
            if !is_at_terminal() {
                say(&ask_text::text(view, run.as_deref()));
            }
            return left(seat, trouble).await;
        }
    };
    let gate = view.id;
    let mut decision = Decision {
        id: Entropy.decision_id(),
        gate,
        epoch: view.epoch(),
        ask: view.hash,
        verdict: Verdict::Approve,
        reason: reason.clone(),
        by: seat.actor.clone(),
        shown_for: None,
        break_glass: false,
        overrides: true,
        form,
    };
    let seat = match signed(seat, &mut decision, view, sign).await? {
        Ok(seat) => seat,
        Err(code) => return Ok(code),
    };
    if decision.reason != reason {
        let why = format!(
            "could not override {gate}: the reason that was signed is {:?}",
            safe_text(&decision.reason)
        );
        return left(seat, Trouble::usage(why)).await;
    }
    let said = format!("{gate} is overridden; another person must review it: cuelight review {gate}");
    at_gate(seat, out, view, Command::Decide(Box::new(decision)), |_, _| said).await
}

/// The parts of an answer that a person gives before it counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// None: a no, or an answer that somebody has signed elsewhere.
    Nothing,
    /// The values of the form.
    Form,
    /// The values, and proof that the ask was read: its name, or a code that a terminal draws for this moment.
    FormAndCode,
}

/// Checks that the ask was read, and returns the values of its form. Whoever may answer is judged by the engine, from their process.
///
/// At a terminal the whole ask is shown, then each open field is asked for, then the code is typed.
fn confirm(
    view: &Arc<GateView>,
    run: Option<&RunView>,
    args: &ConfirmArgs,
    wanted: Wanted,
    verb: &str,
) -> Result<ValueMap, Trouble> {
    let gate = view.id;
    let could_not = |why: &str| Trouble::usage(format!("could not {verb} {gate}: {why}"));
    if let Some(why) = args.ask.as_ref().and_then(|named| misnamed(view, named)) {
        return Err(could_not(&why));
    }
    let given = form::from_flags(view, args)?;
    if wanted == Wanted::Nothing {
        return Ok(given);
    }
    let has_code = args.ask.is_none() && wanted == Wanted::FormAndCode;
    if !is_at_terminal() {
        if has_code {
            return Err(could_not(&format!(
                "{}; answer in the console or at a terminal, or add --ask NAME (NAME is on the last line of \
                 `cuelight gates --show {gate}`)",
                if verb == "override" {
                    "an override needs the name of the ask that was read"
                } else {
                    "its risk is high"
                }
            )));
        }
        return form::require_all(view, &given).map(|()| given);
    }
    let is_open = given.len() < view.ask.form.len();
    if has_code || is_open {
        say(&ask_text::text(view, run));
    }
    let form = form::from_terminal(view, given)?;
    if has_code {
        type_code(verb).map_err(|why| could_not(&why))?;
    }
    Ok(form)
}

/// Why a name is not that of the ask; none when it is.
fn misnamed(view: &GateView, named: &str) -> Option<String> {
    let named = named.trim().trim_start_matches('#').to_ascii_lowercase();
    let is_name_of =
        |hash: Digest| [hash.to_string(), hash.code()].iter().any(|it| it.eq_ignore_ascii_case(&named));
    if is_name_of(view.hash) {
        return None;
    }
    let gate = view.id;
    let show = format!("`cuelight gates --show {gate}`");
    if view.previous.as_ref().is_some_and(|it| is_name_of(ask_hash(it))) {
        return Some(format!("its ask has changed; read {show} again"));
    }
    let part = !named.is_empty() && view.hash.code().to_ascii_lowercase().starts_with(&named);
    let what = if part { "only the start of the name of its ask" } else { "not the name of its ask" };
    Some(format!("--ask {} is {what}; the whole name is on the last line of {show}", safe_text(&named)))
}

fn is_at_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Has a code typed that is drawn for this moment. It keeps a hand from being too fast.
fn type_code(verb: &str) -> Result<(), String> {
    let code = Entropy.code();
    say(&format!("To {verb}, type {code} and press Enter. Any other text sends no answer."));
    let mut typed = String::new();
    io::stdin().read_line(&mut typed).map_err(|why| format!("nothing could be read: {why}"))?;
    let is_it = typed.trim().eq_ignore_ascii_case(&code);
    is_it.then_some(()).ok_or_else(|| "that was not the code; nothing was answered".to_owned())
}

pub(super) async fn withdraw(config: &Config, out: Output, args: GateArgs) -> Outcome {
    let (seat, view) = seat_at(config, &args.gate).await?;
    let gate = view.id;
    let by = seat.actor.clone();
    let has_delegated = view.delegations().iter().any(|it| it.by.principal() == by.principal());
    let said = match (view.has_voted(&by), has_delegated) {
        (true, true) => format!("your vote at {gate} is withdrawn, and your delegation there is revoked"),
        (false, true) => format!("your delegation at {gate} is revoked; you can answer again"),
        (_, false) => format!("your vote at {gate} is withdrawn"),
    };
    at_gate(seat, out, &view, Command::Withdraw { gate, by }, |_, _| said).await
}

pub(super) async fn delegate(config: &Config, out: Output, args: DelegateArgs) -> Outcome {
    let gate = named::gate(&args.gate)?;
    let seat = wiring::act(config).await?;
    let known = match config.people(&seat.workspace) {
        Ok(people) => people.groups(),
        Err(trouble) => return left(seat, trouble).await,
    };
    if !known.is_empty() && !known.contains_key(&args.to) {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        let names = names.join(", ");
        let trouble = Trouble::usage(format!(
            "could not delegate to {:?}: people.toml has no person of that name; known: {names}",
            args.to
        ));
        return left(seat, trouble).await;
    }
    let view = match named::gate_view(&seat, gate).await {
        Ok(view) => view,
        Err(trouble) => return left(seat, trouble).await,
    };
    let by = seat.actor.clone();
    let (to, me) = (safe_text(&args.to), by.clone());
    let unchecked = if known.is_empty() { "; no people.toml, so that name was not checked" } else { "" };
    let said = move |now: &GateView, _: Option<&RunView>| {
        let mine = now.delegations().iter().find(|it| it.by.principal() == me.principal());
        let until = mine.map_or_else(String::new, |it| format!(" until {}", it.until));
        format!(
            "{to} answers at {gate} instead of you{until}; end it with `cuelight withdraw {gate}`{unchecked}"
        )
    };
    let command = Command::Delegate { gate, to: args.to, lasts: args.lasts, reason: args.reason, by };
    at_gate(seat, out, &view, command, said).await
}

pub(super) async fn review(config: &Config, out: Output, args: ReviewArgs) -> Outcome {
    let (seat, view) = seat_at(config, &args.gate).await?;
    let gate = view.id;
    let epoch = match epoch_to_review(&view, args.epoch.map(Epoch)) {
        Ok(epoch) => epoch,
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    let by = seat.actor.clone();
    let command = Command::ReviewGlass { run: view.run, gate, epoch, reason: args.reason, by };
    at_gate(seat, out, &view, command, |_, _| format!("your review of {gate} is recorded")).await
}

/// Which approval is meant: the one that was named, else the only one that somebody has yet to look at.
fn epoch_to_review(gate: &Arc<GateView>, named: Option<Epoch>) -> Result<Epoch, Trouble> {
    let due: Vec<&Arc<GateView>> = gate.emergencies().filter(|it| it.awaits_review()).collect();
    match (named, due.as_slice()) {
        (Some(epoch), _) => Ok(epoch),
        (None, []) => Ok(gate.emergencies().next_back().unwrap_or(gate).epoch()),
        (None, [one]) => Ok(one.epoch()),
        (None, several) => {
            let each = |it: &&Arc<GateView>| {
                let by = it
                    .broken_by
                    .as_ref()
                    .map_or_else(String::new, |by| format!(" by {}", safe_text(&by.name)));
                format!("--epoch {}{by}", it.epoch())
            };
            let each: Vec<String> = several.iter().map(each).collect();
            let message = format!(
                "could not review {}: it has {} emergency approvals and overrides, and each is reviewed by itself; say which: {}",
                gate.id,
                several.len(),
                each.join(", ")
            );
            Err(Trouble::usage(message))
        }
    }
}

pub(super) async fn comment(config: &Config, out: Output, args: CommentArgs) -> Outcome {
    let (seat, view) = seat_at(config, &args.gate).await?;
    let gate = view.id;
    let by = seat.actor.clone();
    let said = format!("comment added to {gate}");
    at_gate(seat, out, &view, Command::Comment { gate, text: args.text, by }, |_, _| said).await
}

pub(super) async fn edit(config: &Config, out: Output, args: EditArgs) -> Outcome {
    let (seat, view) = seat_at(config, &args.gate).await?;
    let gate = view.id;
    let mut values: ValueMap = view.ask.form.iter().map(|it| (it.name.clone(), it.value.clone())).collect();
    for (key, text) in args.inputs {
        let read =
            json_if_any(&text).map_err(|why| Trouble::usage(format!("could not read {key}: {why}")))?;
        let value = read.unwrap_or(Value::String(text));
        values.insert(key, value);
    }
    let by = seat.actor.clone();
    let command = Command::EditForm { gate, epoch: view.epoch(), values, reason: args.reason, by };
    let said = format!("{gate} asks again with your values; all votes are void, and you cannot vote there");
    at_gate(seat, out, &view, command, |_, _| said).await
}

/// A seat, and the gate that is named there.
async fn seat_at(config: &Config, gate: &str) -> Result<(Seat, Arc<GateView>), Trouble> {
    let gate = named::gate(gate)?;
    let seat = wiring::act(config).await?;
    match named::gate_view(&seat, gate).await {
        Ok(view) => Ok((seat, view)),
        Err(trouble) => {
            seat.leave().await;
            Err(trouble)
        }
    }
}

/// Sends a command about a gate, then tells what the gate is afterwards. The engine no longer holds a gate whose run
/// rested long ago.
async fn at_gate(
    seat: Seat,
    out: Output,
    view: &GateView,
    command: Command,
    said: impl FnOnce(&GateView, Option<&RunView>) -> String,
) -> Outcome {
    let verb = verb_of(&command);
    let reply = seat.desk.submit(Request { id: Entropy.request_id(), command }).await;
    let board = match &reply {
        Reply::Recorded(receipt) => board_from(&seat, receipt.seq).await,
        Reply::Refused(_) | Reply::Invalid { .. } | Reply::NotRecorded(_) => None,
    };
    seat.leave().await;
    match reply {
        Reply::Recorded(_) => {
            let now = board.as_ref().and_then(|it| it.gate(view.id));
            let run = board.as_ref().and_then(|it| it.run(view.run));
            out.line(&said(now.map_or(view, |it| it), run.map(|it| &**it)));
            Ok(ExitCode::SUCCESS)
        }
        Reply::Refused(Refusal::NoGate(_)) => Err(named::over(view)),
        Reply::Refused(refusal) => Err(Trouble::failed(refusal.to(verb))),
        reply => Err(refused(reply)),
    }
}

/// The verb of a command at a gate, as its person typed it.
fn verb_of(command: &Command) -> &'static str {
    match command {
        Command::Decide(it) if it.overrides => "override",
        Command::Decide(it) => it.verdict.word(),
        Command::Withdraw { .. } => "withdraw from",
        Command::EditForm { .. } => "edit",
        Command::Comment { .. } => "comment on",
        Command::Delegate { .. } => "delegate at",
        _ => "review",
    }
}

/// The board that shows this event; nothing when it does not come in time.
async fn board_from(seat: &Seat, seq: Seq) -> Option<Arc<Board>> {
    let mut boards = seat.desk.boards();
    let shown = boards.wait_for(|seen| seen.board.seq >= seq);
    let seen = tokio::time::timeout(BOARD_WAIT, shown).await.ok()?.ok()?;
    Some(Arc::clone(&seen.board))
}

async fn at_step(config: &Config, run: &str, step: &str) -> Result<(Seat, RunId, StepIx), Trouble> {
    let run = named::run(run)?;
    let seat = wiring::act(config).await?;
    match named::step(&seat, run, step).await {
        Ok(found) => Ok((seat, run, found)),
        Err(trouble) => {
            seat.leave().await;
            Err(trouble)
        }
    }
}

fn texts(pairs: Vec<(String, String)>) -> ValueMap {
    pairs.into_iter().map(|(key, text)| (key, Value::String(text))).collect()
}

pub(super) async fn left(seat: Seat, trouble: Trouble) -> Outcome {
    seat.leave().await;
    Err(trouble)
}

/// Sends it, says what became of it, and leaves.
pub(super) async fn submit(
    seat: Seat,
    out: Output,
    command: Command,
    said: impl FnOnce(&Receipt) -> String,
) -> Outcome {
    let request = Request { id: Entropy.request_id(), command };
    let reply = seat.desk.submit(request).await;
    seat.leave().await;
    match reply {
        Reply::Recorded(receipt) => {
            out.line(&said(&receipt));
            Ok(ExitCode::SUCCESS)
        }
        reply => Err(refused(reply)),
    }
}

/// Why a request came to nothing.
pub(super) fn refused(reply: Reply) -> Trouble {
    match reply {
        Reply::Refused(refusal) => {
            let usage = matches!(refusal, Refusal::NoRun(_) | Refusal::NoGate(_) | Refusal::NoStep(_));
            Trouble { code: if usage { USAGE } else { FAILED }, message: refusal.to_string() }
        }
        Reply::Invalid { report, .. } => Trouble::usage(report),
        Reply::NotRecorded(why) => Trouble { code: NOT_RECORDED, message: why },
        Reply::Recorded(_) => Trouble::failed("it was recorded"),
    }
}
