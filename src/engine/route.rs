//! Routing: the choice of one of several candidates for a piece of work. `choose` is a pure function of the
//! known facts, so that every kind of candidate is chosen in the same way and with the same reasons.
//!
//! Around it: the facts about the tools of a step, the fate of the step when no tool takes a call, and the
//! choice by a person. Whole numbers only, and chance comes from the seed of the run.

mod past;

pub(super) use past::Past;

use crate::{
    Alternative, Choice, Purpose, StepEvent, StepState, WaitReason,
    ask::{Asking, CHOICE_FIELD},
    call::{self, Unresolved},
    condition::View,
    handle::Turn,
    outcome, retry,
    run::Run,
    target::remembered_as,
};
use cuelight_base::{FailureMode, RoutePolicy, RunId, Score, StepIx, counted, shorten};
use cuelight_plan::Route;

/// A candidate for a step, with the facts that a choice needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidate {
    /// `ship@1.2.0`
    pub(super) name: String,
    /// The target of its call.
    target: Option<String>,
    /// Why it cannot do it now, if it cannot.
    pub(super) unavailable: Option<String>,
    /// The number of wanted capabilities that it has.
    pub(super) matches: usize,
    /// Calls under way to it, and waiting for it.
    pub(super) under_way: u64,
    /// The higher, the sooner.
    pub(super) priority: i32,
    /// When it was chosen last, counted over all choices; 0 for never.
    pub(super) turn: u64,
    /// The record of its last calls.
    pub(super) past: Past,
}

/// Chooses one of the available candidates; none when no one is available. `wants` is the number of wanted
/// capabilities, `drawn` a number that only `learned` uses. The first of equals is chosen.
pub(super) fn choose(
    policy: RoutePolicy,
    wants: usize,
    candidates: &[Candidate],
    drawn: u64,
) -> Option<Choice> {
    let fastest = candidates
        .iter()
        .filter(|candidate| candidate.past.succeeded > 0)
        .map(|candidate| candidate.past.mean_ms.max(1))
        .min();
    let score = |candidate: &Candidate| match &candidate.unavailable {
        Some(_) => Score(0),
        None => score(policy, wants, candidate, candidates, fastest.unwrap_or(1)),
    };
    let available: Vec<&Candidate> =
        candidates.iter().filter(|candidate| candidate.unavailable.is_none()).collect();
    let best = match policy {
        RoutePolicy::RoundRobin => available.iter().min_by_key(|candidate| candidate.turn),
        RoutePolicy::Capability
        | RoutePolicy::LeastLoaded
        | RoutePolicy::Priority
        | RoutePolicy::Manual
        | RoutePolicy::Learned => {
            let is_new = |candidate: &Candidate| policy == RoutePolicy::Learned && candidate.past.calls == 0;
            available.iter().rev().max_by_key(|candidate| (score(candidate), is_new(candidate)))
        }
    }?;
    let others: Vec<&&Candidate> = available.iter().filter(|candidate| candidate.name != best.name).collect();
    let explores =
        policy == RoutePolicy::Learned && drawn.is_multiple_of(EXPLORES_ONE_IN) && !others.is_empty();
    let chosen = if explores {
        let at = (drawn / EXPLORES_ONE_IN) % others.len() as u64;
        others[usize::try_from(at).unwrap_or(0)]
    } else {
        best
    };
    let mut alternatives: Vec<Alternative> = candidates
        .iter()
        .filter(|candidate| candidate.name != chosen.name)
        .map(|candidate| Alternative {
            name: candidate.name.clone(),
            score: score(candidate),
            why: candidate.unavailable.clone().unwrap_or_else(|| about(policy, wants, candidate)),
        })
        .collect();
    alternatives.sort_by_key(|alternative| std::cmp::Reverse(alternative.score));
    let reason = about(policy, wants, chosen);
    let reason = if explores { format!("one choice in ten is for finding out; {reason}") } else { reason };
    let confidence = match policy {
        RoutePolicy::RoundRobin | RoutePolicy::Priority | RoutePolicy::Manual => Score::ONE,
        RoutePolicy::Capability | RoutePolicy::LeastLoaded | RoutePolicy::Learned => score(chosen),
    };
    Some(Choice {
        policy: policy.word().to_owned(),
        chosen: chosen.name.clone(),
        reason,
        alternatives,
        confidence,
    })
}

