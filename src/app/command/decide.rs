//! `approve`, `reject` and the commands of `gate` on one gate: answers of a person.

use super::{
    act::{left, refused},
    ask_text::{self, Contents},
    completion,
    form::{self, ConfirmArgs},
    look, named,
    signing::{self, SignArgs, Signed},
};
use crate::{
    args::key_value,
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
    wiring::Seat,
};
use clap::Args;
use cuelight_base::{Digest, Epoch, GateId, Seq, Span, Value, ValueMap, json_if_any, safe_text};
use cuelight_engine::{Command, Decision, Fact, GateEvent, Refusal, Verdict, ask_hash};
use cuelight_plan::Risk;
use cuelight_projection::{Board, GateView, RunView, send_back_words};
use cuelight_runtime::{Clock as _, Desk, Entropy, Reply, Request, SystemClock};
use cuelight_store::{id_told, name_to_sign};
use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

/// Time that a command waits until the board shows its effect.
const BOARD_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct GateArgs {
    /// The gate: g-3, or latest where one is open
    #[arg(add = completion::gates())]
    pub(super) gate: String,
}

#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// The gate: g-3, or latest where one is open
    #[arg(add = completion::gates())]
    pub(super) gate: String,
    /// A parameter; JSON where it is JSON, else text
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value, required = true)]
    pub(super) inputs: Vec<(String, String)>,
    /// Why
    #[arg(long, default_value = "")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    /// The gate: g-3, or latest where one is open
    #[arg(add = completion::gates())]
    pub(super) gate: String,
    /// Why
    #[arg(long, default_value = "", conflicts_with = "signed")]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) confirm: ConfirmArgs,
    #[command(flatten)]
    pub(super) sign: SignArgs,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    #[command(flatten)]
    pub(super) decide: DecideArgs,
    /// Give an emergency approval, in place of the whole quorum; for the group break-glass, with a reason of at least
    /// 20 characters
    #[arg(long, conflicts_with = "signed")]
    pub(super) break_glass: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    /// The gate: g-3, or latest where one is open
    #[arg(add = completion::gates())]
    pub(super) gate: String,
    /// Epoch of the emergency approval or override, where there is more than one; `cuelight gates` lists it
    #[arg(long, value_name = "N")]
    pub(super) epoch: Option<u32>,
    /// Finding of the review
    #[arg(long)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct DelegateArgs {
    /// The gate: g-3, or latest where one is open
    #[arg(add = completion::gates())]
    pub(super) gate: String,
    /// Person who may answer instead: a name of people.toml
    #[arg(long, value_name = "NAME")]
    pub(super) to: String,
    /// For how long; 8 hours when not given
    #[arg(long = "for", value_name = "8h")]
    pub(super) lasts: Option<Span>,
    /// Why
    #[arg(long, default_value = "")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct CommentArgs {
    /// The gate: g-3, or latest where one is open
    #[arg(add = completion::gates())]
    pub(super) gate: String,
    /// Text of the comment
    pub(super) text: String,
}

/// `approve`: the one answer that a person may give alone in an emergency.
pub(super) async fn approve(config: &Config, out: Output, args: ApproveArgs) -> Outcome {
    answer(config, out, args.decide, (Verdict::Approve, args.break_glass)).await
}

/// `reject` and `gate send-back`.
pub(super) async fn decide(config: &Config, out: Output, args: DecideArgs, verdict: Verdict) -> Outcome {
    answer(config, out, args, (verdict, false)).await
}

