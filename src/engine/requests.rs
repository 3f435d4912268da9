//! The run that was made for each request, for a day: the same request again gets that run and no other, also
//! from an engine that was restarted.
//! Doors decide when two requests are the same. Here they are hashes, kept apart by project.

use cuelight_base::{Digest, FairMemory, REQUESTS_KEPT, REQUESTS_MAX, RunId, Timestamp};

/// The requests of the last day that runs were made for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Requests(FairMemory<Digest, RunId>);

impl Default for Requests {
    fn default() -> Self {
        Self(FairMemory::new(REQUESTS_MAX, REQUESTS_KEPT))
    }
}

impl Requests {
    /// The fold: a run was made for a request of a project.
    pub(super) fn apply(&mut self, at: Timestamp, run: RunId, project: Option<&str>, request: Digest) {
        self.0.keep(project.unwrap_or_default(), request, run, at);
    }

    /// The run that was made for it.
    pub(super) fn run(&self, project: Option<&str>, request: Digest, now: Timestamp) -> Option<RunId> {
        self.0.find(project.unwrap_or_default(), &request, now).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::sha256;

    #[test]
    fn a_project_that_asks_for_much_makes_no_other_one_forget_what_it_asked_for() {
        let mut requests = Requests::default();
        let (one, at) = (sha256("test", &[b"one"]), Timestamp(0));
        requests.apply(at, RunId(1), Some("bank"), one);
        let of = |index: u32| Digest(std::array::from_fn(|at| index.to_be_bytes()[at % 4]));
        let most = u32::try_from(REQUESTS_MAX).expect("a small number");
        for index in 0..most + 10 {
            requests.apply(at, RunId(index + 2), Some("shop"), of(index));
        }
        assert_eq!(requests.run(Some("bank"), one, at), Some(RunId(1)));
        assert_eq!(requests.run(None, one, at), None, "what another project asked for is its own");
        let (first, last) = (requests.run(Some("shop"), of(0), at), requests.run(Some("shop"), of(most), at));
        assert_eq!((first, last), (None, Some(RunId(most + 2))));
        assert_eq!(requests.run(Some("bank"), one, at + REQUESTS_KEPT), Some(RunId(1)));
    }
}
