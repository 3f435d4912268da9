//! A bounded memory that several owners share: no owner's entries are forgotten because another owner has
//! many.
//! Each entry is remembered for a fixed time. When the room is used up, the oldest entry of the owner with
//! most entries goes.

use crate::{Span, Timestamp};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

/// An owner of whom nothing is remembered any more is forgotten after so much of the time, at the latest.
const SWEEPS_IN_A_LIFE: u64 = 24;

/// Things by owner and key. An owner is a project, the workspace's own under no name.
#[derive(Clone, Debug, PartialEq)]
pub struct FairMemory<K, V> {
    of: BTreeMap<String, Own<K, V>>,
    kept: usize,
    most: usize,
    life: Span,
    swept: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
struct Own<K, V> {
    by_key: BTreeMap<K, (Timestamp, V)>,
    /// The keys, as they came first.
    in_order: VecDeque<K>,
}

impl<K: Ord + Clone, V> FairMemory<K, V> {
    /// At most so many of all owners, each for so long.
    pub const fn new(most: usize, life: Span) -> Self {
        Self { of: BTreeMap::new(), kept: 0, most, life, swept: Timestamp(0) }
    }

    /// The value that is remembered of an owner under this key; none when its time is up.
    pub fn find(&self, owner: &str, key: &K, now: Timestamp) -> Option<&V> {
        let (at, found) = self.of.get(owner)?.by_key.get(key)?;
        (*at + self.life >= now).then_some(found)
    }

    /// Remembers it from now on.
    pub fn keep(&mut self, owner: &str, key: K, value: V, now: Timestamp) {
        self.sweep(now);
        if !self.of.contains_key(owner) {
            self.of.insert(owner.to_owned(), Own { by_key: BTreeMap::new(), in_order: VecDeque::new() });
        }
        let Some(own) = self.of.get_mut(owner) else { return };
        self.kept -= own.forget(now, self.life);
        if own.by_key.insert(key.clone(), (now, value)).is_none() {
            own.in_order.push_back(key);
            self.kept += 1;
        }
        if self.kept > self.most {
            self.let_go();
        }
    }

    /// Now and then everything whose time is up is forgotten, of those too who remember nothing more.
    fn sweep(&mut self, now: Timestamp) {
        if now < self.swept + Span(self.life.0 / SWEEPS_IN_A_LIFE) {
            return;
        }
        self.swept = now;
        for own in self.of.values_mut() {
            self.kept -= own.forget(now, self.life);
        }
        self.of.retain(|_, own| !own.in_order.is_empty());
    }

    /// Drops the oldest entry of the owner with most entries; of owners with equally many, the oldest of all.
    fn let_go(&mut self) {
        let weight = |own: &Own<K, V>| (own.in_order.len(), Reverse(own.oldest()));
        let Some((owner, own)) = self.of.iter_mut().max_by_key(|entry| weight(entry.1)) else { return };
        own.forget_first();
        self.kept -= 1;
        if own.in_order.is_empty() {
            let owner = owner.clone();
            self.of.remove(&owner);
        }
    }
}

impl<K: Ord, V> Own<K, V> {
    /// Since when the first of them is remembered.
    fn oldest(&self) -> Option<Timestamp> {
        Some(self.by_key.get(self.in_order.front()?)?.0)
    }

    /// Forgets those whose time is up; how many.
    fn forget(&mut self, now: Timestamp, life: Span) -> usize {
        let before = self.in_order.len();
        while self.oldest().is_some_and(|oldest| oldest + life < now) {
            self.forget_first();
        }
        before - self.in_order.len()
    }

    fn forget_first(&mut self) {
        if let Some(key) = self.in_order.pop_front() {
            self.by_key.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Span = Span(24_000);

    fn known(memory: &FairMemory<u32, u32>, owner: &str, keys: std::ops::Range<u32>, now: i64) -> usize {
        keys.filter(|key| memory.find(owner, key, Timestamp(now)).is_some()).count()
    }

    #[test]
    fn whoever_has_much_forgets_their_own_and_nobody_elses() {
        let mut memory = FairMemory::new(10, LIFE);
        for key in 0..4 {
            memory.keep("bank", key, 1, Timestamp(1));
        }
        for key in 0..100 {
            memory.keep("shop", key, 2, Timestamp(2));
        }
        assert_eq!((known(&memory, "bank", 0..4, 2), known(&memory, "shop", 0..100, 2)), (4, 6));
        assert_eq!((known(&memory, "shop", 94..100, 2), memory.kept), (6, 10));
        assert_eq!(
            (memory.find("bank", &3, Timestamp(2)), memory.find("shop", &3, Timestamp(2))),
            (Some(&1), None)
        );
    }

    #[test]
    fn a_thing_is_remembered_for_its_time_and_an_owner_who_comes_no_more_takes_no_room() {
        let mut memory = FairMemory::new(10, LIFE);
        memory.keep("bank", 1, 1, Timestamp(0));
        memory.keep("gone", 1, 1, Timestamp(500));
        assert_eq!((known(&memory, "bank", 1..2, 24_000), known(&memory, "bank", 1..2, 24_001)), (1, 0));
        // Under the same key again it is remembered anew.
        memory.keep("bank", 1, 2, Timestamp(24_100));
        assert_eq!(memory.find("bank", &1, Timestamp(48_000)), Some(&2));
        memory.keep("bank", 1, 3, Timestamp(30_000));
        assert_eq!(memory.find("bank", &1, Timestamp(54_000)), Some(&3));
        memory.keep("bank", 2, 1, Timestamp(49_000));
        assert_eq!(
            (known(&memory, "bank", 1..3, 54_000), memory.kept),
            (2, 2),
            "what is remembered anew has its whole time"
        );
        memory.keep("shop", 1, 1, Timestamp(55_000));
        assert_eq!((memory.of.keys().map(String::as_str).collect(), memory.kept), (vec!["bank", "shop"], 2));
    }

    #[test]
    fn of_more_owners_than_there_is_room_for_the_oldest_goes() {
        let mut memory = FairMemory::new(10, LIFE);
        for owner in 0..30 {
            memory.keep(&format!("p-{owner}"), 1, owner, Timestamp(owner.into()));
        }
        assert_eq!((memory.of.len(), memory.kept), (10, 10));
        assert_eq!(memory.find("p-19", &1, Timestamp(30)), None);
        assert_eq!(memory.find("p-20", &1, Timestamp(30)), Some(&20));
    }
}
