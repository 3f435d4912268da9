//! When much happened in a run, and what stood out: its events, counted in stretches, for the rows under the chart of Time. Bounded:
//! where there are many, neighbours become one. Reading them is left to `marks`.

use cuelight_base::{RunId, Seq, Timestamp};
use cuelight_engine::Event;
use cuelight_projection::Notch;

/// Stretches that are kept.
const BEATS_MAX: usize = 4_096;

/// The events of one run, as far as they were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moments {
    pub run: Option<RunId>,
    /// The last event that was taken in.
    pub told: Seq,
    /// The question that is on its way.
    pub asked: Option<u64>,
    beats: Vec<Beat>,
    /// The number of times neighbours were merged: each stretch holds two to the power of it.
    halved: u32,
}

/// Some events, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    /// When the first of them happened.
    pub at: Timestamp,
    pub count: u64,
    /// The most important of what stands out among them.
    pub notch: Option<Notch>,
}

impl Moments {
    /// Makes the moments of a run of which nothing has been read.
    pub(crate) fn of(run: RunId) -> Self {
        Self { run: Some(run), ..Self::default() }
    }

    /// The beats of the run, oldest first.
    pub(crate) fn beats(&self) -> &[Beat] {
        &self.beats
    }

    /// The next event of the run.
    pub(crate) fn take(&mut self, seq: Seq, event: &Event) {
        if seq <= self.told {
            return;
        }
        self.told = seq;
        let one = Beat { at: event.at, count: 1, notch: Notch::of(&event.fact) };
        match self.beats.last_mut().filter(|beat| beat.count < 1 << self.halved) {
            Some(last) => *last = together(&[*last, one]),
            None => self.beats.push(one),
        }
        if self.beats.len() > BEATS_MAX {
            self.beats = self.beats.chunks(2).map(together).collect();
            self.halved += 1;
        }
    }
}

fn together(beats: &[Beat]) -> Beat {
    let notch = beats.iter().filter_map(|beat| beat.notch).min();
    Beat { at: beats[0].at, count: beats.iter().map(|beat| beat.count).sum(), notch }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_engine::{Fact, RunEvent};

    #[test]
    fn however_many_there_are_all_are_counted_in_few_stretches_and_what_stands_out_stays() {
        let mut moments = Moments::of(RunId(1));
        let event = |at: i64, flag| Event { at: Timestamp(at), fact: Fact::Run(RunId(1), flag) };
        for seq in 1..=20_000_u64 {
            let flag = if seq == 7_777 { RunEvent::Compensating } else { RunEvent::Started };
            moments.take(Seq(seq), &event(seq.cast_signed(), flag));
        }
        moments.take(Seq(20_000), &event(1, RunEvent::Started));
        assert!((BEATS_MAX / 2..=BEATS_MAX).contains(&moments.beats().len()));
        let longest = moments.beats().iter().map(|beat| beat.count).max();
        assert_eq!(longest, Some(8), "the oldest are seen as closely as the newest");
        assert_eq!(moments.beats().iter().map(|beat| beat.count).sum::<u64>(), 20_000);
        let notches: Vec<&Beat> = moments.beats().iter().filter(|beat| beat.notch.is_some()).collect();
        assert!(
            matches!(notches[..], [notch] if notch.notch == Some(Notch::Undo) && (7_770..=7_777).contains(&notch.at.0))
        );
    }
}
