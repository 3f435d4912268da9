//! A disk for tests that have none: what calls execute is looked at by itself and has no files, and other files are as they
//! were when the test told of them.

use cuelight_base::{RunId, StepIx};
use cuelight_engine::{Command, Event, Fact, Facts, StepEvent};
use std::collections::BTreeMap;

/// Facts of files seen so far, by step.
#[derive(Clone, Default)]
pub(crate) struct Looked(BTreeMap<(RunId, StepIx), Facts>);

impl Looked {
    /// The answers to what was asked, where nothing but calls is new.
    pub(crate) fn answers(&mut self, events: &[Event]) -> Vec<Command> {
        let mut answers = Vec::new();
        for event in events {
            let Fact::Step(run, step, event) = &event.fact else { continue };
            let at = (*run, *step);
            match event {
                StepEvent::FactsKnown { facts } => drop(self.0.insert(at, facts.clone())),
                StepEvent::Reopened { .. } | StepEvent::SentBack => drop(self.0.remove(&at)),
                StepEvent::FactsAsked { files, patterns, programs } => {
                    let known = self.0.get(&at).cloned().unwrap_or_default();
                    let file = |path: &String| known.files.iter().find(|file| file.path == *path).cloned();
                    let hash = |of: &Vec<String>| known.hashes.iter().find(|hash| hash.0 == *of).cloned();
                    let (found, hashes): (Option<Vec<_>>, Option<Vec<_>>) =
                        (files.iter().map(file).collect(), patterns.iter().map(hash).collect());
                    if let (Some(files), Some(hashes)) = (found, hashes) {
                        let programs = programs.iter().map(|program| (program.clone(), Vec::new())).collect();
                        let facts = Facts { files, hashes, programs, ..Facts::default() };
                        answers.push(Command::FactsFetched { run: *run, step: *step, facts });
                    }
                }
                _ => {}
            }
        }
        answers
    }
}