/// One choice in so many is not the best one, so that `learned` learns of others.
const EXPLORES_ONE_IN: u64 = 10;

/// The score of a candidate that is available.
fn score(policy: RoutePolicy, wants: usize, candidate: &Candidate, all: &[Candidate], fastest: u64) -> Score {
    match policy {
        RoutePolicy::RoundRobin | RoutePolicy::Manual => Score::ONE,
        RoutePolicy::Capability if wants == 0 => Score(5000),
        RoutePolicy::Capability => Score::ratio(candidate.matches as u64, wants as u64),
        RoutePolicy::LeastLoaded => Score::ratio(1, candidate.under_way.saturating_add(1)),
        RoutePolicy::Priority => {
            let not_above = all.iter().filter(|other| other.priority <= candidate.priority).count();
            Score::ratio(not_above as u64, all.len() as u64)
        }
        // One more success than there were: a single failure settles nothing, and what was never called is tried.
        RoutePolicy::Learned => {
            let succeeds = Score::ratio(candidate.past.succeeded + 1, candidate.past.calls + 1);
            let speed = match candidate.past {
                Past { calls: 0, .. } => Score::ONE,
                Past { succeeded: 0, .. } => Score(0),
                Past { mean_ms, .. } => Score::ratio(fastest, mean_ms.max(1)),
            };
            Score((9 * (succeeds.0 / 10)) + speed.0 / 10)
        }
    }
}

/// The arguments for a candidate that is available, or against it.
fn about(policy: RoutePolicy, wants: usize, candidate: &Candidate) -> String {
    match policy {
        RoutePolicy::RoundRobin if candidate.turn == 0 => "its turn has not come before".to_owned(),
        RoutePolicy::RoundRobin => "its turn was before, and comes again after the others".to_owned(),
        RoutePolicy::Manual => "it can be called now".to_owned(),
        RoutePolicy::Capability if wants == 0 => {
            "nothing special is asked for; the first is taken".to_owned()
        }
        RoutePolicy::Capability => {
            format!("it has {} of {}", candidate.matches, counted(wants, "capability", "capabilities"))
        }
        RoutePolicy::LeastLoaded => {
            let calls = usize::try_from(candidate.under_way).unwrap_or(usize::MAX);
            format!("{} under way to it", counted(calls, "call", "calls"))
        }
        RoutePolicy::Priority => format!("its priority is {}", candidate.priority),
        RoutePolicy::Learned if candidate.past.calls == 0 => "it was not called before".to_owned(),
        RoutePolicy::Learned => {
            let Past { calls, succeeded, mean_ms } = candidate.past;
            let took = if succeeded > 0 { format!(", {mean_ms} ms on average") } else { String::new() };
            let calls = usize::try_from(calls).unwrap_or(usize::MAX);
            format!("{succeeded} of its last {} succeeded{took}", counted(calls, "call", "calls"))
        }
    }
}

