//! The works of a step: its own, its fallbacks, its check and its undo.

use crate::{Purpose, run::Run};
use cuelight_base::{Digest, StepIx, sha256};
use cuelight_plan::{FrameKind, PlanStep, PlanTool, Undo, Work};

/// Another call that a step may make: a fallback, its check or its undo.
pub(crate) struct Beside<'a> {
    /// The name in an ask: of the step, or of one of its fallbacks.
    pub(crate) name: String,
    /// The word for it.
    pub(crate) kind: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) work: &'a Work,
}

/// The fallbacks, the check and the undo of a step.
pub(crate) fn beside(plan: &PlanStep) -> Vec<Beside<'_>> {
    let fallback = |(which, work): (u32, _)| Beside {
        name: format!("{} (fallback {which})", plan.id),
        kind: kind(work),
        purpose: Purpose::Fallback(which),
        work,
    };
    let own = |kind, purpose, work| Beside { name: plan.id.clone(), kind, purpose, work };
    let check = plan.check.as_deref().map(|work| own("check", Purpose::Check, work));
    let undo = undo_work(plan).map(|undo_work| own("undo", Purpose::Undo, undo_work));
    (1..).zip(&plan.fallback).map(fallback).chain(check).chain(undo).collect()
}

/// All that a step may be called for.
pub(crate) fn purposes(plan: &PlanStep) -> impl Iterator<Item = Purpose> {
    let fallbacks = (1..).zip(&plan.fallback).map(|pair| Purpose::Fallback(pair.0));
    let check = plan.check.is_some().then_some(Purpose::Check);
    let undo = undo_work(plan).is_some().then_some(Purpose::Undo);
    std::iter::once(Purpose::Step).chain(fallbacks).chain(check).chain(undo)
}

/// The work that a step calls for this purpose.
pub(super) fn work_for(plan: &PlanStep, purpose: Purpose) -> Option<&Work> {
    match purpose {
        Purpose::Step => Some(&plan.work),
        Purpose::Fallback(which) => work_at(plan, which),
        Purpose::Undo => undo_work(plan),
        Purpose::Check => plan.check.as_deref(),
    }
}

/// The tool that a step's work at hand uses, if it is one.
pub(crate) fn tool_at(run: &Run, step: StepIx, which: u32) -> Option<&PlanTool> {
    let work = work_at(run.plan_step(step), which)?;
    let chosen = run.step(step).target.chosen.as_deref().filter(|_| work.route().is_some());
    run.plan.tool(chosen.or(work.tool())?)
}

/// The work at hand of a step: itself, or one of its fallbacks (counted from 1).
pub(crate) fn work_at(plan: &PlanStep, which: u32) -> Option<&Work> {
    match which {
        0 => Some(&plan.work),
        n => plan.fallback.get(n as usize - 1),
    }
}

/// The undo of a step.
pub(crate) fn undo_work(plan: &PlanStep) -> Option<&Work> {
    match &plan.undo {
        Undo::By(work) => Some(work),
        Undo::Unset | Undo::Impossible => None,
    }
}

/// Hash of a step's template, for what cannot be resolved yet.
pub(crate) fn template_hash(plan: &PlanStep) -> Digest {
    let template = cuelight_base::canonical_json(&(&plan.work, &plan.env, &plan.dir));
    sha256("cuelight-template-v1", &[template.as_bytes()])
}

/// The same for the fallback of a step.
pub(crate) fn fallback_hash(plan: &PlanStep, work: &Work) -> Digest {
    let template = cuelight_base::canonical_json(&(work, &plan.env, &plan.dir));
    sha256("cuelight-template-v1", &[template.as_bytes()])
}

/// The word for a kind of work.
pub(crate) fn kind(work: &Work) -> &'static str {
    match work {
        Work::Run { .. } => "run",
        Work::Tool(tool_use) if tool_use.is_agent() => "agent",
        Work::Tool(_) => "uses",
        Work::Http(_) => "http",
        Work::Model(_) => "llm",
        Work::Gate(_) => "gate",
        Work::Wait(_) => "wait",
        Work::Set { .. } => "set",
        Work::Emit(_) => "emit",
        Work::Later(_) => "later",
        Work::Frame(frame) => match frame.kind {
            FrameKind::Matrix | FrameKind::Computed { .. } => "matrix",
            FrameKind::Workflow { .. } => "workflow",
            FrameKind::Talk(_) => "llm",
        },
    }
}
