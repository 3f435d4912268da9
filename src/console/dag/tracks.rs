//! The wires between two columns: which vertical track each fan-out takes, so that wires that have nothing to do
//! with one another never touch.
//!
//! A fan-out enters at the rows of its sources and leaves at the rows of its targets. In a row where one enters and
//! another leaves, the first must turn off before the second comes in: it takes a track further left. When such
//! demands go in a circle, one fan-out leaves by a lane, an empty row, and comes back on a second track.

use std::collections::{BTreeMap, BTreeSet};

/// So many lanes fit between two rows.
pub(super) const LANES: i32 = 64;

/// A row and a lane after it as one number: `row * LANES + lane`, lane 0 being the row itself.
pub(super) type Level = i32;

/// One fan-out between two columns: levels of its sources and of its targets.
#[derive(Clone, Debug, Default)]
pub(super) struct Fan {
    pub(super) left: Vec<Level>,
    pub(super) right: Vec<Level>,
}

/// The way of one fan-out.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// Its track, from 0; none if it is one straight line.
    pub(super) track: Option<usize>,
    /// The lane and the second track for some of its targets.
    pub(super) detour: Option<(Level, usize)>,
    /// The targets that are reached by the second track.
    pub(super) detoured: BTreeSet<Level>,
}

/// The tracks of all fan-outs of a gap, and how many tracks there are.
pub(super) fn route(fans: &[Fan]) -> (Vec<Run>, usize) {
    let mut router = Router::new(fans);
    router.place_all();
    router.finish(fans.len())
}

/// Up to so many fan-outs are compared pair by pair for their crossings.
const PAIRS_MAX: usize = 48;

struct Router {
    /// The fan-outs, then the second halves of those that take a detour.
    fans: Vec<Fan>,
    /// For each second half, the index of its first half.
    half_of: BTreeMap<usize, usize>,
    /// The fan-out that enters in a level.
    enters: BTreeMap<Level, usize>,
    taken: BTreeSet<Level>,
    placed: Vec<usize>,
    waiting: BTreeSet<usize>,
    /// The crossings saved by placing each fan-out left of each other one.
    cost: Option<Vec<Vec<i32>>>,
}

impl Router {
    fn new(fans: &[Fan]) -> Self {
        let fans = fans.to_vec();
        let mut enters = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for (index, fan) in fans.iter().enumerate() {
            enters.extend(fan.left.iter().map(|level| (*level, index)));
            taken.extend(fan.left.iter().chain(&fan.right));
        }
        let waiting: BTreeSet<usize> = (0..fans.len()).filter(|index| !is_straight(&fans[*index])).collect();
        let cost = (waiting.len() <= PAIRS_MAX)
            .then(|| fans.iter().map(|a| fans.iter().map(|b| crossings(a, b)).collect()).collect());
        Self { fans, half_of: BTreeMap::new(), enters, taken, placed: Vec::new(), waiting, cost }
    }

    /// From left to right: of those that may come next the one that is crossed least by what follows.
    fn place_all(&mut self) {
        while !self.waiting.is_empty() {
            let free = self.waiting.iter().copied().filter(|fan| self.blocked(*fan).is_empty());
            if let Some(next) = free.min_by_key(|fan| self.rank(*fan)) {
                self.place(next);
            } else {
                // A second half is never in the way of another, so there is always a first to split.
                let whole = self.waiting.iter().copied().filter(|fan| !self.half_of.contains_key(fan));
                let next = whole.min_by_key(|fan| (self.blocked(*fan).len(), self.rank(*fan)));
                self.detour(next.expect("somebody waits"));
            }
        }
    }

    /// The targets in whose rows somebody enters who has no track yet.
    fn blocked(&self, fan: usize) -> Vec<Level> {
        let blocks = |level: &&Level| {
            self.enters.get(*level).is_some_and(|other| *other != fan && self.waiting.contains(other))
        };
        self.fans[fan].right.iter().filter(blocks).copied().collect()
    }

    fn rank(&self, fan: usize) -> (i32, i32, usize) {
        let this_fan = &self.fans[fan];
        // What goes down is placed from below, what goes up from above: so they do not cross one another.
        let (top, bottom) = interval(this_fan);
        let down = this_fan.left.iter().min() == Some(&top);
        let slope = if down { -bottom } else { top };
        let cost = self.cost.as_ref().filter(|cost| fan < cost.len()).map_or(0, |cost| {
            let others = self.waiting.iter().filter(|other| **other != fan && **other < cost.len());
            others.map(|other| cost[fan][*other] - cost[*other][fan]).sum()
        });
        (cost, slope, fan)
    }

    fn place(&mut self, fan: usize) {
        self.waiting.remove(&fan);
        self.placed.push(fan);
    }

