//! The people who asked for runs that have ended: a program that a step of theirs started may go on and ask for more.

use crate::quorum::EVERYBODY;
use cuelight_base::{Actor, PROGRAMS_LEFT_FOR, REQUESTERS_MAX, RunId, Timestamp};
use std::collections::BTreeMap;

/// The people whose runs have ended, where a program that a step has started may go on and ask for something.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeftBehind {
    /// By principal, the instant at which a run of theirs ended last, and the reason why they count.
    people: BTreeMap<String, (Timestamp, String)>,
    /// The last instant at which a run ended whose requester had no room here.
    cut: Option<Timestamp>,
}

impl LeftBehind {
    /// A run of this actor has ended.
    pub(crate) fn ended(&mut self, at: Timestamp, by: &Actor, run: RunId) {
        // An agent and the engine itself answer nowhere; who can make the token of an agent does.
        let is_person = |principal: &str| !principal.starts_with("token:") && principal != "engine";
        for (principal, why) in asked_for(by, &behind(run)) {
            if is_person(&principal) {
                self.people.insert(principal, (at, why));
            }
        }
        self.people.retain(|_, (ended, _)| is_recent(*ended, at));
        while self.people.len() > REQUESTERS_MAX {
            let oldest = self.people.iter().min_by_key(|entry| entry.1.0).map(|entry| entry.0.clone());
            let ended = oldest.and_then(|principal| self.people.remove(&principal)).map(|entry| entry.0);
            self.cut = self.cut.max(ended);
        }
    }

    /// The people who count now.
    pub(crate) fn since(&self, now: Timestamp) -> impl Iterator<Item = (String, String)> {
        let recent = self.people.iter().filter(move |entry| is_recent(entry.1.0, now));
        let recent = recent.map(|(principal, (_, why))| (principal.clone(), why.clone()));
        recent.chain(self.cut.filter(|ended| is_recent(*ended, now)).map(|_| too_many()))
    }
}

fn is_recent(ended: Timestamp, now: Timestamp) -> bool {
    now.since(ended) <= PROGRAMS_LEFT_FOR
}

/// The entry for more people than are kept: each could be one of them, so nobody counts.
pub(crate) fn too_many() -> (String, String) {
    let why = format!(
        "a step asked for this run, and more than {REQUESTERS_MAX} people may stand behind that step; ask for a new run yourself"
    );
    (EVERYBODY.to_owned(), why)
}

pub(crate) fn behind(run: RunId) -> String {
    format!("{run}, which stands behind this run")
}

/// The actor of a request, and the OS user who could have made it.
pub(crate) fn asked_for(by: &Actor, what: &str) -> Vec<(String, String)> {
    let name = &by.name;
    let one = |how: &str| format!("{name} asked for {what}{how}; somebody else has to answer");
    let maker = by.made().map(|(maker, how)| (maker, one(&format!(" {how}"))));
    let mut all = vec![(by.principal(), one(""))];
    all.extend(maker);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::{Channel, Proof, Span};

    /// A run that this user asked for, as far as it matters here.
    fn ended(left: &mut LeftBehind, uid: usize, at: i64) {
        let by = Actor {
            name: format!("u{uid}"),
            proof: Proof::OsUser(u32::try_from(uid).expect("few people")),
            groups: Vec::new(),
            channel: Channel::Console,
        };
        left.ended(Timestamp(at), &by, RunId(1));
    }

    #[test]
    fn more_people_than_are_kept_are_everybody_until_the_last_who_was_left_out_counts_no_more() {
        let mut left = LeftBehind::default();
        (0..REQUESTERS_MAX)
            .for_each(|uid| ended(&mut left, uid, 10 + i64::try_from(uid).expect("few people")));
        assert_eq!(left.since(Timestamp(1000)).count(), REQUESTERS_MAX);
        ended(&mut left, REQUESTERS_MAX, 1000);
        let everybody = |at: Timestamp| left.since(at).any(|entry| entry.0 == EVERYBODY);
        assert!(everybody(Timestamp(1000)));
        let end = Timestamp(10) + PROGRAMS_LEFT_FOR;
        assert!(everybody(end) && !everybody(end + Span(1)), "u0 was left out, whose run ended at 10");
    }
}
