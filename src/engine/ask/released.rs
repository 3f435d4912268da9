//! The calls that an approval releases: those that start first, and those whose parameters are not known yet.

use super::{NAMES_MAX, reached, result, write_of};
use crate::{
    AllCalls, FileFact, Later, Purpose, WillFallBack, WillRun, WillWrite,
    call::{self, Beside, Unresolved},
    condition::View,
    gate::Gate,
    run::Run,
    talk,
    world::World,
};
use cuelight_base::{
    Digest, Launch, NOT_BOUND, Program, StepIx, Timestamp, Value, ValueMap, canonical_json, sha256,
};
use cuelight_plan::{FrameKind, PlanStep, Route, Talk, TalkTool, Undo, Work};
use std::collections::{BTreeMap, BTreeSet};

/// The calls that start first when it is approved, and those whose parameters are not known yet.
#[derive(Default)]
pub(super) struct Released {
    pub(super) will_run: Vec<WillRun>,
    /// The values that steps set, and the messages that they send.
    pub(super) writes: Vec<WillWrite>,
    pub(super) later: Vec<Later>,
    /// The steps that are called first, with the hash of each call: also those that are too many to be shown.
    covered: Covered,
    /// A hash over all, when some are not shown.
    pub(super) all: Option<AllCalls>,
    /// The programs that nobody has looked at yet.
    pub(super) unseen: BTreeSet<Program>,
    /// The reason why a model's request could not be shown: then nobody can approve it.
    pub(super) blind: Option<String>,
}

/// The call that a step would make, or its candidates; and the reason why a model's request cannot be shown.
fn calls_of(view: View<'_>, plan: &PlanStep) -> (Vec<Launch>, Option<String>) {
    if let Some(route) = plan.work.route() {
        let of = |tool: &String| call::launch_of(view, &plan.work, tool).ok();
        return (route.candidates.iter().filter_map(of).collect(), None);
    }
    match call::launch(view, &plan.work) {
        Ok(launch) => (vec![launch], None),
        Err(why) => {
            let is_given = matches!(&plan.work, Work::Tool(tool_use) if tool_use.given.is_some());
            (Vec::new(), is_given.then(|| unshown(&plan.id, &why)))
        }
    }
}

fn unshown(step: &str, why: &Unresolved) -> String {
    let why = match why {
        Unresolved::Needs(_) => "its environment asks for hashes of files",
        Unresolved::Programs(_) => "what it executes was not looked at",
        Unresolved::Failed(why) => why,
    };
    format!(
        "the gate cannot ask: the call of `{step}` is not known yet: {why}; give it an environment that is known before"
    )
}

/// The calls and writes that an approval covers, and the fallbacks by number.
#[derive(Default)]
pub(crate) struct Covered {
    pub(crate) calls: Vec<(StepIx, Digest)>,
    /// The number of those that are writes.
    writes: usize,
    pub(crate) fallbacks: Vec<(StepIx, u32, Digest)>,
}

/// The steps and calls that an approval starts, gathered step by step.
struct Releasing<'a> {
    run: &'a Run,
    gate: StepIx,
    /// The outputs of the gate without the names of those who approve.
    unknown: &'a ValueMap,
    out: Released,
    /// The undo and check steps: shown behind the other calls whose parameters are not known yet.
    after: Vec<Later>,
    later_count: u64,
    write_count: u64,
    /// A line for each call, over which the hash of all is made.
    all: String,
    /// The files of calls as they were looked at; looked up once for each call of a long run.
    shown: BTreeMap<&'a Program, &'a Vec<FileFact>>,
    /// The calls whose files are being looked at.
    looked_at: BTreeSet<&'a Program>,
}

