//! Several gates at once: only those that are of low risk, of one kind, read to their end and marked by hand. Each is
//! approved with the ask that was read, on its own; what has changed since is not.

use super::{answers::may_not, ask_text::name_of, deciding::place, state::Other};
use crate::{
    About, Dialog, DialogField, Model, Preview, Role, Wish,
    dialog::{self, state::fact},
    layout,
    update::{requests, toast},
};
use cuelight_base::{DecisionId, GateId, Span, ValueMap, counted};
use cuelight_engine::{Ask, Command, Decision, GateAct, GateState, Verdict};
use cuelight_plan::Risk;
use cuelight_projection::{Attention, GateView};
use std::{collections::BTreeSet, sync::Arc};

/// Rows of the dialog beside the list of gates.
const AROUND: usize = 12;
/// Rows of the list that are searched for gates that ask the same, and gates that are read together.
const ROWS_MAX: usize = 2_000;
const ALIKE_MAX: usize = 100;

/// True if `a` concerns the marked gates, and not only the one under the cursor.
pub(super) fn is_meant(model: &Model) -> bool {
    let marked = &model.gates.marked;
    marked.len() > 1 || marked.keys().any(|gate| Some(*gate) != model.gates.gate())
}

/// Why a gate is none that can be decided with others, if it is not.
fn refusal(model: &Model, gate: &GateView) -> Option<String> {
    if gate.ask.risk > Risk::Reversible {
        return Some("its risk is not low".to_owned());
    }
    if gate.state != GateState::Open {
        return Some(format!("it is {}", gate.state));
    }
    if let Some(why) = may_not(model, gate, GateAct::Approve) {
        return Some(why);
    }
    let high = gate.ask.risk == Risk::Irreversible;
    if gate.ask.reason_required
        || gate.ask.form.iter().any(|field| (field.required || high) && field.value.is_null())
    {
        return Some("it wants more than a yes".to_owned());
    }
    let was_read = model.gates.read.get(&gate.id).is_some_and(|(read, _)| Arc::ptr_eq(read, &gate.ask));
    (!was_read).then(|| "it was not read to its end".to_owned())
}

/// The kind of a question: the step that asks, in any of its copies. A question of a model in a copy is a
/// kind of its own each time.
fn kind(gate: &GateView) -> (&str, &str) {
    let step = &gate.ask.step;
    let after = step.rsplit_once(']').map_or("", |halves| halves.1);
    let copies = if after.is_empty() { step.split('[').next().unwrap_or_default() } else { step };
    (&gate.ask.workflow, copies)
}

/// Other gates of the list that ask the same as this one, so that they are read with it: of the same kind and of low risk,
/// with the same files as evidence, and with all that an approval lets run and everybody who may answer equal to the bit.
/// The rows show the rest, which may differ.
pub(super) fn alike(model: &Model, gate: &GateView) -> Vec<Other> {
    let evidence = |gate: &GateView| -> Vec<_> {
        let files = gate.ask.evidence.iter().filter(|item| item.text.is_none());
        files.map(|item| (item.title.clone(), item.digest)).collect()
    };
    let is_alike = |other: &GateView| {
        other.id != gate.id
            && other.state == GateState::Open
            && other.ask.risk <= Risk::Reversible
            && kind(other) == kind(gate)
            && releases_the_same(&other.ask, &gate.ask)
            && evidence(other) == evidence(gate)
    };
    if gate.ask.risk > Risk::Reversible {
        return Vec::new();
    }
    let others = model.gates.rows.iter().take(ROWS_MAX).filter_map(|row| match row.what {
        Attention::Gate(other) => model.board.gate(other).filter(|other| is_alike(other)),
        Attention::Doubt | Attention::StuckUndo | Attention::Review(..) => None,
    });
    let with_run = |other: &Arc<GateView>| (Arc::clone(other), model.board.run(other.run).cloned());
    others.take(ALIKE_MAX).map(with_run).collect()
}

fn releases_the_same(one: &Ask, other: &Ask) -> bool {
    one.definition == other.definition
        && one.will_run == other.will_run
        && one.writes == other.writes
        && one.later == other.later
        && one.all == other.all
        && one.snapshot == other.snapshot
        && one.binds == other.binds
        && one.claim == other.claim
        && one.form == other.form
        && (&one.require, &one.excluded, &one.escalate) == (&other.require, &other.excluded, &other.escalate)
        && (&one.policy, &one.requester) == (&other.policy, &other.requester)
        && (one.touch, one.reason_required, one.undo_window)
            == (other.touch, other.reason_required, other.undo_window)
}

/// Marks the gate under the cursor, or takes its mark away; false when it cannot be marked.
pub(super) fn toggle(model: &mut Model) -> bool {
    let Some(gate) = model.gates.gate().and_then(|gate| model.board.gate(gate)).cloned() else {
        return false;
    };
    if model.gates.marked.remove(&gate.id).is_some() {
        return true;
    }
    if refusal(model, &gate).is_some() {
        return false;
    }
    put(model, &gate);
    true
}

fn put(model: &mut Model, gate: &GateView) {
    model.gates.marked.insert(gate.id, (gate.epoch(), gate.hash));
    model.gates.marked_last = Some(gate.id);
}

