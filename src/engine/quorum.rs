//! The quorum of a gate: enough different people have agreed. One person fills one place, in any number of
//! groups.

use cuelight_base::Actor;
use cuelight_plan::Quorum;

/// True if the voters fill every place that `require` asks for; without any, one person is enough.
pub(super) fn is_reached(require: &[Quorum], voters: &[&Actor]) -> bool {
    missing(require, voters).is_empty()
}

/// The places that are still missing: group and number.
pub(super) fn missing(require: &[Quorum], voters: &[&Actor]) -> Vec<(Option<String>, u32)> {
    let anybody = [Quorum { group: None, count: 1 }];
    let require = if require.is_empty() { &anybody } else { require };
    let places: Vec<usize> = require
        .iter()
        .enumerate()
        .flat_map(|(index, quorum)| (0..quorum.count).map(move |_| index))
        .collect();
    let filled = assign(require, &places, voters);
    let mut out: Vec<(Option<String>, u32)> = Vec::new();
    for (index, quorum) in require.iter().enumerate() {
        let open =
            places.iter().zip(&filled).filter(|(place, voter)| **place == index && voter.is_none()).count();
        if open > 0 {
            out.push((quorum.group.clone(), u32::try_from(open).unwrap_or(u32::MAX)));
        }
    }
    out
}

/// True if this person could fill any place at all.
pub(super) fn could_fill(require: &[Quorum], escalated: Option<&str>, actor: &Actor) -> bool {
    require.is_empty()
        || require.iter().any(|quorum| fits(quorum, actor))
        || escalated.is_some_and(|to| is_addressed(to, actor))
}

/// True if a text means this person: a name, or `group:NAME`.
pub(super) fn is_addressed(text: &str, actor: &Actor) -> bool {
    match text.strip_prefix("group:") {
        Some(group) => actor.groups.iter().any(|other| other == group),
        None => actor.name == text,
    }
}

/// The entry among excluded people that means everybody.
pub(super) const EVERYBODY: &str = "*";

/// True when an entry of `forbid` names this person: a principal, a name, or a group of theirs. `forbid:
/// [sre]` means the group as `require: [sre]` does, with and without `group:`.
pub(super) fn is_excluded(entry: &str, actor: &Actor) -> bool {
    entry == EVERYBODY
        || entry == actor.principal()
        || is_addressed(entry, actor)
        || actor.groups.iter().any(|group| group == entry)
}

fn fits(quorum: &Quorum, actor: &Actor) -> bool {
    quorum.group.as_ref().is_none_or(|group| actor.groups.contains(group))
}

/// A largest assignment of people to places (augmenting paths; both lists are short).
fn assign(require: &[Quorum], places: &[usize], voters: &[&Actor]) -> Vec<Option<usize>> {
    let mut filled = vec![None; places.len()];
    for voter in 0..voters.len() {
        let mut seen = vec![false; places.len()];
        place(voter, require, places, voters, &mut filled, &mut seen);
    }
    filled
}

fn place(
    voter: usize,
    require: &[Quorum],
    places: &[usize],
    voters: &[&Actor],
    filled: &mut Vec<Option<usize>>,
    seen: &mut Vec<bool>,
) -> bool {
    for at in 0..places.len() {
        if seen[at] || !fits(&require[places[at]], voters[voter]) {
            continue;
        }
        seen[at] = true;
        let free = match filled[at] {
            None => true,
            Some(other) => place(other, require, places, voters, filled, seen),
        };
        if free {
            filled[at] = Some(voter);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::{Channel, Proof};

    /// `sre 1, product 1; ann sre product, bob sre`
    fn check(require: &str, people: &str) -> bool {
        let require: Vec<Quorum> = require
            .split(", ")
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (group, count) = part.split_once(' ').expect("group count");
                let group = (group != "any").then(|| group.to_owned());
                Quorum { group, count: count.parse().expect("a number") }
            })
            .collect();
        let people: Vec<Actor> = people
            .split(", ")
            .filter(|person| !person.is_empty())
            .enumerate()
            .map(|(uid, person)| {
                let mut words = person.split(' ').map(str::to_owned);
                let name = words.next().expect("a name");
                let proof = Proof::OsUser(u32::try_from(uid).expect("few people"));
                Actor { name, proof, groups: words.collect(), channel: Channel::Console }
            })
            .collect();
        is_reached(&require, &people.iter().collect::<Vec<_>>())
    }

    #[test]
    fn one_person_is_enough_when_nothing_is_asked_for() {
        assert!(!check("", ""));
        assert!(check("", "ann"));
    }

    #[test]
    fn one_person_in_two_groups_fills_one_place() {
        assert!(!check("sre 1, product 1", "ann sre product"));
        assert!(check("sre 1, product 1", "ann sre product, bob sre"));
        assert!(check("sre 1, product 1", "bob sre, ann sre product"));
        assert!(!check("sre 2", "ann sre, bob product"));
        assert!(check("sre 1, any 1", "ann sre, bob"));
    }
}