async fn answer(
    config: &Config,
    out: Output,
    args: DecideArgs,
    (verdict, break_glass): (Verdict, bool),
) -> Outcome {
    let (seat, view) = seat_at(config, &args.gate).await?;
    let gate = view.id;
    let form = match answered(&seat, &view, &args, verdict).await {
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
        break_glass,
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
    let stood = view.law().vote_of(&decision.by).is_some_and(|vote| vote.verdict == verdict);
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

/// Why nobody can sign under this name; none when people.toml has it.
fn unknown(seat: &Seat, name: &str) -> Option<String> {
    let name = safe_text(name);
    match seat.people.as_slice() {
        [] => Some(format!(
            "could not sign as {name}: this workspace has no people.toml; list the person there with a key (docs/workflow.md)"
        )),
        known if known.contains(&name) => None,
        known => {
            let known = safe_text(&known.join(", "));
            Some(format!("could not sign as {name}: people.toml has no person of that name; known: {known}"))
        }
    }
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
    let log = log.map_err(|error| Trouble::not_recorded(error.to_string()))?;
    match signing::sign(decision, view, (&trace, &log), args) {
        Ok(Signed::Given) => Ok(Ok(seat)),
        Ok(Signed::Written(what)) => {
            seat.leave().await;
            say(&what);
            Ok(Err(ExitCode::SUCCESS))
        }
        Err(trouble) => {
            // The person is missing before their key is. With a key, the engine judges and records the attempt.
            let why = args.signer.as_ref().and_then(|name| unknown(&seat, name));
            left(seat, why.map_or(trouble, Trouble::usage)).await.map(Err)
        }
    }
}

/// The form of an answer, once the answer is confirmed. A no needs neither a form nor a code.
async fn answered(
    seat: &Seat,
    view: &Arc<GateView>,
    args: &DecideArgs,
    verdict: Verdict,
) -> Result<ValueMap, Trouble> {
    let verb = if verdict == Verdict::SendBack { "send back" } else { verdict.word() };
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
    confirm(seat, view, &args.confirm, wanted, verb).await
}

/// Prints the whole ask, with the content of its evidence.
async fn show_ask(seat: &Seat, view: &Arc<GateView>) {
    let contents = Contents::read(seat, view).await;
    let run = seat.desk.boards().borrow().board.run(view.run).cloned();
    say(&ask_text::text(view, run.as_deref(), &contents, (&seat.actor, SystemClock.now())));
}

/// Closes a gate by hand: the whole ask is shown, and confirmed as an approval of high risk is.
pub(super) async fn override_gate(
    seat: Seat,
    out: Output,
    view: &Arc<GateView>,
    reason: String,
    (args, sign): (&ConfirmArgs, &SignArgs),
) -> Outcome {
    // Who has signed elsewhere has read the ask there.
    let wanted = if sign.signed.is_some() { Wanted::Nothing } else { Wanted::FormAndCode };
    let form = match confirm(&seat, view, args, wanted, "override").await {
        Ok(form) => form,
        Err(trouble) => {
            if !is_at_terminal() {
                show_ask(&seat, view).await;
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
    let said = format!("{gate} is overridden; another person must review it: cuelight gate review {gate}");
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

/// Checks that the ask was read, and returns the values of its form. The engine decides who may answer, from
/// the process of the sender.
///
/// At a terminal the whole ask is shown, then each open field is asked for, then the code is typed.
async fn confirm(
    seat: &Seat,
    view: &Arc<GateView>,
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
        show_ask(seat, view).await;
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
        |hash: Digest| [hash.to_string(), hash.code()].iter().any(|hash| hash.eq_ignore_ascii_case(&named));
    if is_name_of(view.hash) {
        return None;
    }
    let gate = view.id;
    let show = format!("`cuelight gates --show {gate}`");
    if view.previous.as_ref().is_some_and(|previous| is_name_of(ask_hash(previous))) {
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
    let has_delegated =
        view.delegations().iter().any(|delegation| delegation.by.principal() == by.principal());
    let said = match (view.has_voted(&by), has_delegated) {
        (true, true) => format!("your vote at {gate} is withdrawn, and your delegation there is revoked"),
        (false, true) => format!("your delegation at {gate} is revoked; you can answer again"),
        (_, false) => format!("your vote at {gate} is withdrawn"),
    };
    at_gate(seat, out, &view, Command::Withdraw { gate, by }, |_, _| said).await
}

pub(super) async fn delegate(config: &Config, out: Output, args: DelegateArgs) -> Outcome {
    let (seat, gate) = named::act_at(config, &args.gate).await?;
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
        let mine = now.delegations().iter().find(|delegation| delegation.by.principal() == me.principal());
        let until = mine.map_or_else(String::new, |delegation| format!(" until {}", delegation.until));
        format!(
            "{to} answers at {gate} instead of you{until}; end it with `cuelight gate withdraw {gate}`{unchecked}"
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

/// The epoch of the approval to review: the named one, else the only one that nobody has reviewed.
fn epoch_to_review(gate: &Arc<GateView>, named: Option<Epoch>) -> Result<Epoch, Trouble> {
    let due: Vec<&Arc<GateView>> = gate.emergencies().filter(|emergency| emergency.awaits_review()).collect();
    match (named, due.as_slice()) {
        (Some(epoch), _) => Ok(epoch),
        (None, []) => Ok(gate.emergencies().next_back().unwrap_or(gate).epoch()),
        (None, [one]) => Ok(one.epoch()),
        (None, several) => {
            let each = |gate: &&Arc<GateView>| {
                let by = gate
                    .broken_by
                    .as_ref()
                    .map_or_else(String::new, |by| format!(" by {}", safe_text(&by.name)));
                format!("--epoch {}{by}", gate.epoch())
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
    let mut values: ValueMap =
        view.ask.form.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
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
    let (seat, gate) = named::act_at(config, gate).await?;
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
    let is_approval = matches!(&command, Command::Decide(decision) if decision.verdict == Verdict::Approve);
    let reply = seat.desk.submit(Request { id: Entropy.request_id(), command }).await;
    let (board, is_void) = match &reply {
        Reply::Recorded(receipt) => {
            let board = board_from(&seat, receipt.seq, view.id).await;
            let asks = board
                .as_ref()
                .and_then(|board| board.gate(view.id))
                .filter(|gate| gate.epoch() > view.epoch());
            let is_void = is_approval && asks.is_some() && is_asked_again(&seat, view, receipt.seq).await;
            (board, is_void)
        }
        Reply::Refused(_) | Reply::Invalid { .. } | Reply::NotRecorded(_) => (None, false),
    };
    seat.leave().await;
    match reply {
        Reply::Recorded(_) if is_void => Err(Trouble::failed(format!(
            "could not approve {0}: what it shows has changed since it was asked, and it asks again: cuelight gates --show {0}",
            view.id
        ))),
        Reply::Recorded(_) => {
            let now = board.as_ref().and_then(|board| board.gate(view.id));
            let run = board.as_ref().and_then(|board| board.run(view.run));
            out.line(&said(now.map_or(view, |gate| gate), run.map(|run| &**run)));
            Ok(ExitCode::SUCCESS)
        }
        Reply::Refused(Refusal::NoGate(_)) => Err(named::over(view, verb)),
        Reply::Refused(refusal) => Err(Trouble::failed(refusal.to(verb))),
        reply => Err(refused(reply)),
    }
}

/// The verb of a command at a gate, as its person typed it.
fn verb_of(command: &Command) -> &'static str {
    match command {
        Command::Decide(decision) if decision.overrides => "override",
        Command::Decide(decision) if decision.verdict == Verdict::SendBack => "send back",
        Command::Decide(decision) => decision.verdict.word(),
        Command::Withdraw { .. } => "withdraw from",
        Command::EditForm { .. } => "edit",
        Command::Comment { .. } => "comment on",
        Command::Delegate { .. } => "delegate at",
        _ => "review",
    }
}

/// True if a gate has asked again after this vote, before it was approved: what it shows had changed, and the vote is void.
async fn is_asked_again(seat: &Seat, view: &GateView, seq: Seq) -> bool {
    let Ok((events, _)) = look::events_after(seat, view.run, seq).await else { return false };
    let of_gate = events.iter().find_map(|(_, event)| match &event.fact {
        Fact::Gate(_, _, gate, event) if *gate == view.id => match event {
            GateEvent::Asked { why, .. } => Some(why.is_some()),
            GateEvent::Resolved { .. } | GateEvent::Armed { .. } => Some(false),
            _ => None,
        },
        _ => None,
    });
    of_gate == Some(true)
}

/// The board that shows this event, and the end of a check of the approved files; nothing when it does not come in time.
async fn board_from(seat: &Seat, seq: Seq, gate: GateId) -> Option<Arc<Board>> {
    let mut boards = seat.desk.boards();
    let is_checked =
        |board: &Board| board.gate(gate).is_some_and(|gate| gate.is_open() && gate.law().is_checked());
    let shown = boards.wait_for(|seen| seen.board.seq >= seq && !is_checked(&seen.board));
    let seen = tokio::time::timeout(BOARD_WAIT, shown).await.ok()?.ok()?;
    Some(Arc::clone(&seen.board))
}
