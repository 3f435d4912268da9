//! `approve`, `reject` and the commands of `gate` on one gate: answers of a person.

use super::{
    act::{left, refused},
    ask_text, completion,
    form::{self, ConfirmArgs},
    named,
    signing::{self, SignArgs, Signed},
};
use crate::{
    app::{
        args::key_value,
        config::Config,
        exit::{Outcome, Trouble},
        output::{Output, say},
        wiring::Seat,
    },
    base::{Epoch, Span, Value, ValueMap, json_if_any, safe_text},
    engine::{Command, Decision, Refusal, Verdict},
    plan::Risk,
    projection::GateView,
    runtime::{Desk, Entropy, Reply, Request},
    store::log_name,
};
use clap::Args;
use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
};

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
    /// Give an emergency approval, in place of the whole quorum; for the group break-glass, with a reason of at least
    /// 20 characters
    #[arg(long, conflicts_with = "signed")]
    pub(super) break_glass: bool,
    #[command(flatten)]
    pub(super) sign: SignArgs,
}

#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    /// The gate: g-3, or latest where one is open
    #[arg(add = completion::gates())]
    pub(super) gate: String,
    /// In which epoch of the gate it was approved so, where it was more than once: `cuelight gates` tells
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
    /// For how long
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

pub(super) async fn decide(config: &Config, out: Output, args: DecideArgs, verdict: Verdict) -> Outcome {
    let (seat, view) = seat_at(config, &args.gate).await?;
    let gate = view.id;
    let form = match answered(&view, &args, verdict) {
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
    let said = match verdict {
        Verdict::Approve if decision.break_glass => {
            format!("{gate} has an emergency approval by {who}; another person must review it")
        }
        Verdict::Approve => format!("{whose} is recorded"),
        Verdict::Reject => format!("{gate} is rejected"),
        Verdict::SendBack => format!("{gate} was sent back; it asks again after those steps"),
    };
    at_gate(seat, out, &view, Command::Decide(Box::new(decision)), &said).await
}

/// Gives an answer its author. Nothing more is to be done where it was only written down to be signed.
async fn signed(
    seat: Seat,
    decision: &mut Decision,
    view: &Arc<GateView>,
    args: &SignArgs,
) -> Result<Result<Seat, ExitCode>, Trouble> {
    let trace = seat.desk.boards().borrow().board.trace_of(view.id).unwrap_or_default().to_owned();
    let log = log_name(&seat.workspace).map_err(|it| Trouble::not_recorded(it.to_string()))?;
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
fn answered(view: &Arc<GateView>, args: &DecideArgs, verdict: Verdict) -> Result<ValueMap, Trouble> {
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
    confirm(view, &args.confirm, wanted, verb)
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
    let form = match confirm(view, args, wanted, "override") {
        Ok(form) => form,
        Err(trouble) => {
            if !is_at_terminal() {
                say(&ask_text::text(view));
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
    at_gate(seat, out, view, Command::Decide(Box::new(decision)), &said).await
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
    args: &ConfirmArgs,
    wanted: Wanted,
    verb: &str,
) -> Result<ValueMap, Trouble> {
    let gate = view.id;
    let could_not = |why: &str| Trouble::usage(format!("could not {verb} {gate}: {why}"));
    if let Some(named) = &args.ask {
        let whole = [view.hash.to_string(), view.hash.code()];
        let is_it = whole.iter().any(|it| it.eq_ignore_ascii_case(named.trim().trim_start_matches('#')));
        let why = format!("it asks something else by now; read `cuelight gates --show {gate}` again");
        is_it.then_some(()).ok_or_else(|| could_not(&why))?;
    }
    let given = form::from_flags(view, args)?;
    if wanted == Wanted::Nothing {
        return Ok(given);
    }
    let has_code = args.ask.is_none() && wanted == Wanted::FormAndCode;
    if !is_at_terminal() {
        if has_code {
            return Err(could_not(&format!(
                "{}; answer in the console or at a terminal, or name the ask that was read, as `cuelight gates --show {gate}` \
                 ends: --ask NAME",
                if verb == "override" {
                    "a gate is closed by hand only with its ask read"
                } else {
                    "its risk is high"
                }
            )));
        }
        return form::require_all(view, &given).map(|()| given);
    }
    let is_open = given.len() < view.ask.form.len();
    if has_code || is_open {
        say(&ask_text::text(view));
    }
    let form = form::from_terminal(view, given)?;
    if has_code {
        type_code(verb).map_err(|why| could_not(&why))?;
    }
    Ok(form)
}

fn is_at_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Has a code typed that is drawn for this moment. It keeps a hand from being too fast.
fn type_code(verb: &str) -> Result<(), String> {
    let code = Entropy.code();
    say(&format!("To {verb}, type {code} and Enter; anything else is no answer."));
    let mut typed = String::new();
    io::stdin().read_line(&mut typed).map_err(|why| format!("nothing could be read: {why}"))?;
    let is_it = typed.trim().eq_ignore_ascii_case(&code);
    is_it.then_some(()).ok_or_else(|| "that was not the code; nothing was answered".to_owned())
}

pub(super) async fn withdraw(config: &Config, out: Output, args: GateArgs) -> Outcome {
    let (seat, view) = seat_at(config, &args.gate).await?;
    let gate = view.id;
    let by = seat.actor.clone();
    let said = format!("your vote on {gate} was withdrawn");
    at_gate(seat, out, &view, Command::Withdraw { gate, by }, &said).await
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
    let said =
        format!("{} may answer at {gate} in your place; `cuelight gate withdraw {gate}` ends that", args.to);
    let command = Command::Delegate { gate, to: args.to, lasts: args.lasts, reason: args.reason, by };
    at_gate(seat, out, &view, command, &said).await
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
    at_gate(seat, out, &view, command, &format!("your review of {gate} is recorded")).await
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
    at_gate(seat, out, &view, Command::Comment { gate, text: args.text, by }, "said").await
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
    let said = format!("{gate} asks again with your parameters; all votes are void");
    at_gate(seat, out, &view, command, &said).await
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

/// Sends what concerns a gate; the engine no longer holds one whose run rested long ago.
async fn at_gate(seat: Seat, out: Output, view: &GateView, command: Command, said: &str) -> Outcome {
    let reply = seat.desk.submit(Request { id: Entropy.request_id(), command }).await;
    seat.leave().await;
    match reply {
        Reply::Recorded(_) => {
            out.line(said);
            Ok(ExitCode::SUCCESS)
        }
        Reply::Refused(Refusal::NoGate(_)) => Err(named::over(view)),
        reply => Err(refused(reply)),
    }
}