impl Turn<'_> {
    /// True if the tool of this step is known. Otherwise the step waits, people are asked, or it goes on
    /// without.
    pub(super) fn is_routed(&mut self, id: RunId, step: StepIx) -> bool {
        let run = self.run(id);
        let Some(route) = run.plan_step(step).work.route() else { return true };
        let this_step = run.step(step);
        // A choice stands for all calls of the step: another tool would not know what the first may have done.
        let stands = this_step.tries.calls > 0
            || this_step.state() == StepState::Running
            || route.policy == RoutePolicy::Manual;
        if this_step.target.chosen.is_some() && stands {
            return true;
        }
        let candidates = match self.candidates(run, step, route) {
            Ok(candidates) => candidates,
            Err(why) => {
                self.unresolved(id, step, Vec::new(), why);
                return false;
            }
        };
        let chosen = this_step.target.chosen.as_ref();
        if candidates
            .iter()
            .any(|candidate| Some(&candidate.name) == chosen && candidate.unavailable.is_none())
        {
            return true;
        }
        let drawn = retry::chance(run.seed, step, ROUTING | (this_step.tries.attempts + 1));
        match choose(route.policy, route.wants.len(), &candidates, drawn) {
            None => {
                self.has_no_candidate(id, step, &candidates);
                false
            }
            Some(_) if route.policy == RoutePolicy::Manual => {
                self.ask_by_the_way(id, step);
                false
            }
            Some(choice) => {
                self.emit_step(id, step, StepEvent::Routed { choice: Box::new(choice) });
                true
            }
        }
    }

    /// The facts about the tools of which one is chosen.
    fn candidates(&self, run: &Run, step: StepIx, route: &Route) -> Result<Vec<Candidate>, Unresolved> {
        let view = View::of(self.world, run, step, self.now);
        let work = &run.plan_step(step).work;
        let mut all = Vec::new();
        for name in &route.candidates {
            let (target, unavailable) = match call::launch_of(view, work, name) {
                Ok(launch) => {
                    let target =
                        launch.target_in(self.world.project_of(run.id)).unwrap_or_else(|| name.clone());
                    let why = self.not_now(&target, (run.id, step));
                    let why = why.or_else(|| self.nobody_comes(run, name, &launch));
                    (Some(target), why)
                }
                Err(Unresolved::Failed(why)) => (None, Some(shorten(&why, 200))),
                Err(why) => return Err(why),
            };
            let has = run.plan.tool(name).map(|tool| tool.capabilities.as_slice()).unwrap_or_default();
            all.push(Candidate {
                matches: route.wants.iter().filter(|text| has.contains(text)).count(),
                under_way: target.as_ref().map_or(0, |target| self.world.targets.under_way(target)),
                priority: run.plan.tool(name).map_or(0, |tool| tool.priority),
                turn: self.world.targets.turn_of(name),
                past: self.world.targets.past_of(target.as_deref().map_or(name, remembered_as)),
                name: name.clone(),
                target,
                unavailable,
            });
        }
        // Where none of them can take what it would be given, waiting helps nobody.
        let nobody = all.iter().all(|item| item.target.is_none());
        match all.first().and_then(|candidate| candidate.unavailable.clone()).filter(|_| nobody) {
            Some(why) => Err(Unresolved::Failed(why)),
            None => Ok(all),
        }
    }

    /// None of them takes a call: the fallback is next, where there is one; else the step waits, for its
    /// timeout at most.
    fn has_no_candidate(&mut self, id: RunId, step: StepIx, candidates: &[Candidate]) {
        let why = |candidate: &Candidate| candidate.unavailable.clone().unwrap_or_default();
        let run = self.run(id);
        let plan = run.plan_step(step);
        let message = format!(
            "none of its candidates takes a call: {}",
            candidates
                .iter()
                .map(|candidate| format!("{}: {}", candidate.name, why(candidate)))
                .collect::<Vec<_>>()
                .join("; ")
        );
        if let Some(next) = call::work_at(plan, 1).filter(|_| !run.is_ending()) {
            let chosen = next.tool().map_or_else(|| "fallback 1".to_owned(), str::to_owned);
            let passed = |candidate: &Candidate| Alternative {
                name: candidate.name.clone(),
                score: Score(0),
                why: why(candidate),
            };
            let choice = Choice {
                policy: "fallback".to_owned(),
                chosen,
                reason: shorten(&message, 200),
                alternatives: candidates.iter().map(passed).collect(),
                confidence: Score::ONE,
            };
            self.emit_step(id, step, StepEvent::Routed { choice: Box::new(choice) });
            return self.call(id, step, Purpose::Fallback(1));
        }
        let fails_at = run.step(step).target.fails_at.or(plan.timeout.map(|timeout| self.now + timeout));
        if fails_at.is_some_and(|fails_at| fails_at <= self.now) {
            return self.fail_step(id, step, &outcome::failure(FailureMode::ResourceTool, message));
        }
        let targets =
            candidates.iter().filter_map(|candidate| Some((candidate.target.clone()?, why(candidate))));
        let names: Vec<(String, String)> = targets.collect();
        // A circuit tells by itself when it can be tried; a day that is over does not.
        let days = names.iter().filter_map(|name| self.quota_until(&name.0, (id, step)));
        let reason = WaitReason::Candidates { until: days.min(), fails_at, names };
        self.emit_step(id, step, StepEvent::Waiting { reason });
    }

    /// The choice that is proposed to people: the first candidate that can be called now.
    pub(super) fn proposed(&self, run: &Run, step: StepIx) -> Option<Choice> {
        let route = run.plan_step(step).work.route()?;
        let candidates = self.candidates(run, step, route).ok()?;
        choose(route.policy, route.wants.len(), &candidates, 1).or_else(|| {
            // None of them can be called now; who could be chosen besides is told all the same.
            let (first, others) = candidates.split_first()?;
            let first = Candidate { name: first.name.clone(), ..Candidate::default() };
            let passed = |candidate: &Candidate| Alternative {
                name: candidate.name.clone(),
                score: Score(0),
                why: candidate.unavailable.clone().unwrap_or_default(),
            };
            let choice = choose(route.policy, route.wants.len(), &[first], 1)?;
            Some(Choice { alternatives: others.iter().map(passed).collect(), ..choice })
        })
    }

    /// Somebody has chosen at a gate.
    pub(super) fn chosen_by_hand(&mut self, id: RunId, step: StepIx, asked: &Asking, by: &str) {
        let chosen =
            asked.form.as_ref().and_then(|form| form.get(CHOICE_FIELD)).and_then(|value| value.as_str());
        let run = self.run(id);
        let proposed = self.proposed(run, step);
        let (Some(chosen), Some(proposed)) = (chosen.map(str::to_owned), proposed) else {
            let message = "nothing was chosen";
            return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
        };
        let passed = Alternative {
            name: proposed.chosen.clone(),
            score: Score::ONE,
            why: "it was proposed".to_owned(),
        };
        let others = std::iter::once(passed).chain(proposed.alternatives);
        let choice = Choice {
            policy: RoutePolicy::Manual.word().to_owned(),
            reason: format!("{by} chose it at {}", asked.gate),
            alternatives: others.filter(|alternative| alternative.name != chosen).collect(),
            confidence: Score::ONE,
            chosen,
        };
        self.emit_step(id, step, StepEvent::Routed { choice: Box::new(choice) });
        self.call_when_free(id, step);
    }
}

