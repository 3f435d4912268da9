//! The people who count as the requesters of a run: the one who asked for it, those of the runs that it does again, and
//! those of the runs that were open when a step asked for it.
//!
//! Four eyes would be two hands of one person otherwise: somebody asks for a run, somebody else only does it again, or a
//! step of a run of theirs asks for it. Nothing proves the step behind a program, so every open run counts.

use crate::{run::Run, world::World};
use cuelight_base::{Actor, Channel};

impl Run {
    /// The principals that are excluded wherever the requester is, each with the reason: under one name or more. Those who
    /// asked for this run stand first.
    pub(crate) fn requesters(&self) -> Vec<(String, String)> {
        let mut all = asked_for(&self.by, "this run");
        add(&mut all, self.before.requesters.iter().cloned());
        all
    }

    /// The same people, as those who stand behind another run.
    fn requesters_behind(&self) -> Vec<(String, String)> {
        let mut all = asked_for(&self.by, &format!("{}, which stands behind this run", self.id));
        add(&mut all, self.before.requesters.iter().cloned());
        all
    }
}

/// The requesters of a new run in addition to the actor who asks for it: those of the run that it does again, and, where a
/// step asks for it, those of all open runs.
pub(crate) fn of_others(world: &World, by: &Actor, again: Option<&Run>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    if let Some(run) = again {
        add(&mut all, run.requesters_behind());
    }
    if by.channel == Channel::Step {
        for run in world.runs.values().filter(|run| !run.state.rests()) {
            add(&mut all, run.requesters_behind());
        }
    }
    all.retain(|entry| !by.is_or_may_be(&entry.0));
    all
}

/// The actor of a request, and the OS user who could have made it.
fn asked_for(by: &Actor, what: &str) -> Vec<(String, String)> {
    let name = &by.name;
    let one = |how: &str| format!("{name} asked for {what}{how}; somebody else has to answer");
    let maker = by.made().map(|(maker, how)| (maker, one(&format!(" {how}"))));
    let mut all = vec![(by.principal(), one(""))];
    all.extend(maker);
    all
}

fn add(all: &mut Vec<(String, String)>, more: impl IntoIterator<Item = (String, String)>) {
    for entry in more {
        if all.iter().all(|known| known.0 != entry.0) {
            all.push(entry);
        }
    }
}
