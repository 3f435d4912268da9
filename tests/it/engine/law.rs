//! One law: what a board says that somebody may do at a gate is what the engine accepts, and changes something by; what
//! the console lights, and what the JSON of the commands and of the API lists, is the same. Random people, groups, quorums,
//! rules, hand-overs, edits, answers, people.toml that change, and time, against every action of everybody.
//!
//! `CUELIGHT_LAWS` says how many random gates are tried; the seed of each is its number.

use super::{door::plan, people::Dice};
use crate::{console::seat, disk_fixture::Looked};
use cuelight_base::{
    Actor, AttemptId, Channel, DecisionId, Digest, GateId, Proof, RunId, Seq, Signature, Span, Timestamp,
    Token, Touch, Value, ValueMap,
};
use cuelight_console::{Keymap, LookOfScreen, Message, Model, Theme, draw, parse_keys, to_text, update};
use cuelight_engine::{
    AttemptEvent, CauseOfLaunch, Command, Decision, Event, Fact, GateAct, GateState, Launching, Member,
    Membership, Outcome, PeopleSigner, Standing, Verdict, World,
};
use cuelight_plan::{Plan, Quorum, Risk, Work};
use cuelight_projection::{Attention, Board, GateView, gate_json};
use ratatui::{buffer::Buffer, layout::Rect};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const GROUPS: [&str; 4] = ["sre", "product", "legal", "break-glass"];
const REASON: &str = "the shop is down and nobody answers";
const GATE: GateId = GateId(1);
/// As many people are looked at after each of them.
const LOOKED_AT: usize = 4;
/// The answers as the console lists them: key, word, and the word of the law.
const WORDS: [(&str, &str, &str); 9] = [
    ("a", "approve", "approve"),
    ("r", "reject", "reject"),
    ("b", "send back", "send-back"),
    ("!", "emergency", "break-glass"),
    ("S", "override", "override"),
    ("D", "delegate", "delegate"),
    ("u", "withdraw", "withdraw"),
    ("e", "edit", "edit"),
    ("O", "review", "review"),
];
/// So many of a hundred looks is at the screen, too.
const CONSOLES: u64 = 5;
/// As many things happen at each gate.
const STEPS: usize = 12;

/// A world and a board that fold one log, and people around them.
struct Case {
    dice: Dice,
    world: World,
    board: Board,
    journal: Vec<Event>,
    now: Timestamp,
    looked: Looked,
    /// Requests to a disk that are not answered yet.
    unanswered: Vec<Command>,
    /// People.toml as it is.
    members: BTreeMap<String, Member>,
    decisions: u32,
}

/// Counts of a gate's decisions: allowed and refused.
#[derive(Default)]
struct Sum {
    yes: u64,
    no: u64,
    acts: BTreeMap<String, u64>,
    states: BTreeMap<&'static str, u64>,
    /// Answers that a console has lit.
    lit: BTreeSet<&'static str>,
}

impl Case {
    fn new(base: &Plan, seed: u64) -> Self {
        let mut case = Self {
            dice: Dice(seed),
            world: World::default(),
            board: Board::default(),
            journal: Vec::new(),
            now: Timestamp(1_800_000_000_000),
            looked: Looked::default(),
            unanswered: Vec::new(),
            members: BTreeMap::new(),
            decisions: 0,
        };
        if case.dice.chance(70) {
            case.change_people();
        }
        let mut plan = base.clone();
        case.rule(&mut plan);
        let by = if case.dice.chance(25) {
            let (proof, channel) = (Proof::Schedule(1), Channel::Schedule);
            Actor { name: "nightly".to_owned(), proof, groups: Vec::new(), channel }
        } else {
            case.somebody()
        };
        let cause = CauseOfLaunch::Asked;
        let launch = Launching { plan, by, seed, cause, trace: String::new(), request: None };
        case.does(Command::Launch(Box::new(launch))).expect("a run");
        case.answer_all();
        case
    }

