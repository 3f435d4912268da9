//! The steps that are left to be undone, as they are kept.

use cuelight_base::StepIx;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// When a step was done, as an order in which the newest comes first.
pub(super) type Newest = (Reverse<usize>, StepIx);

/// The steps of one run that are left to be undone.
#[derive(Clone, Debug)]
pub(crate) struct Unwinding {
    /// Ends of later steps that have not been undone, by the end of a step.
    pub(super) after: Vec<u32>,
    /// Steps whose undoing has not begun, and when each was done.
    pub(super) left: BTreeMap<StepIx, usize>,
    /// Steps that are being undone.
    pub(super) begun: BTreeSet<StepIx>,
    /// Steps that can be undone now, by the innermost frame around each that lets only so many children go on
    /// at once.
    pub(super) free: BTreeMap<Option<StepIx>, BTreeSet<Newest>>,
}
