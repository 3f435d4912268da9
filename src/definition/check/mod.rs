//! What an author can get wrong with several values at once: one function for each rule, by topic.

use crate::definition::{Workflow, diagnostic::Findings};

pub(super) fn workflow(_workflow: &Workflow, _findings: &mut Findings<'_>) {}