/// Tells a draw for a choice from those for delays.
const ROUTING: u32 = 1 << 31;

impl Run {
    /// True if a person is to choose the tool of this step, and has not.
    pub(super) fn is_to_be_chosen(&self, step: StepIx) -> bool {
        let by_hand = |route: &Route| route.policy == RoutePolicy::Manual;
        self.step(step).target.chosen.is_none() && self.plan_step(step).work.route().is_some_and(by_hand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a b2 c!`: names; then what is known: `m` capabilities it has, `u` calls under way, `p` priority, `t`
    /// turn, `l` last calls, succeeded, milliseconds; `!` not available.
    fn candidates(text: &str) -> Vec<Candidate> {
        let one = |text: &str| {
            let mut words = text.split(',');
            let mut candidate =
                Candidate { name: words.next().unwrap_or_default().to_owned(), ..Candidate::default() };
            for word in words {
                let (what, number) = word.split_at(1);
                let parts: Vec<u64> =
                    number.split('/').map(|part| part.parse().unwrap_or_default()).collect();
                match what {
                    "m" => candidate.matches = usize::try_from(parts[0]).expect("small"),
                    "u" => candidate.under_way = parts[0],
                    "p" => candidate.priority = i32::try_from(parts[0]).expect("small"),
                    "t" => candidate.turn = parts[0],
                    "l" => candidate.past = Past { calls: parts[0], succeeded: parts[1], mean_ms: parts[2] },
                    _ => candidate.unavailable = Some("its circuit is open".to_owned()),
                }
            }
            candidate
        };
        text.split_whitespace().map(one).collect()
    }

    /// Policy, what is asked for, candidates, the draw; then what is chosen, how sure, and the others with
    /// their scores.
    const CASES: &[(RoutePolicy, usize, &str, u64, &str)] = &[
        (RoutePolicy::RoundRobin, 0, "a b c", 1, "a 1.00 of b=1.00 c=1.00"),
        (RoutePolicy::RoundRobin, 0, "a,t3 b,t1 c,t2", 1, "b 1.00 of a=1.00 c=1.00"),
        (RoutePolicy::RoundRobin, 0, "a,t3 b,t1,! c,t2", 1, "c 1.00 of a=1.00 b=0.00"),
        (RoutePolicy::Capability, 0, "a b", 1, "a 0.50 of b=0.50"),
        (RoutePolicy::Capability, 2, "a,m1 b,m2 c,m0", 1, "b 1.00 of a=0.50 c=0.00"),
        (RoutePolicy::Capability, 2, "a,m1 b,m1", 1, "a 0.50 of b=0.50"),
        (RoutePolicy::Capability, 3, "a,m1 b,m3,! c,m2", 1, "c 0.67 of a=0.33 b=0.00"),
        (RoutePolicy::LeastLoaded, 0, "a,u3 b,u1 c,u2", 1, "b 0.50 of c=0.33 a=0.25"),
        (RoutePolicy::LeastLoaded, 0, "a b", 1, "a 1.00 of b=1.00"),
        (RoutePolicy::Priority, 0, "a,p1 b,p9 c,p5", 1, "b 1.00 of c=0.67 a=0.33"),
        (RoutePolicy::Priority, 0, "a,p1 b,p9,! c,p5", 1, "c 1.00 of a=0.33 b=0.00"),
        (RoutePolicy::Manual, 0, "a,! b c", 1, "b 1.00 of c=1.00 a=0.00"),
        (RoutePolicy::Learned, 0, "a,l100/50/10 b,l100/100/10", 1, "b 1.00 of a=0.55"),
        // Twice as slow costs less than failing every second time.
        (RoutePolicy::Learned, 0, "a,l100/50/10 b,l100/100/20", 1, "b 0.95 of a=0.55"),
        (RoutePolicy::Learned, 0, "a,l100/100/20 b,l100/100/10", 1, "b 1.00 of a=0.95"),
        // Who was never called is tried; a single failure settles nothing.
        (RoutePolicy::Learned, 0, "a,l100/99/10 b", 1, "b 1.00 of a=0.99"),
        (RoutePolicy::Learned, 0, "a,l100/100/10 b", 1, "b 1.00 of a=1.00"),
        (RoutePolicy::Learned, 0, "a,l100/30/10 b,l1/0/0", 1, "b 0.45 of a=0.38"),
        // One choice in ten is for finding out.
        (RoutePolicy::Learned, 0, "a,l100/100/10 b,l100/0/0 c,l9/0/0", 10, "c 0.09 of a=1.00 b=0.01"),
        (RoutePolicy::Learned, 0, "a,l100/100/10 b,l100/0/0 c,l9/0/0", 20, "b 0.01 of a=1.00 c=0.09"),
        (RoutePolicy::Learned, 0, "a,l100/100/10 b,l100/0/0,!", 10, "a 1.00 of b=0.00"),
        (RoutePolicy::Learned, 0, "a,! b,!", 1, "nobody"),
        (RoutePolicy::RoundRobin, 0, "", 1, "nobody"),
    ];

    #[test]
    fn every_policy_chooses_as_its_table_says_with_a_reason_and_all_alternatives() {
        for (policy, wants, text, drawn, expected) in CASES {
            let candidates = candidates(text);
            let found = choose(*policy, *wants, &candidates, *drawn);
            let words = found.as_ref().map_or_else(
                || "nobody".to_owned(),
                |choice| {
                    let others: Vec<String> = choice
                        .alternatives
                        .iter()
                        .map(|alternative| format!("{}={}", alternative.name, alternative.score))
                        .collect();
                    format!("{} {} of {}", choice.chosen, choice.confidence, others.join(" "))
                },
            );
            assert_eq!(words, *expected, "{policy:?} of {text} with {drawn}");
            if let Some(choice) = found {
                assert_eq!(choice.alternatives.len() + 1, candidates.len());
                let reasons =
                    choice.alternatives.iter().map(|alternative| &alternative.why).chain([&choice.reason]);
                assert!(reasons.into_iter().all(|reason| !reason.is_empty()), "{choice:?}");
            }
        }
    }
}
