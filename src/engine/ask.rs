//! The ask that people see: made by the engine from its own knowledge, hashed over every field.

use crate::{
    Actor, AllCalls, Ask, Choice, Evidence, FileFact, FormField, Later, Purpose, WillFallBack, WillRun,
    by_hand::{left_out_by_hand, reads_what_is_by_hand, templates_read_what_is_by_hand},
    call::{self, Beside, Unresolved},
    condition::View,
    gate::Gate,
    membership::asks_for_people,
    run::Run,
    talk,
    world::World,
};
use cuelight_base::{
    Digest, EVENT_CONTENT_BYTES_MAX, Epoch, GateId, Launch, NOT_BOUND, Program, Score, Span, StepIx,
    Timestamp, Tree, UNDO_WINDOW_DEFAULT, Value, ValueMap, canonical_json, groups_do_not_count, json_bytes,
    keys_do_not_count, sha256,
};
use cuelight_expression::Template;
use cuelight_plan::{
    Currency, EffectClass, FrameKind, GateRule, Need, OnError, OnFailure, OnTimeout, PlanStep, PlanTool,
    Quorum, Risk, Route, Talk, TalkTool, Undo, Work, matrix_copies,
};
use std::collections::BTreeSet;

/// The field of a gate at which a tool is chosen.
pub(super) const CHOICE_FIELD: &str = "tool";

/// Steps named in an ask; more are counted, and bound by one hash over all of them.
const NAMES_MAX: usize = 500;

/// The people, time and settings of an ask that is being made.
pub(super) struct Asking {
    pub(super) gate: GateId,
    pub(super) epoch: Epoch,
    pub(super) opened_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// Parameters that people have set; others have their defaults.
    pub(super) form: Option<ValueMap>,
    /// True when the workspace asks for a touched security key at gates of the highest risk.
    pub(super) touch: bool,
}

impl Asking {
    /// True when the workspace asks for a touched security key at this risk.
    fn wants_touch_at(&self, risk: Risk) -> bool {
        self.touch && risk >= Risk::Irreversible
    }
}

/// The files that have to be looked at before a gate can ask.
pub(super) fn evidence_files(rule: &GateRule) -> Vec<String> {
    rule.evidence.iter().filter(|text| !text.contains("${{")).cloned().collect()
}

/// The document, and the calls that an approval releases.
pub(super) fn make(
    world: &World,
    run: &Run,
    step: StepIx,
    rule: &GateRule,
    asking: &Asking,
    now: Timestamp,
) -> Result<Ask, Unresolved> {
    let view = View::of(world, run, step, now);
    let copies = copies(view, rule)?;
    let views = views(view, copies.as_deref());
    let form = form(view, &rule.form, asking.form.as_ref())?;
    let outputs = result(
        "approved",
        &form.iter().map(|field| (field.name.clone(), field.value.clone())).collect(),
        &[],
    );
    let Released { will_run, later, all, mut unseen, blind, .. } = released(world, run, step, &outputs, now);
    let snapshot = snapshot(run, step, rule, &mut unseen)?;
    if let Some(why) = blind {
        return Err(Unresolved::Failed(why));
    }
    if !unseen.is_empty() {
        return Err(Unresolved::Programs(unseen.into_iter().collect()));
    }
    let reached = reached(run, step);
    let names = |steps: &mut dyn Iterator<Item = StepIx>| named(run, steps);
    let done = || run.completed.iter().rev().copied();
    let undoes = rule.on_reject == OnFailure::Compensate;
    let touch = rule.touch || asking.wants_touch_at(rule.risk);
    let ask = Ask {
        run: run.id,
        gate: asking.gate,
        epoch: asking.epoch,
        step: run.plan_step(step).id.clone(),
        workflow: run.plan.name.clone(),
        plan: run.plan_hash,
        definition: run.plan.definition,
        prompt: prompt(&views, rule)?,
        claim: rule
            .claim
            .as_ref()
            .map(|claim| texts(&views, claim))
            .transpose()?
            .map(|texts| texts.join("\n")),
        risk: rule.risk,
        will_run,
        all,
        later,
        snapshot,
        starts: names(&mut reached.iter().copied()),
        skips: names(&mut reached.iter().copied().filter(|step| !run.step(*step).explicit)),
        undoes: names(&mut done().filter(|step| undoes && run.is_undoable(*step))),
        cannot_undo: names(&mut done().filter(|step| cannot_undo(run, *step))),
        binds: binds(&views, rule)?,
        evidence: evidence(&views, rule, copies.as_deref())?,
        form,
        require: if rule.require.is_empty() {
            vec![Quorum { group: None, count: 1 }]
        } else {
            rule.require.clone()
        },
        excluded: excluded(&views, rule)?,
        policy: world
            .people
            .now()
            .filter(|_| touch || asks_for_people(rule))
            .map(|membership| membership.policy.clone()),
        requester: run.by.name.clone(),
        opened_at: asking.opened_at,
        expires_at: asking.expires_at,
        // Time proves nothing.
        on_timeout: if touch && rule.on_timeout == OnTimeout::Approve {
            OnTimeout::Reject
        } else {
            rule.on_timeout
        },
        reason_required: rule.reason_required,
        touch,
        undo_window: rule.undo_window.unwrap_or(UNDO_WINDOW_DEFAULT),
        send_back: rule.send_back.clone(),
        is_choice: false,
        escalate: escalate(&views, rule, world.gate(asking.gate))?,
        runs_anyway: names(&mut runs_anyway(run, step, rule).into_iter()),
    };
    if json_bytes(&ask) > EVENT_CONTENT_BYTES_MAX { Err(too_large()) } else { Ok(ask) }
}