/// Marks all that can be: from the last mark to the cursor, or everywhere. Says what could not be, and why.
pub(super) fn mark(model: &mut Model, range: bool) {
    let ids: Vec<Option<GateId>> = model
        .gates
        .rows
        .iter()
        .map(|row| match row.what {
            Attention::Gate(gate) => Some(gate),
            Attention::Doubt | Attention::StuckUndo | Attention::Review(..) => None,
        })
        .collect();
    let at = |gate: Option<GateId>| ids.iter().position(|id| id.is_some() && *id == gate);
    let (from, to) = if range {
        let here = at(model.gates.gate()).unwrap_or(0);
        let there = at(model.gates.marked_last).unwrap_or(here);
        (here.min(there), here.max(there) + 1)
    } else {
        (0, ids.len())
    };
    let mut left: Option<(GateId, String)> = None;
    let mut more = 0;
    for id in ids.iter().take(to).skip(from).flatten() {
        let Some(gate) = model.board.gate(*id).cloned() else { continue };
        match refusal(model, &gate) {
            None => put(model, &gate),
            Some(why) if left.is_none() => left = Some((*id, why)),
            Some(_) => more += 1,
        }
    }
    if let Some((gate, why)) = left {
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        toast(model, &format!("{gate} is not marked: {why}{more}"), Role::Info);
    }
}

/// Marks stand for what was read: those of gates that ask something else now, or nothing any more, go.
pub(super) fn forget(model: &mut Model) {
    let board = Arc::clone(&model.board);
    let stands = |gate: GateId| board.gate(gate).filter(|gate| gate.state == GateState::Open);
    model
        .gates
        .marked
        .retain(|gate, seen| stands(*gate).is_some_and(|stands| (stands.epoch(), stands.hash) == *seen));
}

/// Opens the dialog that lists every gate that is marked, each with its own ask.
pub(super) fn open(model: &mut Model) {
    if let Some(why) = model.locked() {
        return toast(model, &format!("could not approve: {why}"), Role::Warn);
    }
    let marked: Vec<Arc<GateView>> =
        model.gates.marked.keys().filter_map(|gate| model.board.gate(*gate)).cloned().collect();
    let room = usize::from(layout::frame(model.size).body.height).saturating_sub(AROUND);
    let kinds: BTreeSet<_> = marked.iter().map(|gate| kind(gate)).collect();
    let why = match marked.iter().find_map(|gate| Some((gate.id, refusal(model, gate)?))) {
        Some((gate, why)) => Some(format!("{gate}: {why}")),
        None if kinds.len() > 1 => {
            Some("the marked gates ask different things; Esc takes the marks away".to_owned())
        }
        None if marked.len() > room => Some(format!("only {room} of them fit on this screen; mark fewer")),
        None => None,
    };
    if let Some(why) = why {
        return toast(model, &format!("could not approve: {why}"), Role::Warn);
    }
    let Some(first) = marked.first() else { return };
    let mut facts = vec![fact("on", place(model, &first.ask), Role::Text)];
    for gate in &marked {
        let ask = &gate.ask;
        let question = cuelight_base::shorten(ask.prompt.lines().next().unwrap_or_default(), 48);
        let text = format!("ask {}  {}  {question}", name_of(gate.hash), ask.run);
        facts.push(fact(&gate.id.to_string(), text, Role::Info));
    }
    let mut commands: Vec<Command> = marked.iter().map(|gate| approval(model, gate)).collect();
    let title = format!("Approve {} of {}?", counted(marked.len(), "gate", "gates"), first.ask.workflow);
    let command = commands.remove(0);
    let means = "each is approved for the ask that you read; one that changes meanwhile is not".to_owned();
    dialog::asking::show(
        model,
        Dialog {
            title,
            verb: format!("Approve {}", marked.len()),
            facts,
            fields: vec![DialogField::new("comment", false)],
            others: commands,
            about: About::MarkedGates,
            ..Dialog::of(command, Preview::Known(vec![means]))
        },
    );
}

fn approval(model: &Model, gate: &GateView) -> Command {
    let key = (Attention::Gate(gate.id), gate.run, gate.step);
    let seen = model.gates.seen.get(&key).map_or(Span(0), |seen| seen.shown);
    let now = model
        .gates
        .drawn
        .filter(|drawn| drawn.gate == gate.id || is_shown_beside(model, gate.id))
        .map_or(Span(0), |drawn| model.now.since(drawn.since));
    Command::Decide(Box::new(Decision {
        id: DecisionId(String::new()),
        gate: gate.id,
        epoch: gate.epoch(),
        ask: gate.hash,
        verdict: Verdict::Approve,
        reason: String::new(),
        by: model.seat.actor.clone(),
        shown_for: Some(Span(seen.0 + now.0)),
        break_glass: false,
        overrides: false,
        form: ValueMap::new(),
    }))
}

/// True if what this gate differs in stands below the ask of the one under the cursor.
fn is_shown_beside(model: &Model, gate: GateId) -> bool {
    model.gates.text.as_ref().is_some_and(|text| text.others.iter().any(|(other, _)| other.id == gate))
}

/// The last look before they leave: each has to be about the ask that was marked, and of this board.
pub(super) fn hand_over(model: &mut Model, commands: Vec<Command>, wishes: &mut Vec<Wish>) {
    let stands = |model: &Model, decision: &Decision| {
        let seen = (decision.epoch, decision.ask);
        let now = model.board.gate(decision.gate).map(|gate| (gate.epoch(), gate.hash));
        model.gates.marked.get(&decision.gate) == Some(&seen) && now == Some(seen)
    };
    let mut changed = 0;
    for command in commands {
        match &command {
            Command::Decide(decision) if stands(model, decision) => {
                model.gates.marked.remove(&decision.gate);
                requests::submit(model, command, wishes);
            }
            Command::Decide(_) => changed += 1,
            _ => requests::submit(model, command, wishes),
        }
    }
    if changed > 0 {
        toast(model, &format!("{changed} of them ask something else now and were not decided"), Role::Warn);
    }
}