    fn rule(&mut self, plan: &mut Plan) {
        let dice = &mut self.dice;
        let Work::Gate(rule) = &mut plan.steps[1].work else { panic!("the second step is the gate") };
        let rule = Arc::make_mut(rule);
        rule.require = (0..dice.index(3))
            .map(|_| Quorum {
                group: dice.chance(80).then(|| GROUPS[dice.index(3)].to_owned()),
                count: 1 + u32::from(dice.chance(30)),
            })
            .collect();
        let forbid = [("run.actor", 30), ("p2", 15), ("group:legal", 10), ("product", 5)];
        rule.forbid =
            forbid.iter().filter(|pair| dice.chance(pair.1)).map(|pair| pair.0.to_owned()).collect();
        rule.risk = [Risk::Reversible, Risk::ExternallyReversible, Risk::Irreversible][dice.index(3)];
        rule.undo_window = dice.chance(50).then(|| Span::seconds(u64::from(dice.chance(60)) * 600));
        rule.touch = dice.chance(8);
        rule.reason_required = dice.chance(20);
        rule.send_back = dice.chance(50).then(|| "a".to_owned());
        rule.escalate = dice.chance(30).then(|| (Span::seconds(1200), "group:legal".to_owned()));
        rule.timeout = dice.chance(25).then(|| Span::seconds(5400));
        if dice.chance(30) {
            rule.form.clear();
        }
    }

    /// People.toml changes: groups, names, whose word it is.
    fn change_people(&mut self) {
        let dice = &mut self.dice;
        for uid in 1..=5_u32 {
            if !self.members.is_empty() && dice.chance(50) {
                continue;
            }
            let groups =
                GROUPS.iter().filter(|group| dice.chance(if **group == "break-glass" { 12 } else { 45 }));
            let groups = groups.map(|group| (*group).to_owned()).collect();
            let name = if dice.chance(8) { format!("x{uid}") } else { format!("p{uid}") };
            let keys = if dice.chance(50) { vec![format!("SHA256:{uid}")] } else { Vec::new() };
            self.members.insert(format!("uid:{uid}"), Member { name, groups, keys });
        }
        let standing = match dice.below(3) {
            0 => Standing::Root,
            1 => Standing::SelfDeclared,
            _ => Standing::Signed(PeopleSigner { name: "ops".to_owned(), key: "SHA256:ops".to_owned() }),
        };
        let touch = dice.chance(5);
        let people = Membership::new(self.members.clone(), Digest::default(), standing, touch);
        self.does(Command::DeclarePeople { people: Box::new(people) }).expect("no refusal");
    }

    /// Everybody, as the door stamps them now: people of the system, one with keys, an agent, a program of a step.
    fn everybody(&self) -> Vec<Actor> {
        let of = |uid: u32, proof: Proof, channel: Channel| {
            let member = self.members.get(&format!("uid:{uid}"));
            let name = member.map_or_else(|| format!("uid {uid}"), |member| member.name.clone());
            let groups = member.map(|member| member.groups.clone()).unwrap_or_default();
            Actor { name, proof, groups, channel }
        };
        let mut all: Vec<Actor> = (1..=6).map(|uid| of(uid, Proof::OsUser(uid), Channel::Console)).collect();
        for (uid, touch) in [(1, None), (2, Some(Touch::Touched))] {
            let (statement, armored) = (String::new(), String::new());
            let (person, key) = (format!("uid:{uid}"), format!("SHA256:{uid}"));
            let signature = Signature { person, key, statement, armored, touch };
            all.push(of(uid, Proof::Signature(Box::new(signature)), Channel::Command));
        }
        all.push(of(3, Proof::OsUser(3), Channel::Mcp));
        all.push(of(
            4,
            Proof::Token(Box::new(Token {
                id: "t".to_owned(),
                subject: "agent".to_owned(),
                key: "k".to_owned(),
                person: None,
                maker: None,
                project: None,
            })),
            Channel::Http,
        ));
        // Named and grouped as somebody was, once.
        all.push(Actor { groups: vec!["sre".to_owned()], ..of(5, Proof::OsUser(5), Channel::Command) });
        all
    }