/// The captured workspace from which the steps behind a gate run; behind a gate that has captured it, the
/// same.
fn snapshot(
    run: &Run,
    step: StepIx,
    rule: &GateRule,
    unseen: &mut BTreeSet<Program>,
) -> Result<Vec<FileFact>, Unresolved> {
    let known = run.step(step).facts.as_deref().and_then(|facts| facts.tree());
    let from = run.tree_before(step);
    if from.is_none() && rule.snapshot.is_none() {
        return Ok(Vec::new());
    }
    // Once more than asked for: what was looked at before stays, so that all of one ask is of one tree.
    let is_same =
        |tree: &&(Program, Vec<FileFact>)| tree.0.tree.as_ref().is_some_and(|tree| tree.from == from);
    let Some((_, files)) = known.filter(is_same) else {
        let patterns = if from.is_none() { rule.snapshot.clone().unwrap_or_default() } else { Vec::new() };
        let tree = Program::of_tree(Tree { patterns, from });
        if run.step(step).looked_at.contains(&tree) {
            return Err(Unresolved::Failed("the workspace was not captured: a fault of cuelight".to_owned()));
        }
        unseen.insert(tree);
        return Ok(Vec::new());
    };
    match files.first() {
        Some(FileFact { digest: Some(_), .. }) => Ok(files.clone()),
        Some(FileFact { problem: Some(problem), .. }) => Err(Unresolved::Failed(problem.clone())),
        Some(_) | None => Err(Unresolved::Failed("the workspace was not captured".to_owned())),
    }
}

fn too_large() -> Unresolved {
    Unresolved::Failed(format!(
        "what it asks is larger than {EVENT_CONTENT_BYTES_MAX} bytes; name files as its evidence, and shorten the rest"
    ))
}

/// The copies of the matrix that a gate answers for, each with its `matrix.*`; none for a gate that stands
/// for itself.
fn copies(view: View<'_>, rule: &GateRule) -> Result<Option<Vec<ValueMap>>, Unresolved> {
    let Some(matrix) = &rule.matrix else { return Ok(None) };
    let id = &view.run.plan_step(view.step).id;
    matrix_copies(id, &view.deep(matrix)?).map(Some).map_err(Unresolved::Failed)
}

/// One view, or one for each copy. A matrix that turned out empty does not take the question away.
fn views<'a>(view: View<'a>, copies: Option<&'a [ValueMap]>) -> Vec<View<'a>> {
    let of_copy = |copy| View { copy: Some(copy), ..view };
    copies
        .filter(|copies| !copies.is_empty())
        .map_or_else(|| vec![view], |copies| copies.iter().map(of_copy).collect())
}

