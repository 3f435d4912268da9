//! The stages of a plan: what can run side by side, one row after the other.

use crate::{Plan, order::levels};
use cuelight_base::StepIx;

/// Steps by the earliest stage they can be in, in file order. A frame is in the stage of its first children.
pub fn stages(plan: &Plan) -> Vec<Vec<StepIx>> {
    let mut stages: Vec<Vec<StepIx>> = Vec::new();
    for (index, level) in levels(plan).into_iter().enumerate() {
        if stages.len() <= level {
            stages.resize(level + 1, Vec::new());
        }
        stages[level].push(StepIx::from_index(index));
    }
    stages
}