    /// Splits a fan-out in two: the first half goes to a lane, the second from there to the targets that are blocked.
    fn detour(&mut self, fan: usize) {
        let blocked = self.blocked(fan);
        let lane = self.free_lane(blocked[0]);
        self.taken.insert(lane);
        self.enters.insert(lane, fan);
        self.fans[fan].right.retain(|level| !blocked.contains(level));
        self.fans[fan].right.push(lane);
        let half = self.fans.len();
        self.fans.push(Fan { left: vec![lane], right: blocked });
        self.half_of.insert(half, fan);
        self.waiting.insert(half);
        self.place(fan);
    }

    /// An empty row beside this one, else a new lane after it.
    fn free_lane(&self, level: Level) -> Level {
        let row = level.div_euclid(LANES);
        let empty = [1, -1, 2, -2].map(|step| (row + step) * LANES).into_iter();
        let lanes = (1..LANES).map(|lane| row * LANES + lane);
        let (top, bottom) = (self.taken.first().copied(), self.taken.last().copied());
        let inside = |level: &Level| Some(*level) > top && Some(*level) < bottom;
        let found = empty.filter(inside).chain(lanes).find(|level| !self.taken.contains(level));
        found.unwrap_or(row * LANES + LANES - 1)
    }

    /// A track for each in the order they were placed: right of all whose interval it meets.
    fn finish(self, count: usize) -> (Vec<Run>, usize) {
        let mut runs = vec![Run::default(); count];
        let mut tracks = Vec::new();
        let mut spans: Vec<(i32, i32, usize)> = Vec::new();
        for &fan in &self.placed {
            let (top, bottom) = interval(&self.fans[fan]);
            let meets = spans.iter().filter(|(from, to, _)| *from <= bottom && top <= *to);
            let track = meets.map(|(_, _, track)| track + 1).max().unwrap_or(0);
            spans.push((top, bottom, track));
            tracks.push((fan, track));
        }
        for (fan, track) in tracks {
            if let Some(first) = self.half_of.get(&fan) {
                runs[*first].detour = Some((self.fans[fan].left[0], track));
                runs[*first].detoured = self.fans[fan].right.iter().copied().collect();
            } else {
                runs[fan].track = Some(track);
            }
        }
        (runs, spans.iter().map(|(_, _, track)| track + 1).max().unwrap_or(0))
    }
}

fn is_straight(fan: &Fan) -> bool {
    fan.left.len() == 1 && fan.left == fan.right
}

fn interval(fan: &Fan) -> (Level, Level) {
    let levels = || fan.left.iter().chain(&fan.right).copied();
    (levels().min().unwrap_or(0), levels().max().unwrap_or(0))
}

/// The number of crossings if `a` is left of `b`. If they share a target, the fan-out with more targets
/// belongs on the left, so that no line seems to lead to a wrong target.
fn crossings(a: &Fan, b: &Fan) -> i32 {
    let within = |levels: &[Level], (top, bottom): (Level, Level)| {
        i32::try_from(levels.iter().filter(|level| top < **level && **level < bottom).count())
            .unwrap_or(i32::MAX / 4)
    };
    let shared = a.right.iter().any(|level| b.right.contains(level)) && a.right.len() < b.right.len();
    within(&b.left, interval(a)) + within(&a.right, interval(b)) + if shared { 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fans: &[(&[i32], &[i32])], expected: &str) {
        let at = |rows: &[i32]| rows.iter().map(|row| row * LANES).collect();
        let fans: Vec<Fan> =
            fans.iter().map(|(left, right)| Fan { left: at(left), right: at(right) }).collect();
        let (runs, count) = route(&fans);
        let told: Vec<String> = runs
            .iter()
            .map(|run| match (run.track, run.detour) {
                (None, _) => "straight".to_owned(),
                (Some(track), None) => format!("{track}"),
                (Some(track), Some((lane, second))) => {
                    format!("{track} lane {}+{} {second}", lane / LANES, lane % LANES)
                }
            })
            .collect();
        assert_eq!(format!("{} of {count}", told.join(", ")), expected);
    }

    #[test]
    fn fan_outs_that_do_not_meet_share_a_track() {
        check(&[(&[0], &[0, 1]), (&[2], &[2, 3])], "0, 0 of 1");
        check(&[(&[0], &[0])], "straight of 0");
    }

    #[test]
    fn who_enters_a_row_turns_off_before_another_leaves_in_it() {
        check(&[(&[0], &[1]), (&[1], &[2])], "1, 0 of 2");
        check(&[(&[2], &[1]), (&[1], &[0])], "1, 0 of 2");
    }

    #[test]
    fn two_that_change_places_need_a_lane() {
        check(&[(&[0], &[1]), (&[1], &[0])], "0 lane 1+1 2, 1 of 3");
    }
}