/// The texts that a template yields in each view, without repetition.
fn texts(views: &[View<'_>], template: &str) -> Result<Vec<String>, Unresolved> {
    let mut seen = BTreeSet::new();
    let mut texts = Vec::new();
    let mut bytes = 0;
    let views = if template.contains("${{") { views } else { &views[..1] };
    for view in views {
        let text = view.text(template)?;
        bytes += text.len();
        if bytes > EVENT_CONTENT_BYTES_MAX {
            return Err(too_large());
        }
        if seen.insert(text.clone()) {
            texts.push(text);
        }
    }
    Ok(texts)
}

fn prompt(views: &[View<'_>], rule: &GateRule) -> Result<String, Unresolved> {
    let mut texts = texts(views, &rule.prompt)?;
    let more = texts.len().saturating_sub(NAMES_MAX);
    texts.truncate(NAMES_MAX);
    if more > 0 {
        texts.push(format!("… and {more} more"));
    }
    Ok(texts.join("\n"))
}

fn binds(views: &[View<'_>], rule: &GateRule) -> Result<Vec<String>, Unresolved> {
    let all = rule.binds.iter().map(|bind| texts(views, bind)).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// True when the `auto` of the workflow approves every copy of the gate; false without `auto` and without
/// copies.
pub(super) fn is_auto(view: View<'_>, rule: &GateRule) -> Result<bool, Unresolved> {
    let Some(expression) = &rule.auto else { return Ok(false) };
    let has_asked = rule.asks || view.run.step(view.step).has_asked;
    if has_asked || reads_what_is_by_hand(view.run, view.step, expression) {
        return Ok(false);
    }
    let expr =
        cuelight_expression::parse(expression).map_err(|error| Unresolved::Failed(error.to_string()))?;
    let copies = copies(view, rule)?;
    if copies.as_ref().is_some_and(Vec::is_empty) {
        return Ok(false);
    }
    for view in views(view, copies.as_deref()) {
        if !cuelight_expression::evaluate_truth(&expr, &view)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The ask of a step that has used up its run's budget: shall the ceiling be raised?
pub(super) fn budget(run: &Run, step: StepIx, asking: &Asking) -> Ask {
    let exceeded = run.exceeded(step);
    let of_step = exceeded.as_ref().is_some_and(|exceeded| exceeded.of_step);
    let now = exceeded.as_ref().map(|exceeded| exceeded.currencies.clone()).unwrap_or_default();
    // What was asked for once stays in the form, also when there is room by now.
    let asked = |currency: &Currency| {
        asking.form.as_ref().map_or(now.contains(currency), |form| form.contains_key(currency.word()))
    };
    let form = Currency::ALL
        .into_iter()
        .filter(asked)
        .map(|currency| ceiling(run, step, of_step, currency, asking))
        .collect();
    let why = exceeded
        .as_ref()
        .map_or_else(|| "there is room by now".to_owned(), |exceeded| exceeded.words(run, step));
    let whose = if of_step { "step" } else { "run" };
    // A no lets the step fail, and what its run does then is what a no does.
    let undoes = run.plan.on_failure == OnFailure::Compensate && stops_its_run(run, step);
    let done = || run.completed.iter().rev().copied().filter(|_| undoes);
    let skipped = reached(run, step).into_iter().filter(|step| !run.step(*step).explicit);
    Ask {
        run: run.id,
        gate: asking.gate,
        epoch: asking.epoch,
        step: run.plan_step(step).id.clone(),
        workflow: run.plan.name.clone(),
        plan: run.plan_hash,
        definition: run.plan.definition,
        prompt: format!("{}. Raise it for this {whose}?", capital(&why)),
        claim: None,
        risk: Risk::Reversible,
        will_run: Vec::new(),
        all: None,
        later: Vec::new(),
        snapshot: Vec::new(),
        starts: named(run, &mut std::iter::once(step)),
        skips: named(run, &mut { skipped }),
        undoes: named(run, &mut done().filter(|step| run.is_undoable(*step))),
        cannot_undo: named(run, &mut done().filter(|step| cannot_undo(run, *step))),
        binds: Vec::new(),
        evidence: Vec::new(),
        form,
        require: vec![Quorum { group: None, count: 1 }],
        excluded: Vec::new(),
        policy: None,
        requester: run.by.name.clone(),
        opened_at: asking.opened_at,
        expires_at: None,
        on_timeout: OnTimeout::Reject,
        reason_required: false,
        touch: false,
        undo_window: Span(0),
        send_back: None,
        is_choice: false,
        escalate: None,
        runs_anyway: Vec::new(),
    }
}

/// True if the failure of a step stops all of its run: no frame around it goes on without it, retries it, or
/// has a fallback.
fn stops_its_run(run: &Run, step: StepIx) -> bool {
    let around = std::iter::successors(Some(step), |step| run.plan_step(*step).frame);
    let mut plans = around.map(|step| (step, run.plan_step(step)));
    plans.all(|(index, plan)| {
        let is_final = index == step || plan.retry.is_none() && plan.fallback.is_empty();
        plan.on_error == OnError::Abort && is_final
    })
}

/// The field of a currency whose ceiling is to be raised: by as much again as the author gave it.
fn ceiling(run: &Run, step: StepIx, of_step: bool, currency: Currency, asking: &Asking) -> FormField {
    let spending = run.spending_of(step, of_step);
    let limit = spending.ceilings.of(currency).unwrap_or_default();
    let written =
        if of_step { run.plan_step(run.payer(step)).budget.as_deref() } else { run.plan.budget.as_ref() };
    let more = written.and_then(|budget| budget.ceilings().of(currency)).unwrap_or(limit).max(1);
    let least = spending.spent.of(currency).saturating_add(run.next_charge(step).of(currency));
    let value = asking
        .form
        .as_ref()
        .and_then(|form| form.get(currency.word()).cloned())
        .unwrap_or_else(|| currency.value(limit.saturating_add(more).max(least)));
    let what = match currency {
        Currency::Calls => "calls this run may make",
        Currency::Tokens => "tokens this run may use",
        Currency::CostUsd => "dollars this run may cost",
    };
    let what = if of_step { what.replace("run", "step") } else { what.to_owned() };
    FormField {
        name: currency.word().to_owned(),
        kind: cuelight_plan::OutputType::Number,
        required: true,
        pattern: None,
        choices: Vec::new(),
        description: Some(format!("{what}, from now on")),
        value,
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

impl Ask {
    /// Notes on the people who may answer, a sentence each: the source of their groups, and the proof that an
    /// approval needs.
    pub fn notes_on_who(&self) -> Vec<String> {
        let signed = self.policy.as_ref().filter(|policy| policy.signed_by.is_some());
        let signed = signed.map(|signed| format!("people.toml is {}", signed.standing()));
        let touch = self.touch.then(|| format!("an approval {NEEDS_TOUCH}"));
        let escalates = self
            .escalate
            .as_ref()
            .map(|escalate| format!("{escalate} may answer as well once it is escalated"));
        self.self_declared().into_iter().chain(signed).chain(touch).chain(escalates).collect()
    }

    /// Why the approval of somebody whose touch is not proven does not count, and how it would.
    pub(super) fn needs_touch_words(&self) -> String {
        // An ask that depends on people names their policy, where there is one.
        let none = if self.policy.is_none() {
            "; no people.toml names a person with a security key: add one with its .pub line under `keys` first"
        } else {
            ""
        };
        format!(
            "an approval {NEEDS_TOUCH}: cuelight approve {} --as NAME --key ~/.ssh/id_ed25519_sk{none}",
            self.gate
        )
    }

    /// A sentence about groups that are the user's own word, where this ask depends on any.
    pub fn self_declared(&self) -> Option<String> {
        let policy = self.policy.as_ref().filter(|policy| policy.self_declared)?;
        if self.touch {
            return Some(format!("nobody can answer yet: {}", keys_do_not_count()));
        }
        Some(if policy.counts_at(self.risk) {
            format!("groups are {SELF_DECLARED}")
        } else {
            format!("nobody can answer yet: {}", groups_do_not_count())
        })
    }
}

/// The standing of a `people.toml` that is neither root-owned nor signed, with the reason.
pub const SELF_DECLARED: &str =
    "self-declared: people.toml is not signed, and users other than root can write it";

/// `needs a touched security key`, said of an approval: the rest of a sentence.
pub const NEEDS_TOUCH: &str = "needs a touched security key";

/// The hash that a decision must carry.
pub fn hash(ask: &Ask) -> Digest {
    sha256("cuelight-ask-v1", &[canonical_json(ask).as_bytes()])
}

/// The outputs of a gate: `decision`, `form`, `approvers`.
pub(super) fn result(decision: &str, form: &ValueMap, approvers: &[&Actor]) -> ValueMap {
    let names: Vec<Value> = approvers.iter().map(|approver| approver.name.clone().into()).collect();
    ValueMap::from_iter([
        ("decision".to_owned(), decision.into()),
        ("form".to_owned(), Value::Object(form.clone())),
        ("approvers".to_owned(), Value::Array(names)),
    ])
}

/// The calls that start first when it is approved, and those whose parameters are not known yet.
#[derive(Default)]
struct Released {
    will_run: Vec<WillRun>,
    later: Vec<Later>,
    /// The steps that are called first, with the hash of each call: also those that are too many to be shown.
    covered: Covered,
    /// A hash over all, when some are not shown.
    all: Option<AllCalls>,
    /// The programs that nobody has looked at yet.
    unseen: BTreeSet<Program>,
    /// The reason why a model's request could not be shown: then nobody can approve it.
    blind: Option<String>,
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

/// The calls that an approval covers, and the fallbacks by number.
#[derive(Default)]
pub(super) struct Covered {
    pub(super) calls: Vec<(StepIx, Digest)>,
    pub(super) fallbacks: Vec<(StepIx, u32, Digest)>,
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
    /// A line for each call, over which the hash of all is made.
    all: String,
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
        let step = self.run.step(self.gate);
        let files = step.facts.as_deref().and_then(|facts| facts.looked_at(&program)).cloned();
        if files.is_none() && !step.looked_at.contains(&program) {
            self.out.unseen.insert(program);
        }
        files.unwrap_or_default()
    }

    /// The files of a call that starts a program.
    fn files(&mut self, step: StepIx, launch: &Launch) -> Vec<FileFact> {
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
        let shown = if is_after { self.after.len() } else { self.out.later.len() };
        if shown >= NAMES_MAX {
            return;
        }
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
        let later = if is_after { &mut self.after } else { &mut self.out.later };
        later.push(Later { files, ..what });
    }

    /// The call of a fallback. A call that is not known yet is added to the later ones.
    fn fallback(&mut self, step: StepIx, view: View<'a>, beside: Beside<'_>) -> Option<WillFallBack> {
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
                let will_run = WillRun { step, launch_hash, launch, files, effect, undo, fallback, choice };
                self.out.will_run.push(will_run);
            }
        }
    }
}

fn released(world: &World, run: &Run, gate: StepIx, outputs: &ValueMap, now: Timestamp) -> Released {
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
        all: String::new(),
    };
    for step in reached {
        let plan = run.plan_step(step);
        let view = View { supposed: Some((gate, outputs)), ..View::of(world, run, step, now) };
        let launches: Vec<Launch> = match &plan.work {
            Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_)
                if waits_only_for(run, step, gate) =>
            {
                let (launches, why) = calls_of(view, plan);
                releasing.out.blind = releasing.out.blind.or(why);
                let (others, _) = calls_of(releasing.unknown_to(view), plan);
                if launches == others { launches } else { Vec::new() }
            }
            // Nobody knows yet what its model will ask for; each call of that has a gate of its own.
            Work::Run { .. }
            | Work::Tool(_)
            | Work::Http(_)
            | Work::Model(_)
            | Work::Later(_)
            | Work::Frame(_) => Vec::new(),
            Work::Gate(_) | Work::Wait(_) | Work::Set { .. } | Work::Emit(_) => continue,
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
    let Releasing { mut out, after, later_count, mut all, .. } = releasing;
    out.later.extend(after);
    out.later.truncate(NAMES_MAX);
    if let Some(facts) = run.step(gate).facts.as_deref() {
        all.push_str(&canonical_json(&facts.programs));
    }
    let hidden = out.covered.calls.len() > out.will_run.len() || later_count > out.later.len() as u64;
    out.all = hidden.then(|| AllCalls {
        will_run: out.covered.calls.len() as u64,
        later: later_count,
        digest: sha256("cuelight-calls-v1", &[all.as_bytes()]),
    });
    out
}

/// True for a step that starts as soon as this gate is approved: by itself, or as a copy of a matrix that
/// does.
fn waits_only_for(run: &Run, step: StepIx, gate: StepIx) -> bool {
    if run.step(step).open_needs != 1 {
        return false;
    }
    let frame = run.plan_step(step).frame;
    let copies = |frame: &StepIx| {
        run.plan_step(*frame).work.frame().is_some_and(|frame| frame.kind == FrameKind::Matrix)
    };
    run.dependents(gate).contains(&step)
        || run.frames_ended_by(gate).iter().any(|index| run.dependents(*index).contains(&step))
        || run.is_held(step, gate)
        || frame.filter(copies).is_some_and(|frame| waits_only_for(run, frame, gate))
}

/// The steps of an approved ask that are called first, with the hash of each call.
pub(super) fn covered(world: &World, run: &Run, step: StepIx, gate: &Gate, now: Timestamp) -> Covered {
    if gate.ask.all.is_some() {
        let outputs = result("approved", &gate.form(), &[]);
        return released(world, run, step, &outputs, now).covered;
    }
    let mut covered = Covered::default();
    if gate.ask.will_run.is_empty() {
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

/// Every step that cannot start before this one, and could after it, in file order.
fn reached(run: &Run, from: StepIx) -> BTreeSet<StepIx> {
    run.beyond(from).into_iter().filter(|step| !run.step(*step).rests()).collect()
}

fn named(run: &Run, mut steps: &mut dyn Iterator<Item = StepIx>) -> Vec<String> {
    let mut names: Vec<String> =
        Iterator::by_ref(&mut steps).take(NAMES_MAX).map(|step| run.plan_step(step).id.clone()).collect();
    let more = steps.count();
    if more > 0 {
        names.push(format!("… and {more} more"));
    }
    names
}

fn cannot_undo(run: &Run, step: StepIx) -> bool {
    let plan = run.plan_step(step);
    let done = run.step(step).state().is_done();
    done && plan.work.is_call() && !run.is_undoable(step) && plan.effect != EffectClass::Pure
}

/// The excluded people: those of `forbid`, and, with a quorum of two or more, the requester of the run.
fn excluded(views: &[View<'_>], rule: &GateRule) -> Result<Vec<(String, String)>, Unresolved> {
    let run = views[0].run;
    let mut out = Vec::new();
    if wants_others(rule) {
        let why = format!("{} asked for this run; somebody else has to answer", run.by.name);
        out.push((run.by.principal(), why));
        if let Some((maker, how)) = run.by.made() {
            let name = &run.by.name;
            out.push((maker, format!("{name} asked for this run {how}; somebody else has to answer")));
        }
    }
    let view = views[0];
    for template in rule.forbid.iter().filter(|text| *text != "run.actor") {
        if templates_read_what_is_by_hand(run, view.step, &Value::String(template.clone())) {
            return Err(Unresolved::Failed(left_out_by_hand("its `forbid`")));
        }
        for name in texts(views, template)? {
            if name.trim().is_empty() {
                let message = format!(
                    "its `forbid` excludes nobody: {template} has no value; see the step or input that it reads"
                );
                return Err(Unresolved::Failed(message));
            }
            let why = format!("{name} is excluded by the workflow");
            out.push((name, why));
        }
    }
    for name in run.asked.get(&run.plan_step(view.step).id).into_iter().flatten() {
        if out.iter().all(|entry| entry.0 != *name) {
            out.push((
                name.clone(),
                format!("{name} was excluded by the workflow when this gate asked before"),
            ));
        }
    }
    Ok(out)
}

/// The person or group that may answer as well once the gate is escalated: filled in when the gate asks first, so that no
/// later value calls somebody else. A gate that asked in an earlier run, of which this one is a retry or fork, calls the same.
fn escalate(
    views: &[View<'_>],
    rule: &GateRule,
    before: Option<&Gate>,
) -> Result<Option<String>, Unresolved> {
    let Some((_, template)) = &rule.escalate else { return Ok(None) };
    let view = views[0];
    let first = before.and_then(|gate| gate.ask.escalate.as_ref());
    if let Some(to) = first.or_else(|| view.run.escalates.get(&view.run.plan_step(view.step).id)) {
        return Ok(Some(to.clone()));
    }
    if templates_read_what_is_by_hand(view.run, view.step, &Value::String(template.clone())) {
        return Err(Unresolved::Failed(left_out_by_hand("its `escalate`")));
    }
    let to = view.text(template)?;
    if to.trim().is_empty() {
        return Err(Unresolved::Failed(format!(
            "its `escalate` names nobody: {template} has no value; see the step or input that it reads"
        )));
    }
    Ok(Some(to))
}

/// The steps behind a gate that run although it is rejected: by their own `if`, and, where the run goes on, also the steps
/// that need only such steps.
fn runs_anyway(run: &Run, gate: StepIx, rule: &GateRule) -> Vec<StepIx> {
    let (behind, held) = (run.beyond(gate), run.held_back_after_a_rejection(gate));
    let goes_on = rule.on_reject == OnFailure::Continue;
    let runs = |step: &StepIx| {
        !held[step.index()] && (goes_on || run.step(*step).explicit || run.in_explicit_frame(*step))
    };
    behind.into_iter().filter(|step| !run.step(*step).rests()).filter(runs).collect()
}

/// The excluded people who are so by `forbid`. The requester stands before them, under one name or two.
pub(super) fn forbidden<'a>(
    excluded: &'a [(String, String)],
    run: &Run,
    rule: &GateRule,
) -> &'a [(String, String)] {
    let requesters = if wants_others(rule) { 1 + usize::from(run.by.made().is_some()) } else { 0 };
    excluded.get(requesters..).unwrap_or_default()
}

/// True when the requester of the run does not count.
pub(super) fn wants_others(rule: &GateRule) -> bool {
    let wanted: u32 = rule.require.iter().map(|quorum| quorum.count).sum();
    wanted > 1 || rule.forbid.iter().any(|text| text == "run.actor")
}

fn form(view: View<'_>, needs: &[Need], set: Option<&ValueMap>) -> Result<Vec<FormField>, Unresolved> {
    let field = |need: &Need| {
        let value = match set.and_then(|fields| fields.get(&need.name)) {
            Some(value) => value.clone(),
            None => {
                need.default.as_ref().map_or(Ok(Value::Null), |default| typed(view.deep(default)?, need))?
            }
        };
        Ok(FormField {
            name: need.name.clone(),
            kind: need.kind,
            required: need.required,
            pattern: need.pattern.clone(),
            choices: need.choices.clone(),
            description: need.description.clone(),
            value,
        })
    };
    needs.iter().map(field).collect()
}

fn typed(value: Value, need: &Need) -> Result<Value, Unresolved> {
    crate::outcome::typed(value, need.kind)
        .map_err(|what| Unresolved::Failed(format!("the default of `{}` is {what}", need.name)))
}

/// The evidence: the copies that a gate answers for, then the entries of the file.
fn evidence(
    views: &[View<'_>],
    rule: &GateRule,
    copies: Option<&[ValueMap]>,
) -> Result<Vec<Evidence>, Unresolved> {
    let facts = views[0].run.step(views[0].step).facts.as_deref();
    let mut out = Vec::new();
    if let Some(copies) = copies {
        let lines: Vec<String> = copies.iter().map(|copy| Value::Object(copy.clone()).to_string()).collect();
        let text = if lines.is_empty() { "no copies".to_owned() } else { lines.join("\n") };
        out.push(evident("matrix".to_owned(), text));
    }
    for source in &rule.evidence {
        if !source.contains("${{") {
            let file = facts.and_then(|facts| facts.files.iter().find(|file| file.path == *source));
            out.push(Evidence {
                title: source.clone(),
                text: None,
                digest: file.and_then(|file| file.digest),
                bytes: file.map_or(0, |file| file.bytes),
                problem: file
                    .map_or_else(|| Some("was not looked at".to_owned()), |file| file.problem.clone()),
            });
            continue;
        }
        let title = Template::parse(source)
            .ok()
            .and_then(|template| template.holes().next().map(|hole| hole.source.trim().to_owned()))
            .unwrap_or_default();
        out.extend(texts(views, source)?.into_iter().map(|text| evident(title.clone(), text)));
    }
    Ok(out)
}

fn evident(title: String, text: String) -> Evidence {
    let digest = Some(sha256("cuelight-text-v1", &[text.as_bytes()]));
    Evidence { title, bytes: text.len() as u64, text: Some(text), digest, problem: None }
}

/// The ask of a step whose result is below its least confidence: is it good enough?
pub(super) fn confidence(run: &Run, step: StepIx, asking: &Asking) -> Ask {
    let rule = run.plan_step(step).confidence.as_ref();
    let least = rule.map_or_else(String::new, |rule| rule.min.to_string());
    let held = run.step(step).held.as_deref().map(|fields| Value::Object(fields.clone())).unwrap_or_default();
    let evidence = evident("result".to_owned(), held.to_string());
    Ask {
        prompt: format!("The result of {} is less certain than {least}. Accept it?", run.plan_step(step).id),
        form: Vec::new(),
        evidence: vec![evidence],
        starts: named(run, &mut reached(run, step).into_iter()),
        ..budget(run, step, asking)
    }
}

/// The ask of a step whose tool a person chooses. The choice in the form is the answer.
pub(super) fn choice(run: &Run, step: StepIx, asking: &Asking, proposed: &Choice) -> Ask {
    let candidates =
        run.plan_step(step).work.route().map(|route| route.candidates.clone()).unwrap_or_default();
    let about = |id: &String| {
        let tool = run.plan.tool(id);
        let said = |plan_tool: &PlanTool| {
            let (effect, risk) = (plan_tool.effect.word(), plan_tool.risk.word());
            format!(
                "{} (effect {effect}, risk {risk}, definition {})",
                plan_tool.description,
                plan_tool.definition.short()
            )
        };
        evident(id.clone(), tool.map(said).unwrap_or_default())
    };
    let tools = candidates.iter().filter_map(|candidate| run.plan.tool(candidate));
    let not_now: Vec<String> = proposed
        .alternatives
        .iter()
        .filter(|alternative| alternative.score == Score(0))
        .map(|alternative| format!("{}: {}", alternative.name, alternative.why))
        .collect();
    let note = if not_now.is_empty() { String::new() } else { format!("; not now: {}", not_now.join(", ")) };
    let given = asking.form.as_ref().and_then(|form| form.get(CHOICE_FIELD).cloned());
    let field = FormField {
        name: CHOICE_FIELD.to_owned(),
        kind: cuelight_plan::OutputType::String,
        required: true,
        pattern: None,
        choices: candidates.iter().map(|candidate| candidate.as_str().into()).collect(),
        description: Some(format!("what {} calls{note}", run.plan_step(step).id)),
        value: given.unwrap_or_else(|| proposed.chosen.as_str().into()),
    };
    let risk = tools.map(|tool| tool.risk).max().unwrap_or(Risk::Reversible);
    Ask {
        prompt: format!("Which tool is {} to call?", run.plan_step(step).id),
        risk,
        touch: asking.wants_touch_at(risk),
        evidence: candidates.iter().map(about).collect(),
        form: vec![field],
        starts: named(run, &mut std::iter::once(step)),
        is_choice: true,
        ..budget(run, step, asking)
    }
}
