//! One child that is started ahead of the next step that ends with its console. Such a step is this whole program for a moment
//! (`stage`), which costs more than all the rest of a short one; in a chain of them it is done while the one before still runs.
//!
//! It knows nothing yet: no words, no variables, no output, no place to stand. It is in a session of its own, dies with its guard, and
//! ends when the line to it does. What is known of it by number is for `kin`, what it becomes for `stage`.

use std::{
    os::unix::net::UnixStream,
    process::Child,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A child that waits for its words.
pub(crate) struct Spare {
    pub(crate) child: Child,
    /// Its words go here.
    pub(crate) line: UnixStream,
}

/// Holds at most one child that was started ahead.
#[derive(Clone, Default)]
pub(super) struct Bench(Arc<Mutex<State>>);

/// The state of the child that is started ahead: starting, or waiting with this process id.
pub(super) struct Ahead {
    pub(super) is_starting: bool,
    pub(super) pid: Option<i32>,
}

#[derive(Default)]
enum State {
    #[default]
    Empty,
    /// Somebody is starting one: its number is not known yet.
    Starting,
    Waiting(Spare),
}

impl Bench {
    /// From now on one is being started, until it is [put](Bench::put) here; not when there is one.
    pub(super) fn reserve(&self) -> bool {
        let mut state = self.lock();
        let is_free = matches!(*state, State::Empty);
        if is_free {
            *state = State::Starting;
        }
        is_free
    }

    /// One was started, or could not be.
    pub(super) fn put(&self, spare: Option<Spare>) {
        *self.lock() = spare.map_or(State::Empty, State::Waiting);
    }

    /// The one that waits. One that has ended meanwhile is buried here.
    pub(super) fn take(&self) -> Option<Spare> {
        let mut state = self.lock();
        if !matches!(*state, State::Waiting(_)) {
            return None;
        }
        let State::Waiting(mut spare) = std::mem::take(&mut *state) else { return None };
        matches!(spare.child.try_wait(), Ok(None)).then_some(spare)
    }

    /// A snapshot for a look at all processes.
    pub(super) fn seen(&self) -> Ahead {
        match &*self.lock() {
            State::Empty => Ahead { is_starting: false, pid: None },
            State::Starting => Ahead { is_starting: true, pid: None },
            State::Waiting(spare) => Ahead { is_starting: false, pid: i32::try_from(spare.child.id()).ok() },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
