//! Random votes, delegations, withdrawals and edits in any order. A gate is approved exactly when enough
//! different people who may have agreed. Nobody without the right gets around that by an override or in an
//! emergency. The engine is compared with a model that counts on its own.
//!
//! `CUELIGHT_PEOPLE_SETS` sets the number of random sets; the seed of each is its number.

use super::door::plan;
use crate::disk_fixture::Looked;
use cuelight_base::{Actor, Channel, DecisionId, GateId, Proof, Span, StepIx, Timestamp, Token, ValueMap};
use cuelight_engine::{
    Ask, CauseOfLaunch, Command, Decision, Event, Fact, GateEvent, GateState, Launching, Verdict, World,
};
use cuelight_plan::{Plan, Quorum, Work};
use std::sync::Arc;

const GROUPS: [&str; 3] = ["sre", "product", "legal"];
/// Long enough for an emergency.
const REASON: &str = "the shop is down and nobody answers";

pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % most
    }

    pub(super) fn index(&mut self, most: usize) -> usize {
        usize::try_from(self.below(most as u64)).expect("small")
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Somebody: several may be one person under other names.
fn people(dice: &mut Dice) -> Vec<Actor> {
    let count = 3 + dice.index(4);
    (0..count)
        .map(|index| {
            let id = if dice.chance(15) { 0 } else { u32::try_from(index).expect("few") };
            let proof = match id % 3 {
                0 => Proof::OsUser(id),
                1 => Proof::Token(Box::new(Token {
                    id: format!("t{index}"),
                    subject: format!("s{index}"),
                    key: "k".to_owned(),
                    person: Some(format!("p{id}")),
                    maker: None,
                    project: None,
                })),
                _ => Proof::Key(format!("p{id}")),
            };
            let mut groups: Vec<String> =
                GROUPS.iter().filter(|_| dice.chance(45)).map(|group| (*group).to_owned()).collect();
            groups.extend(dice.chance(10).then(|| "break-glass".to_owned()));
            Actor { name: format!("p{index}"), proof, groups, channel: Channel::Command }
        })
        .collect()
}

/// A vote that stands, and what it may be counted as.
struct Standing {
    principal: String,
    /// The groups of each whose answer it is: the voter's own, then those who had handed theirs on.
    groups: Vec<Vec<String>>,
    /// The principals whose answer it is.
    uses: Vec<String>,
}

/// The model of one gate.
#[derive(Default)]
struct Model {
    votes: Vec<Standing>,
    editors: Vec<String>,
    /// By, to, until, groups.
    handed: Vec<(String, String, Timestamp, Vec<String>)>,
    /// Nobody who stands here may count.
    excluded: Vec<String>,
    /// True if somebody approved alone, in an emergency.
    alone: bool,
    /// True if somebody overrode the gate.
    by_hand: bool,
}

impl Model {
    /// True if places can be given to votes, each vote to one place; all assignments are tried.
    fn is_enough(&self, require: &[Quorum]) -> bool {
        fn fill(places: &[&Quorum], votes: &[&Standing], used: &mut Vec<bool>) -> bool {
            let Some((place, rest)) = places.split_first() else { return true };
            for (index, vote) in votes.iter().enumerate() {
                let fits =
                    |groups: &Vec<String>| place.group.as_ref().is_none_or(|group| groups.contains(group));
                if used[index] || !vote.groups.iter().any(fits) {
                    continue;
                }
                used[index] = true;
                if fill(rest, votes, used) {
                    return true;
                }
                used[index] = false;
            }
            false
        }
        let places: Vec<&Quorum> =
            require.iter().flat_map(|quorum| (0..quorum.count).map(move |_| quorum)).collect();
        let votes: Vec<&Standing> = self.votes.iter().collect();
        fill(&places, &votes, &mut vec![false; votes.len()])
    }

    /// No person twice, nobody who is excluded, no answer used by two.
    fn is_sound(&self) -> Result<(), String> {
        let mut uses: Vec<&String> = self.votes.iter().flat_map(|vote| &vote.uses).collect();
        uses.sort();
        if uses.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(format!("somebody counts twice: {uses:?}"));
        }
        match self.votes.iter().flat_map(|vote| &vote.uses).find(|principal| self.is_out(principal)) {
            Some(who) => Err(format!("{who} is excluded and counts")),
            None => Ok(()),
        }
    }

    fn is_out(&self, principal: &str) -> bool {
        self.excluded.iter().chain(&self.editors).any(|text| text == principal)
    }
}

