//! Agents: there is nothing to choose from before one can sign in, only the way back.

use super::general;
use crate::console::{Intent, Model, Wish};

pub(super) fn act(model: &mut Model, intent: Intent, _count: Option<u32>, _wishes: &mut Vec<Wish>) {
    if intent == Intent::Escape {
        general::backward(model);
    }
}
