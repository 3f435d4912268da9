//! Every draw of a simulated history, on a tape: so that a failing one can be made smaller by editing the tape.
//!
//! Zero is always the simplest: no fault, the shortest, a success.

/// The source of draws: a seed, or a tape that was recorded (and perhaps cut) before.
pub(crate) struct Tape {
    state: u64,
    recorded: Option<Vec<u64>>,
    pub(crate) drawn: Vec<u64>,
}

impl Tape {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D,
            recorded: None,
            drawn: Vec::new(),
        }
    }

    pub(crate) fn recorded(tape: Vec<u64>) -> Self {
        Self { state: 0, recorded: Some(tape), drawn: Vec::new() }
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let bound = bound.max(1);
        let value = match &self.recorded {
            Some(tape) => tape.get(self.drawn.len()).copied().unwrap_or(0).min(bound - 1),
            None => self.next() % bound,
        };
        self.drawn.push(value);
        value
    }

    /// True in `percent` of a hundred draws.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        // Zero on the tape is "no".
        percent > 0 && self.below(100) >= 100 - percent.min(100)
    }

    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below the length of a list")
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.index(list.len())]
    }

    /// The next number of the generator splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The smallest tape that still fails, within so many runs: spans are cut out, values lowered.
pub(crate) fn shrink(tape: Vec<u64>, runs_max: usize, fails: impl Fn(&[u64]) -> bool) -> Vec<u64> {
    let mut best = tape;
    let mut runs = 0;
    let mut again = true;
    while again && runs < runs_max {
        again = false;
        let mut span = best.len() / 2;
        while span > 0 && runs < runs_max {
            let mut at = 0;
            while at < best.len() && runs < runs_max {
                let end = (at + span).min(best.len());
                let mut cut = best.clone();
                cut.drain(at..end);
                let mut zeroed = best.clone();
                zeroed[at..end].fill(0);
                runs += 2;
                if fails(&cut) {
                    best = cut;
                    again = true;
                } else if best[at..end].iter().any(|number| *number != 0) && fails(&zeroed) {
                    best = zeroed;
                    again = true;
                    at += span;
                } else {
                    at += span;
                }
            }
            span /= 2;
        }
    }
    best
}