/// One random gate, with random people around it.
struct Set {
    dice: Dice,
    people: Vec<Actor>,
    world: World,
    now: Timestamp,
    model: Model,
    require: Vec<Quorum>,
    seen: (GateId, Ask, cuelight_base::Digest),
    state: GateState,
    decisions: u32,
}

impl Set {
    fn new(base: &Plan, seed: u64) -> Option<Self> {
        let mut dice = Dice(seed);
        let people = people(&mut dice);
        let mut plan = base.clone();
        let forbid = dice.chance(50).then(|| "run.actor".to_owned());
        let also = dice.chance(30).then(|| people[dice.index(people.len())].name.clone());
        let count = 1 + dice.index(3);
        let require: Vec<Quorum> = (0..count)
            .map(|_| Quorum {
                group: dice.chance(85).then(|| GROUPS[dice.index(3)].to_owned()),
                count: 1 + u32::try_from(dice.below(2)).expect("small"),
            })
            .collect();
        if let Work::Gate(rule) = &mut plan.steps[0].work {
            let rule = Arc::make_mut(rule);
            rule.require.clone_from(&require);
            rule.forbid = forbid.iter().chain(&also).cloned().collect();
        }
        let by = people[dice.index(people.len())].clone();
        let wanted: u32 = require.iter().map(|quorum| quorum.count).sum();
        let mut model = Model::default();
        if forbid.is_some() || wanted > 1 {
            model.excluded.push(by.principal());
        }
        let named = people.iter().filter(|person| Some(&person.name) == also.as_ref());
        let excluded: Vec<String> = named.map(Actor::principal).collect();
        // A name stands for one who goes by it: under another name the same person is not found by it.
        if people
            .iter()
            .any(|person| excluded.contains(&person.principal()) && Some(&person.name) != also.as_ref())
        {
            return None;
        }
        model.excluded.extend(excluded);
        let launch =
            Launching { plan, by, seed, cause: CauseOfLaunch::Asked, trace: String::new(), request: None };
        let mut world = World::default();
        let now = Timestamp(1_800_000_000_000);
        let mut events = Vec::new();
        world.handle(Command::Launch(Box::new(launch)), now, &mut events).expect("a run");
        for answer in Looked::default().answers(&events) {
            world.handle(answer, now, &mut events).expect("an answer");
        }
        let seen = events.iter().find_map(asked).expect("a gate asks");
        Some(Self { dice, people, world, now, model, require, seen, state: GateState::Open, decisions: 0 })
    }

    fn step(&mut self) -> Result<(), String> {
        let by = self.people[self.dice.index(self.people.len())].clone();
        let gate = self.seen.0;
        self.now = self.now + Span(self.dice.below(40 * 60_000));
        let principal = by.principal();
        let (run, step) = (self.seen.1.run, StepIx(0));
        let form = self.form();
        let command = match self.dice.below(24) {
            0..12 => {
                // Now and then an id that was used before.
                self.decisions += u32::from(!self.dice.chance(5));
                Command::Decide(Box::new(Decision {
                    id: DecisionId(format!("d{}", self.decisions)),
                    gate,
                    epoch: self.seen.1.epoch,
                    ask: self.seen.2,
                    verdict: Verdict::Approve,
                    reason: REASON.to_owned(),
                    by: by.clone(),
                    shown_for: None,
                    break_glass: self.dice.chance(5),
                    overrides: self.dice.chance(15),
                    form,
                }))
            }
            12 | 13 => {
                let reason = REASON.to_owned();
                let command = if self.dice.chance(50) {
                    Command::Skip { run, step, reason, by: by.clone() }
                } else {
                    Command::Done { run, step, outputs: ValueMap::new(), reason, by: by.clone() }
                };
                if self.world.preview(command, self.now).is_ok() {
                    return Err("a gate is closed by hand, and nobody overrode it".to_owned());
                }
                return Ok(());
            }
            14..20 => Command::Delegate {
                gate,
                to: self.people[self.dice.index(self.people.len())].name.clone(),
                lasts: Some(Span(1 + self.dice.below(2 * 3_600_000))),
                reason: String::new(),
                by: by.clone(),
            },
            20..22 => Command::Withdraw { gate, by: by.clone() },
            _ => {
                let n = self.dice.below(1_000_000).into();
                Command::EditForm {
                    gate,
                    epoch: self.seen.1.epoch,
                    values: ValueMap::from_iter([("n".to_owned(), n)]),
                    reason: String::new(),
                    by: by.clone(),
                }
            }
        };
        let mut events = Vec::new();
        if self.world.handle(command, self.now, &mut events).is_err() {
            return Ok(());
        }
        for event in &events {
            self.see(event, &by, &principal);
        }
        self.model.is_sound()?;
        if self.model.alone {
            return self.is_excused(&by);
        }
        let approved = self.state == GateState::Approved;
        if approved == self.model.is_enough(&self.require) {
            Ok(())
        } else {
            Err(format!("approved {approved}, and the votes are {:?}", self.names()))
        }
    }