impl<'a> Releasing<'a> {
    /// The same view without the names of those who approve.
    const fn unknown_to(&self, view: View<'a>) -> View<'a> {
        View { supposed: Some((self.gate, self.unknown)), ..view }
    }

    fn note(&mut self, step: &str, what: &str, hash: Digest) {
        self.all.push_str(&canonical_json(&(step, what, hash)));
        self.all.push('\n');
    }

    /// The files of a call, or that they have to be looked at.
    fn seen(&mut self, program: Program) -> Vec<FileFact> {
        // Asks of earlier versions name only the beginning of a call.
        let files = self
            .shown
            .get(&program)
            .or_else(|| self.shown.get(&program.bare()))
            .map(|files| (*files).clone());
        if files.is_none() && !self.looked_at.contains(&program) {
            self.out.unseen.insert(program);
        }
        files.unwrap_or_default()
    }

    /// The files of a call that starts a program.
    pub(super) fn files(&mut self, step: StepIx, launch: &Launch) -> Vec<FileFact> {
        if !launch.is_process() {
            return Vec::new();
        }
        self.seen(call::program_at(self.run, step, self.gate, launch))
    }

    /// A call whose parameters are not known yet.
    fn later(&mut self, step: StepIx, purpose: Purpose, what: Later) {
        self.later_count += 1;
        let word = if matches!(purpose, Purpose::Undo | Purpose::Check) { &what.kind } else { "later" };
        self.note(&what.step, word, what.template);
        let is_after = matches!(purpose, Purpose::Undo | Purpose::Check);
        let is_process = call::is_process(self.run, step, purpose);
        let computed = call::computed_place(self.run, step).filter(|_| is_process);
        let note = |place: &str| FileFact {
            path: place.to_owned(),
            digest: None,
            bytes: 0,
            problem: Some(format!("{NOT_BOUND}: the place is known only when it begins")),
        };
        let mut files: Vec<FileFact> = computed.map(note).into_iter().collect();
        for program in call::known_programs(self.run, step, purpose, None) {
            let found = self.seen(program.clone());
            if call::names_files(&program, &found) {
                let new = found.into_iter().filter(|fact| !files.contains(fact)).collect::<Vec<_>>();
                files.extend(new);
            }
        }
        // Also what is too many to be shown is looked at, and bound.
        let later = if is_after { &mut self.after } else { &mut self.out.later };
        if later.len() < NAMES_MAX {
            later.push(Later { files, ..what });
        }
    }

    /// The call of a fallback. A call that is not known yet is added to the later ones.
    pub(super) fn fallback(
        &mut self,
        step: StepIx,
        view: View<'a>,
        beside: Beside<'_>,
    ) -> Option<WillFallBack> {
        let Purpose::Fallback(number) = beside.purpose else { return None };
        let other = call::launch(self.unknown_to(view), beside.work).ok();
        let Some(launch) =
            call::launch(view, beside.work).ok().filter(|launch| other.as_ref() == Some(launch))
        else {
            let later = later_beside(self.run.plan_step(step), &beside);
            self.later(step, beside.purpose, later);
            return None;
        };
        let launch_hash = launch.hash();
        self.note(&beside.name, "call", launch_hash);
        self.out.covered.fallbacks.push((step, number, launch_hash));
        let files = self.files(step, &launch);
        Some(WillFallBack { number, launch, launch_hash, files })
    }

    /// A step that sets values or sends a message. As for a call, only one that starts at once has values that are known.
    fn write(&mut self, step: StepIx, view: Option<View<'a>>) {
        let plan = self.run.plan_step(step);
        let resolved = |view| write_of(plan, Some(view)).ok().flatten();
        let known = view.and_then(resolved);
        let others = view.and_then(|view| resolved(self.unknown_to(view)));
        let known = known.filter(|known| others.as_ref() == Some(known));
        // Without a view nothing is evaluated, and nothing can fail.
        let Some(write) = known.or_else(|| write_of(plan, None).ok().flatten()) else { return };
        self.write_count += 1;
        let hash = write.hash();
        self.note(&write.step, &write.kind, hash);
        if view.is_some() && !write.is_template {
            self.out.covered.calls.push((step, hash));
            self.out.covered.writes += 1;
        }
        if self.out.writes.len() < NAMES_MAX {
            self.out.writes.push(write);
        }
    }

    /// A step that is called at once, by one of these calls.
    fn at_once(&mut self, step: StepIx, view: View<'a>, launches: Vec<Launch>) {
        let plan = self.run.plan_step(step);
        let mut fallback = Vec::new();
        for beside in call::beside(plan) {
            if matches!(beside.purpose, Purpose::Fallback(_)) {
                fallback.extend(self.fallback(step, view, beside));
            } else {
                self.later(step, beside.purpose, later_beside(plan, &beside));
            }
        }
        let choice = plan.work.route().map_or_else(String::new, |route| {
            format!("one of {}, by {}", launches.len(), route.policy.word())
        });
        for launch in launches {
            let launch_hash = launch.hash();
            self.note(&plan.id, "call", launch_hash);
            self.out.covered.calls.push((step, launch_hash));
            let files = self.files(step, &launch);
            if self.out.will_run.len() < NAMES_MAX {
                let (step, undo) = (plan.id.clone(), undo_word(&plan.undo).to_owned());
                let (effect, choice) = (plan.effect, choice.clone());
                // Whichever of several is chosen, what takes its place is the same, and stands with the first.
                let fallback = std::mem::take(&mut fallback);
                let may_be_cached = plan.cache.is_some();
                let will_run = WillRun {
                    step,
                    launch_hash,
                    launch,
                    files,
                    effect,
                    undo,
                    fallback,
                    choice,
                    may_be_cached,
                };
                self.out.will_run.push(will_run);
            }
        }
    }
}

pub(super) fn released(
    world: &World,
    run: &Run,
    gate: StepIx,
    outputs: &ValueMap,
    now: Timestamp,
) -> Released {
    let (real, models) = (run.steps.len(), run.with_models(&reached(run, gate)));
    // Steps that a computed matrix will make are shown by its template, and bound by the files of that.
    let run = models.as_ref().unwrap_or(run);
    let reached = reached(run, gate);
    let out = Released::default();
    // Nobody knows now who will have approved: a call that reads that is not known before.
    let mut unknown = outputs.clone();
    unknown.insert("approvers".to_owned(), Value::Null);
    let mut releasing = Releasing {
        run,
        gate,
        unknown: &unknown,
        out,
        after: Vec::new(),
        later_count: 0,
        write_count: 0,
        all: String::new(),
        shown: run
            .step(gate)
            .facts
            .iter()
            .flat_map(|facts| facts.programs.iter().rev())
            .map(|(of, files)| (of, files))
            .collect(),
        looked_at: run.step(gate).looked_at.iter().collect(),
    };
    for step in reached {
        let plan = run.plan_step(step);
        let view = View { supposed: Some((gate, outputs)), ..View::of(world, run, step, now) };
        let is_at_once = step.index() < real && waits_only_for(run, step, gate);
        let launches: Vec<Launch> = match &plan.work {
            Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_) if is_at_once => {
                let (launches, why) = calls_of(view, plan);
                releasing.out.blind = releasing.out.blind.or(why);
                let (others, _) = calls_of(releasing.unknown_to(view), plan);
                if launches == others { launches } else { Vec::new() }
            }
            // What it will call is not known yet.
            Work::Run { .. }
            | Work::Tool(_)
            | Work::Http(_)
            | Work::Model(_)
            | Work::Later(_)
            | Work::Frame(_) => Vec::new(),
            Work::Set { .. } | Work::Emit(_) => {
                releasing.write(step, Some(view).filter(|_| is_at_once));
                continue;
            }
            Work::Gate(_) | Work::Wait(_) => continue,
        };
        if !launches.is_empty() {
            releasing.at_once(step, view, launches);
            continue;
        }
        // What stands in a frame is named by itself.
        if !matches!(plan.work, Work::Frame(_)) || talk::of(plan).is_some() {
            releasing.later(step, Purpose::Step, later_of(run, step));
        }
        for beside in call::beside(plan) {
            releasing.later(step, beside.purpose, later_beside(plan, &beside));
        }
    }
    let Releasing { mut out, after, later_count, write_count, mut all, .. } = releasing;
    out.later.extend(after);
    out.later.truncate(NAMES_MAX);
    if let Some(facts) = run.step(gate).facts.as_deref() {
        all.push_str(&canonical_json(&facts.programs));
    }
    let calls = out.covered.calls.len() - out.covered.writes;
    let hidden = calls > out.will_run.len()
        || later_count > out.later.len() as u64
        || write_count > out.writes.len() as u64;
    out.all = hidden.then(|| AllCalls {
        will_run: calls as u64,
        later: later_count,
        writes: write_count,
        digest: sha256("cuelight-calls-v1", &[all.as_bytes()]),
    });
    out
}

