//! The states of the nouns, as words that file, journal, JSON and screen share (`semantics.md` 1, 2, 5).

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal $rests:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// All of them, in the order of the design.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// True if nothing more happens to it by itself.
            pub const fn rests(self) -> bool {
                match self { $(Self::$variant => $rests,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

words! {
    /// The state of a run.
    RunState {
        /// Waits for its concurrency group.
        Created "created" false,
        /// Steps start and run.
        Running "running" false,
        /// Starts nothing new until a person resumes it.
        Paused "paused" false,
        /// All steps completed, or were skipped by their own `if`.
        Completed "completed" true,
        /// Some steps failed that were allowed to.
        PartiallyCompleted "partially-completed" true,
        /// A step failed that was not.
        Failed "failed" true,
        /// A person rejected it, or nobody approved it in time.
        Rejected "rejected" true,
        /// A person ended it.
        Cancelled "cancelled" true,
        /// All completed steps have been undone.
        Undone "undone" true,
    }
}

words! {
    /// The state of a step.
    StepState {
        /// Its needs have not ended.
        Pending "pending" false,
        /// Could start; waits for a slot.
        Ready "ready" false,
        /// Waits for a person, for time, for a retry.
        Waiting "waiting" false,
        /// Is being done; a frame: is open.
        Running "running" false,
        /// The work is done.
        Completed "completed" true,
        /// Partly done; counts half.
        Partial "partial" true,
        /// The work was not done.
        Failed "failed" true,
        /// A gate that was refused, or expired.
        Rejected "rejected" true,
        /// Never started, and why is known.
        Skipped "skipped" true,
        /// Ended by a person or with its run.
        Cancelled "cancelled" true,
        /// Its undo is running.
        Undoing "undoing" false,
        /// Its effects were undone.
        Undone "undone" true,
        /// May have happened; a person is asked.
        InDoubt "in-doubt" false,
    }
}

impl StepState {
    /// True if it was done, whole or in part, and was not undone.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Completed | Self::Partial)
    }
}

words! {
    /// The state of a gate.
    GateState {
        /// Waits for people to answer.
        Open "open" false,
        /// Approved, but the approval can still be withdrawn.
        Armed "armed" false,
        /// Enough people agreed, or a policy did.
        Approved "approved" true,
        /// A person rejected it.
        Rejected "rejected" true,
        /// Nobody came in time.
        Expired "expired" true,
        /// Its run ended first.
        Cancelled "cancelled" true,
    }
}

words! {
    /// The stage of a run in its life (O4), for header and trail.
    Stage {
        /// The run was asked for.
        Initialize "initialize" false,
        /// Its plan was made.
        Plan "plan" false,
        /// Waits for its place.
        Route "route" false,
        /// Its steps are running.
        Execute "execute" false,
        /// Undoes, or gathers outputs.
        Aggregate "aggregate" false,
        /// Ended well, or partly.
        Complete "complete" true,
        /// Ended in a failure.
        Failed "failed" true,
        /// Ended by a cancellation.
        Cancelled "cancelled" true,
    }
}

impl Stage {
    /// The stages that can follow this one. A run that has ended is only taken up again to be undone, and
    /// that is aggregating. So is undoing the results that a retry has kept, in a run that is cancelled
    /// before it has its place.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Initialize => &[Self::Plan, Self::Cancelled],
            Self::Plan => &[Self::Route, Self::Cancelled],
            Self::Route => &[Self::Execute, Self::Aggregate, Self::Cancelled],
            Self::Execute | Self::Aggregate => {
                &[Self::Aggregate, Self::Complete, Self::Failed, Self::Cancelled]
            }
            Self::Complete | Self::Failed | Self::Cancelled => &[Self::Aggregate],
        }
    }

    /// Checks that this stage can be followed by that one; a stage may follow itself.
    ///
    /// # Errors
    /// A sentence that names the stages that can follow.
    pub fn move_to(self, to: Self) -> Result<(), String> {
        if self == to || self.next().contains(&to) {
            return Ok(());
        }
        let valid: Vec<&str> = self.next().iter().map(|stage| stage.word()).collect();
        Err(format!("could not go from {self} to {to}; from {self} it goes to {}", valid.join(", ")))
    }
}

impl RunState {
    /// The stage of the lifecycle this state is in.
    pub const fn stage(self) -> Stage {
        match self {
            Self::Created => Stage::Route,
            Self::Running | Self::Paused => Stage::Execute,
            Self::Completed | Self::PartiallyCompleted => Stage::Complete,
            Self::Failed | Self::Rejected | Self::Undone => Stage::Failed,
            Self::Cancelled => Stage::Cancelled,
        }
    }
}

/// Every pair of state and event with the state that follows, as a table: events down, states across.
#[cfg(test)]
pub(super) fn grid(cells: &[(&str, &str, Option<&str>)]) -> String {
    let mut states: Vec<&str> = Vec::new();
    let mut events: Vec<&str> = Vec::new();
    for (state, event, _) in cells {
        if !states.contains(state) {
            states.push(state);
        }
        if !events.contains(event) {
            events.push(event);
        }
    }
    let width = states.iter().map(|state| state.len() + 1).max().unwrap_or(0).max(11);
    let line = |first: &str, rest: &mut dyn Iterator<Item = String>| {
        let rest: String = rest.map(|text| format!(" {text:<width$}")).collect();
        format!("{first:<11}{rest}").trim_end().to_owned()
    };
    let mut out = vec![line("", &mut states.iter().map(|state| (*state).to_owned()))];
    for event in &events {
        let after = |state: &&str| {
            let found = cells.iter().find(|cell| cell.0 == *state && cell.1 == *event);
            found.and_then(|cell| cell.2).unwrap_or("·").to_owned()
        };
        out.push(line(event, &mut states.iter().map(after)));
    }
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_from_stage_to_stage_as_the_table_says_and_a_refusal_names_what_is_valid() {
        let path = [Stage::Initialize, Stage::Plan, Stage::Route, Stage::Execute, Stage::Aggregate];
        assert!(path.windows(2).all(|pair| pair[0].move_to(pair[1]).is_ok()));
        for end in [Stage::Complete, Stage::Failed, Stage::Cancelled] {
            assert!(Stage::Execute.move_to(end).is_ok() && Stage::Aggregate.move_to(end).is_ok());
        }
        let begun = [Stage::Initialize, Stage::Plan, Stage::Route];
        assert!(begun.iter().all(|stage| stage.move_to(Stage::Cancelled).is_ok()));
        for (from, to, why) in [
            (
                Stage::Plan,
                Stage::Execute,
                "could not go from plan to execute; from plan it goes to route, cancelled",
            ),
            (
                Stage::Route,
                Stage::Complete,
                "could not go from route to complete; from route it goes to execute, aggregate, cancelled",
            ),
            (
                Stage::Execute,
                Stage::Route,
                "could not go from execute to route; from execute it goes to aggregate, complete, failed, cancelled",
            ),
            (
                Stage::Complete,
                Stage::Execute,
                "could not go from complete to execute; from complete it goes to aggregate",
            ),
        ] {
            assert_eq!(from.move_to(to), Err(why.to_owned()));
        }
        let forth = Stage::ALL.iter().flat_map(|from| Stage::ALL.iter().map(move |to| (from, to)));
        let allowed = forth.filter(|(from, to)| from != to && from.move_to(**to).is_ok()).count();
        assert_eq!(allowed, 17, "no pair is let through that the table does not name");
    }
}