    /// Checks that this person may have closed the gate alone, in an emergency.
    fn is_excused(&self, by: &Actor) -> Result<(), String> {
        let principal = by.principal();
        if self.model.is_out(&principal) {
            return Err(format!("{principal} is excluded and closed it"));
        }
        let may = by.groups.iter().any(|group| group == "break-glass");
        if may { Ok(()) } else { Err(format!("{principal} is in no emergency")) }
    }

    /// Now and then the voter fills in the form.
    fn form(&mut self) -> ValueMap {
        let n = (self.dice.chance(20)).then(|| ("n".to_owned(), self.dice.below(3).into()));
        n.into_iter().collect()
    }

    fn see(&mut self, event: &Event, by: &Actor, principal: &str) {
        let Fact::Gate(_, _, _, gate_event) = &event.fact else { return };
        match gate_event {
            GateEvent::Asked { .. } => {
                self.seen = asked(event).expect("it is one");
                self.model.votes.clear();
            }
            GateEvent::GlassBroken(_) => self.model.alone = true,
            GateEvent::Voted(_) | GateEvent::Overridden(_) => {
                let handed = self.model.handed.iter().filter(|row| {
                    row.1 == by.name
                        && row.2 > self.now
                        && row.0 != principal
                        && !self.model.is_out(&row.0)
                        && self.model.votes.iter().all(|vote| !vote.uses.contains(&row.0))
                });
                let (uses, groups): (Vec<String>, Vec<Vec<String>>) =
                    handed.map(|row| (row.0.clone(), row.3.clone())).unzip();
                self.model.votes.push(Standing {
                    principal: principal.to_owned(),
                    groups: std::iter::once(by.groups.clone()).chain(groups).collect(),
                    uses: std::iter::once(principal.to_owned()).chain(uses).collect(),
                });
            }
            GateEvent::Withdrawn { .. } => {
                self.model.votes.retain(|vote| vote.principal != principal);
                self.model.handed.retain(|row| row.0 != principal);
            }
            GateEvent::Edited { .. } => self.model.editors.push(principal.to_owned()),
            GateEvent::Delegated { to, until, .. } => {
                self.model.handed.retain(|row| row.0 != principal);
                self.model.handed.push((principal.to_owned(), to.clone(), *until, by.groups.clone()));
            }
            GateEvent::Resolved { state, by, .. } => {
                self.state = *state;
                self.model.by_hand = by == "override";
            }
            _ => {}
        }
    }

    fn names(&self) -> Vec<&str> {
        self.model.votes.iter().map(|vote| vote.principal.as_str()).collect()
    }
}

fn asked(event: &Event) -> Option<(GateId, Ask, cuelight_base::Digest)> {
    match &event.fact {
        Fact::Gate(_, _, gate, GateEvent::Asked { ask, hash, .. }) => Some((*gate, (**ask).clone(), *hash)),
        _ => None,
    }
}

#[test]
fn nobody_counts_twice_and_nobody_who_is_excluded_counts_whatever_people_do() {
    let sets =
        std::env::var("CUELIGHT_PEOPLE_SETS").ok().and_then(|value| value.parse().ok()).unwrap_or(2_000_u64);
    let base = plan(
        "steps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s, form: {n: {type: integer, default: 5}}}}",
    );
    let (mut tried, mut approved, mut alone, mut by_hand) = (0, 0, 0, 0);
    for seed in 0..sets {
        let Some(mut set) = Set::new(&base, seed) else { continue };
        tried += 1;
        for _ in 0..14 {
            if set.state != GateState::Open {
                break;
            }
            if let Err(why) = set.step() {
                panic!("set {seed}: {why}");
            }
        }
        approved += u64::from(set.state == GateState::Approved);
        alone += u64::from(set.model.alone);
        by_hand += u64::from(set.model.by_hand);
    }
    assert!(approved > tried / 20 && approved < tried, "{approved} of {tried} were approved");
    assert!(alone > 0 && by_hand > 0, "{alone} in an emergency, {by_hand} by hand");
}