    fn somebody(&mut self) -> Actor {
        let all = self.everybody();
        all[self.dice.index(all.len())].clone()
    }

    fn does(&mut self, command: Command) -> Result<Vec<Event>, String> {
        let mut events = Vec::new();
        self.world.handle(command, self.now, &mut events).map_err(|error| error.to_string())?;
        for event in &events {
            self.board.apply(Seq(self.board.seq.0 + 1), event);
            if let Fact::Attempt(run, step, number, AttemptEvent::Started { .. }) = &event.fact
                && step.index() == 0
            {
                let attempt = AttemptId { run: *run, step: *step, number: *number };
                let outcome = Outcome { exit_code: Some(0), ..Outcome::default() };
                self.unanswered.push(Command::AttemptEnded { attempt, outcome: Box::new(outcome) });
            }
        }
        self.unanswered.extend(self.looked.answers(&events));
        self.journal.extend(events.clone());
        Ok(events)
    }

    fn answer_all(&mut self) {
        while let Some(answer) = self.unanswered.pop() {
            self.does(answer).expect("an answer");
        }
    }

    fn gate(&self) -> Arc<GateView> {
        Arc::clone(self.board.gate(GATE).expect("it asks"))
    }

    /// Plays one random action.
    fn happens(&mut self) {
        if !self.dice.chance(20) {
            self.answer_all();
        }
        self.now = self.now + Span(self.dice.below(20 * 60_000));
        if self.dice.chance(70) {
            self.does(Command::Wake).expect("time passes");
        }
        if self.dice.chance(20) {
            self.change_people();
            return;
        }
        let by = self.somebody();
        let acts = [
            (GateAct::Approve, 9),
            (GateAct::Delegate, 5),
            (GateAct::Withdraw, 2),
            (GateAct::Edit, 2),
            (GateAct::SendBack, 1),
            (GateAct::Reject, 1),
            (GateAct::EmergencyApprove, 2),
            (GateAct::Override, 2),
            (self.review(), 2),
        ];
        let all: Vec<GateAct> = acts.iter().flat_map(|(act, times)| vec![*act; *times]).collect();
        let act = all[self.dice.index(all.len())];
        let to = self.somebody().name;
        let lasts = Span(1 + self.dice.below(40 * 60_000));
        let command = match self.command(&by, act) {
            Command::Delegate { gate, reason, by, .. } => {
                Command::Delegate { gate, to, lasts: Some(lasts), reason, by }
            }
            other => other,
        };
        drop(self.does(command));
    }

    /// The oldest emergency approval that waits, else what there is none of.
    fn review(&self) -> GateAct {
        let due = self.board.reviews_due().next().map(|gate| gate.epoch());
        GateAct::Review(due.unwrap_or_else(|| self.gate().epoch()))
    }

    /// A command of this kind with everything that it has to contain.
    fn command(&mut self, by: &Actor, act: GateAct) -> Command {
        let gate = self.gate();
        let (by, reason) = (by.clone(), REASON.to_owned());
        match act {
            GateAct::Delegate => {
                Command::Delegate { gate: GATE, to: "a-friend".to_owned(), lasts: None, reason, by }
            }
            GateAct::Withdraw => Command::Withdraw { gate: GATE, by },
            GateAct::Review(epoch) => Command::ReviewGlass { run: gate.run, gate: GATE, epoch, reason, by },
            GateAct::Edit => {
                let next = |value: &Value| Value::from(value.as_i64().unwrap_or_default() + 1);
                let values =
                    gate.ask.form.iter().map(|field| (field.name.clone(), next(&field.value))).collect();
                Command::EditForm { gate: GATE, epoch: gate.epoch(), values, reason, by }
            }
            GateAct::Approve
            | GateAct::Reject
            | GateAct::SendBack
            | GateAct::EmergencyApprove
            | GateAct::Override => {
                self.decisions += 1;
                Command::Decide(Box::new(Decision {
                    id: DecisionId(format!("d{}", self.decisions)),
                    gate: GATE,
                    epoch: gate.epoch(),
                    ask: gate.hash,
                    verdict: act.verdict().unwrap_or(Verdict::Approve),
                    reason,
                    by,
                    shown_for: None,
                    break_glass: act == GateAct::EmergencyApprove,
                    overrides: act == GateAct::Override,
                    form: ValueMap::new(),
                }))
            }
        }
    }