/// True for a step that starts as soon as this gate is approved: by itself, or as a copy of a matrix that
/// does.
fn waits_only_for(run: &Run, step: StepIx, gate: StepIx) -> bool {
    if run.step(step).needs.open != 1 {
        return false;
    }
    let frame = run.plan_step(step).frame;
    let copies = |frame: &StepIx| {
        run.plan_step(*frame).work.frame().is_some_and(|frame| frame.kind == FrameKind::Matrix)
    };
    run.dependents(gate).binary_search(&step).is_ok()
        || run.frames_ended_by(gate).iter().any(|index| run.dependents(*index).binary_search(&step).is_ok())
        || run.is_held(step, gate)
        || frame.filter(copies).is_some_and(|frame| waits_only_for(run, frame, gate))
}

/// The steps of an approved ask that are called or write first, with the hash of each call and write.
pub(crate) fn covered(world: &World, run: &Run, step: StepIx, gate: &Gate, now: Timestamp) -> Covered {
    if gate.ask.all.is_some() {
        let outputs = result("approved", &gate.form(), &[]);
        return released(world, run, step, &outputs, now).covered;
    }
    let mut covered = Covered::default();
    if gate.ask.will_run.is_empty() && gate.ask.writes.is_empty() {
        return covered;
    }
    for step in reached(run, step) {
        let id = &run.plan_step(step).id;
        for shown in gate.ask.will_run.iter().filter(|will_run| will_run.step == *id) {
            covered.calls.push((step, shown.launch_hash));
            covered.fallbacks.extend(
                shown
                    .fallback
                    .iter()
                    .map(|will_fall_back| (step, will_fall_back.number, will_fall_back.launch_hash)),
            );
        }
        let writes = gate.ask.writes.iter().filter(|write| write.step == *id && !write.is_template);
        covered.calls.extend(writes.map(|write| (step, write.hash())));
    }
    covered
}

