//! The state of a talk: the questions to a model, and the calls that its answers asked for.

use crate::TalkCall;
use cuelight_base::StepIx;

/// The state of a talk so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Talking {
    /// The steps that ask, in order.
    pub(crate) asks: Vec<StepIx>,
    /// The calls of each answer but the last, in its order.
    pub(crate) rounds: Vec<Vec<TalkCall>>,
}