    /// Everything that anybody may do here now, by the board and by the engine.
    fn holds(&mut self, sum: &mut Sum) -> Result<(), String> {
        let gate = self.gate();
        if self.world.gate(GATE) != Some(gate.law()) {
            return Err(format!("two laws:\n{:?}\n{:?}", self.world.gate(GATE), gate.law()));
        }
        let mut acts = GateAct::ALL.to_vec();
        let due: Vec<GateAct> = self.board.reviews_due().map(|gate| GateAct::Review(gate.epoch())).collect();
        acts.extend(if due.is_empty() { vec![self.review()] } else { due });
        let all = self.everybody();
        let few = (0..LOOKED_AT).map(|_| all[self.dice.index(all.len())].clone()).collect::<Vec<_>>();
        for by in few {
            let mut accepted = Vec::new();
            for act in &acts {
                let may = gate.law().may(&by, *act, self.now);
                let command = self.command(&by, *act);
                let did = self.world.preview(command, self.now).map(|preview| !preview.is_empty());
                match (&may, &did) {
                    (Ok(()), Ok(true)) => {
                        sum.yes += 1;
                        accepted.push(act.word());
                        let name = format!("{act:?}");
                        *sum.acts
                            .entry(name.split('(').next().unwrap_or_default().to_owned())
                            .or_default() += 1;
                    }
                    // Said once more, it counts once.
                    (Err(_), Ok(false)) => sum.no += 1,
                    (Err(why), Err(same)) if why == same => sum.no += 1,
                    _ => return Err(format!("{act:?} of {by:?}: the law says {may:?}, the engine {did:?}")),
                }
            }
            accepted.dedup();
            self.surfaces_hold(&gate, &by, &accepted, sum)?;
            let mine = gate.waits_for(&by, self.now);
            if mine && gate.law().may(&by, GateAct::Reject, self.now).is_err() {
                return Err(format!("it waits for {by:?}, who may not answer"));
            }
        }
        *sum.states.entry(gate.state.word()).or_default() += 1;
        Ok(())
    }