fn later_of(run: &Run, step: StepIx) -> Later {
    let plan = run.plan_step(step);
    Later {
        step: plan.id.clone(),
        kind: call::kind(&plan.work).to_owned(),
        template: call::template_hash(plan),
        files: Vec::new(),
        candidates: match talk::of(plan) {
            Some(talk) => offered(talk),
            None => plan.work.route().map(named_candidates).unwrap_or_default(),
        },
        may_be_cached: plan.cache.is_some(),
    }
}

/// A fallback, the check or the undo of a step, as a call that can run only after people were asked.
fn later_beside(plan: &PlanStep, beside: &Beside<'_>) -> Later {
    Later {
        step: beside.name.clone(),
        kind: beside.kind.to_owned(),
        template: call::fallback_hash(plan, beside.work),
        files: Vec::new(),
        candidates: Vec::new(),
        may_be_cached: false,
    }
}

/// The tools that a model may ask for, and those that have a gate of their own.
fn offered(talk: &Talk) -> Vec<String> {
    let how = "may ask for".to_owned();
    let tool =
        |tool: &TalkTool| if tool.gated { format!("{} at a gate", tool.tool) } else { tool.tool.clone() };
    std::iter::once(how).chain(talk.tools.iter().map(tool)).collect()
}

/// The rule of the choice, then its candidates.
fn named_candidates(route: &Route) -> Vec<String> {
    let how = format!("by {}", route.policy.word());
    std::iter::once(how).chain(route.candidates.iter().cloned()).collect()
}

fn undo_word(undo: &Undo) -> &'static str {
    match undo {
        Undo::By(_) => "yes",
        Undo::Impossible => "no",
        Undo::Unset => "unset",
    }
}
