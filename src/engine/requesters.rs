//! The people who count as the requesters of a run: the one who asked for it, those of the runs that it does again, and,
//! where a step asked for it, those of the runs that may have started that step's program.
//!
//! Four eyes would be two hands of one person otherwise: somebody asks for a run, somebody else only does it again, or a
//! step of a run of theirs asks for it. Nothing proves the step behind a program, and a program can outlive its run: so
//! every open run counts, and every run that ended not long ago.

use crate::{
    gate::KeptAnswers,
    left_behind::{asked_for, behind, too_many},
    membership::PeopleInForce,
    run::Run,
    world::World,
};
use cuelight_base::{Actor, Channel, REQUESTERS_MAX, Timestamp};

impl Run {
    /// The principals that are excluded wherever the requester is, each with the reason: under one name or more. Those who
    /// asked for this run stand first.
    pub(crate) fn requesters(&self) -> Vec<(String, String)> {
        let mut all = asked_for(&self.by, "this run");
        add(&mut all, self.before.requesters.iter().cloned());
        all
    }

    /// The people at the gates of the runs that this one does again.
    pub(crate) fn kept_answers<'a>(&'a self, people: &'a PeopleInForce) -> KeptAnswers<'a> {
        KeptAnswers {
            by: &self.by,
            behind: &self.before.requesters,
            excluded: &self.before.asked,
            editors: &self.before.editors,
            people,
        }
    }

    /// The same people, as those who stand behind another run.
    fn requesters_behind(&self) -> Vec<(String, String)> {
        let mut all = asked_for(&self.by, &behind(self.id));
        add(&mut all, self.before.requesters.iter().cloned());
        all
    }
}

/// The requesters of a new run in addition to the actor who asks for it: those of the run that it does again, and, where a
/// step asks for it, those of all open runs, and the people who asked for one that has ended not long ago. More than can be kept
/// are everybody.
pub(crate) fn of_others(
    world: &World,
    by: &Actor,
    again: Option<&Run>,
    now: Timestamp,
) -> Vec<(String, String)> {
    let mut all = Vec::new();
    if let Some(run) = again {
        add(&mut all, run.requesters_behind());
    }
    if by.channel == Channel::Step {
        for run in world.runs.values().filter(|run| !run.state.rests()) {
            add(&mut all, run.requesters_behind());
        }
        add(&mut all, world.left.since(now));
    }
    all.retain(|entry| !by.is_or_may_be(&entry.0));
    if all.len() > REQUESTERS_MAX {
        all.truncate(REQUESTERS_MAX);
        add(&mut all, [too_many()]);
    }
    all
}

fn add(all: &mut Vec<(String, String)>, more: impl IntoIterator<Item = (String, String)>) {
    for entry in more {
        if all.iter().all(|known| known.0 != entry.0) {
            all.push(entry);
        }
    }
}
