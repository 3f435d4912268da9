//! Agents as they can be seen: those that are described, put together with what the log tells of each. Ranked, the best first.
//!
//! Descriptions of agents stand in files, which a board does not know; the reader of the files passes them in.

use crate::{Board, Tally};
use cuelight_base::{Circuit, RunId, Score, Span, StepIx, Timestamp, agent_name, tool_of_target};
use cuelight_exchange::Registered;
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BTreeMap};

/// An agent as its file describes it; foreign text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentAbout {
    /// `agent:reviewer@1.0.0`
    pub id: String,
    /// The description of its work.
    pub description: String,
    /// The capabilities, in the words that steps ask for.
    pub capabilities: Vec<String>,
    /// True if it fetches its work itself, so that nothing is started here.
    #[serde(default)]
    pub claim: bool,
    /// The interval of its heartbeats; none when it may stay silent.
    pub heartbeat: Option<Span>,
    /// The effect class: what a crash in the middle of its work means.
    pub effect: String,
    /// The damage that a wrong call could do.
    pub risk: String,
    /// The usual cost of a call, in millionths of a dollar.
    pub cost_micro_usd: u64,
    /// The file it stands in.
    pub origin: String,
}

/// All agents that are described, and what is wrong with the files that describe none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentsAbout {
    /// The agents, sorted by name.
    pub agents: Vec<AgentAbout>,
    /// File, and what is wrong with it.
    pub problems: Vec<(String, String)>,
}

/// The state of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// It works on this many calls.
    Works(usize),
    /// Calls wait for it, and none is made.
    Waits(usize),
    /// Its circuit is open: it takes no calls.
    Open,
    /// It could be called.
    Idle,
    /// No file describes it (any more): a command of a step, or one of the past.
    Unlisted,
    /// It came by itself; how it stands now depends on when it was seen.
    Came,
    /// Its file cannot be read as an agent.
    Broken(String),
}

impl AgentState {
    /// The word for it, and how many where something is counted.
    pub fn words(&self) -> String {
        match self {
            Self::Works(calls) => format!("works {calls}"),
            Self::Waits(steps) => format!("waits {steps}"),
            Self::Open => "circuit open".to_owned(),
            Self::Idle => "idle".to_owned(),
            Self::Unlisted => "in a step".to_owned(),
            Self::Came => "registered".to_owned(),
            Self::Broken(_) => "broken".to_owned(),
        }
    }
}

/// One agent, or one file that should describe one.
#[derive(Clone, Debug)]
pub struct AgentRow<'a> {
    /// `reviewer@1.0.0`, or the file.
    pub name: String,
    /// Among those that have done something, by health and how much it did; nothing for others.
    pub rank: Option<usize>,
    /// The state of the agent.
    pub state: AgentState,
    /// The description; none when no file describes the agent.
    pub about: Option<&'a AgentAbout>,
    /// The tally of its past work.
    pub done: Option<&'a Tally>,
    /// The steps that it works on now.
    pub steps: Vec<(RunId, StepIx)>,
    /// The description that it gave when it registered; none when it did not register.
    pub came: Option<&'a Registered>,
}

impl Board {
    /// Steps that agents work on now.
    pub fn agents_at_work(&self) -> usize {
        self.at_work.len()
    }

    /// All agents that are described or were called, the best first, then those that came by themselves, then the files that describe
    /// none.
    pub fn agents<'a>(&'a self, known: &'a AgentsAbout) -> Vec<AgentRow<'a>> {
        let mut ids: BTreeMap<&str, (Option<&AgentAbout>, Option<&Tally>)> =
            known.agents.iter().map(|agent| (agent.id.as_str(), (Some(agent), None))).collect();
        for (kind, tally) in self.vitals().kinds().filter(|kind| agent_name(kind.0).is_some()) {
            ids.entry(kind).or_default().1 = Some(tally);
        }
        for id in self.at_work.values() {
            ids.entry(id).or_default();
        }
        let mut rows: Vec<AgentRow<'a>> = ids
            .into_iter()
            .map(|(id, (about, done))| {
                let steps: Vec<_> =
                    self.at_work.iter().filter(|entry| **entry.1 == *id).map(|entry| *entry.0).collect();
                let state = self.agent_state(id, steps.len(), about.is_some());
                AgentRow { name: called(id), rank: None, state, about, done, steps, came: None }
            })
            .collect();
        let ended = |row: &AgentRow<'_>| row.done.map_or(0, |tally| tally.ended);
        let health = |row: &AgentRow<'_>| row.done.filter(|tally| tally.ended > 0).map(Tally::health);
        rows.sort_by(|a, b| {
            let key = |row: &AgentRow<'_>| (Reverse(health(row)), Reverse(ended(row)));
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        for (index, row) in rows.iter_mut().enumerate() {
            row.rank = health(row).map(|_| index + 1);
        }
        rows.extend(self.present().iter().map(|(key, registered)| {
            let of = key.project.as_ref().map_or_else(String::new, |project| format!(" ({project})"));
            let (name, state) = (format!("{}{of}", key.name), AgentState::Came);
            let mine = self.leases().held().filter(|lease| lease.agent == *key);
            let steps = mine.map(|lease| (lease.attempt.run, lease.attempt.step)).collect();
            AgentRow { name, rank: None, state, about: None, done: None, steps, came: Some(registered) }
        }));
        rows.extend(known.problems.iter().map(|(file, why)| AgentRow {
            name: file.clone(),
            rank: None,
            state: AgentState::Broken(why.clone()),
            about: None,
            done: None,
            steps: Vec::new(),
            came: None,
        }));
        rows
    }

    fn agent_state(&self, id: &str, works: usize, is_listed: bool) -> AgentState {
        // A project may have it to itself.
        let waits = self.held_back.values().filter(|target| tool_of_target(target) == id).count();
        let mut of_it = self.targets().filter(|target| tool_of_target(target.0) == id);
        let is_open = of_it.any(|target| matches!(target.1.circuit, Circuit::Open { .. }));
        match () {
            () if works > 0 => AgentState::Works(works),
            () if is_open => AgentState::Open,
            () if waits > 0 => AgentState::Waits(waits),
            () if is_listed => AgentState::Idle,
            () => AgentState::Unlisted,
        }
    }
}

fn called(id: &str) -> String {
    id.strip_prefix(cuelight_base::AGENT_PREFIX).unwrap_or(id).to_owned()
}

impl AgentRow<'_> {
    /// When something was heard of it last, as far as the log knows; now while it works.
    pub fn last_seen(&self, now: Timestamp) -> Option<Timestamp> {
        if let Some(registered) = self.came {
            Some(registered.seen)
        } else if self.steps.is_empty() {
            self.done.filter(|tally| tally.ended > 0).map(|tally| tally.last_at)
        } else {
            Some(now)
        }
    }

    /// The share of its results that were good; none when it has no results.
    pub fn success(&self) -> Option<Score> {
        let done = self.done.filter(|tally| tally.ended > 0)?;
        Some(Score::ratio(done.done, done.done + done.partial + done.failed))
    }
}