    /// Everything that the JSON lists and the console lights for a person is what the engine accepted just now.
    fn surfaces_hold(
        &mut self,
        gate: &Arc<GateView>,
        by: &Actor,
        accepted: &[&str],
        sum: &mut Sum,
    ) -> Result<(), String> {
        let caller = (by, self.now);
        let told = gate_json(gate, Some(caller));
        let listed: Vec<&str> =
            told["may"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if listed != accepted {
            return Err(format!("the JSON tells {by:?} {listed:?}, the engine accepts {accepted:?}"));
        }
        let rows = self.board.inbox(Some(caller));
        let first = rows.first().map(|row| row.what);
        if by.channel != Channel::Console || first.is_none() || !self.dice.chance(CONSOLES) {
            return Ok(());
        }
        // A review is a row of its own.
        let here = |gate: GateId, fits: &dyn Fn(GateAct) -> bool| -> BTreeSet<&str> {
            let acts = self.board.gate(gate).map(|gate| gate.acts(by, self.now)).unwrap_or_default();
            acts.into_iter().filter(|act| fits(*act)).map(GateAct::word).collect()
        };
        let here = match first {
            Some(Attention::Gate(gate)) => here(gate, &|act| !matches!(act, GateAct::Review(_))),
            Some(Attention::Review(gate, epoch)) => here(gate, &|act| act == GateAct::Review(epoch)),
            _ => return Ok(()),
        };
        let lit = self.lit_for(by);
        sum.lit.extend(&lit);
        if lit == here {
            return Ok(());
        }
        Err(format!("the console lights {lit:?} for {by:?} at {first:?}, the law allows {here:?}"))
    }

    /// The words of the answers that the console lights for this person, for the first row of the inbox.
    fn lit_for(&self, by: &Actor) -> BTreeSet<&'static str> {
        let look = LookOfScreen { theme: "dark".to_owned(), ..LookOfScreen::default() };
        let (width, height) = (160, 90);
        let mut model =
            Model::new(seat(by.clone()), look, Arc::new(Keymap::default()), (width, height), self.now);
        drop(update(&mut model, Message::Board(Arc::new(self.board.clone()))));
        for press in parse_keys("3").expect("a key") {
            drop(update(&mut model, Message::Key { press, repeat: false, at: self.now }));
        }
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        draw(&model, &Theme::default(), &mut buf);
        // A lit answer says what else it takes; a dark one stands alone.
        let screen = to_text(&buf);
        let answers = screen.lines().filter_map(|line| line.trim_end_matches(['│', ' ']).rsplit('│').next());
        let lit = |answer: &str| {
            let fits = |(key, word, _): &&(&str, &str, &str)| {
                let rest = answer.strip_prefix(&format!(" {key:<4}{word:<12}"));
                rest.is_some_and(|rest| !rest.trim().is_empty())
            };
            WORDS.iter().find(fits).map(|row| row.2)
        };
        answers.filter_map(lit).collect()
    }

    /// A run that was forgotten and is brought back under other people goes by those of its opening.
    fn is_the_same_when_recalled(&self) -> Result<(), String> {
        let mut again = World::default();
        let people = |event: &&Event| matches!(event.fact, Fact::People(_));
        self.journal.iter().filter(people).for_each(|event| again.apply(event));
        self.journal
            .iter()
            .filter(|event| event.fact.run() == Some(RunId(1)))
            .for_each(|event| again.apply(event));
        again.recall_people(self.gate().law());
        if again.gate(GATE) == self.world.gate(GATE) { Ok(()) } else { Err("recalled as another".to_owned()) }
    }
}

#[test]
fn what_a_board_lets_anybody_do_at_a_gate_is_what_the_engine_accepts() {
    let cases = std::env::var("CUELIGHT_LAWS").ok().and_then(|value| value.parse().ok()).unwrap_or(300_u64);
    let base = plan(
        "steps:\n  - {id: a, run: a}\n  - {id: g, needs: a, gate: {prompt: go?, form: {n: {type: integer, default: 5}}}}\n  - {id: z, needs: g, run: z}",
    );
    let mut sum = Sum::default();
    for seed in 0..cases {
        let mut case = Case::new(&base, seed);
        for turn in 0..STEPS {
            if let Err(why) = case.holds(&mut sum) {
                panic!("case {seed}, turn {turn}: {why}");
            }
            case.happens();
        }
        if let Err(why) = case.is_the_same_when_recalled() {
            panic!("case {seed}: {why}");
        }
    }
    let Sum { yes, no, acts, states, lit } = &sum;
    println!("{yes} yes, {no} no; {acts:?}; {states:?}; lit {lit:?}");
    assert!(acts.len() == 9, "each of them was possible somewhere: {acts:?}");
    assert!(lit.len() == 9, "and each was lit somewhere: {lit:?}");
    assert!(
        GateState::ALL
            .iter()
            .all(|state| *state == GateState::Cancelled || states.contains_key(state.word())),
        "{states:?}"
    );
}
