//! The dependencies of an Argo task, as a condition. In doubt a step is left out: a missing step is noticed,
//! an extra one cannot be undone.
//! Words: <https://argo-workflows.readthedocs.io/en/latest/enhanced-depends-logic/>.

use crate::{foreign, page::all_of};
use cuelight_base::ValueMap;
use cuelight_expression::parse;
use std::collections::{BTreeMap, BTreeSet};

/// A condition is so long at most, in bytes.
const CONDITION_MAX: usize = 8_000;

/// The steps made from a member of a template.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    /// The steps that a following member waits for.
    pub(super) ends: Vec<String>,
    /// Every step of it that does something.
    pub(super) leaves: Vec<String>,
    /// The outputs of a template that has steps of its own.
    pub(super) yields: BTreeMap<String, String>,
    /// Conditions without which Argo would leave it out because of other members; those of the members in
    /// `behind` also apply.
    pub(super) ran: BTreeSet<String>,
    pub(super) behind: BTreeSet<String>,
    /// Its `when`, and whether that could be read.
    pub(super) when: Option<String>,
    pub(super) is_readable: bool,
    /// Its steps ask how others came out: a task behind it has to do so too.
    pub(super) asks: bool,
    /// Steps of it may fail while it does not, or nobody knows.
    pub(super) is_vague: bool,
    /// Some of its steps may be left out while it succeeds.
    pub(super) varies: bool,
    pub(super) goes_on: bool,
    pub(super) is_copied: bool,
}

/// The surroundings of a member.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inside {
    /// The condition around asks how others came out, and would hold whatever happens here.
    pub(super) asks: bool,
    /// True if a failed step here counts as left out, so that only success lets the next one begin.
    pub(super) is_strict: bool,
}

/// The dependencies of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Wait {
    /// Conditions without which the member is left out; the members in `behind` must also have succeeded.
    pub(super) ran: BTreeSet<String>,
    pub(super) behind: BTreeSet<String>,
    /// The parts of its condition.
    pub(super) parts: Vec<String>,
    pub(super) asks: bool,
    /// It asks for more than that all went well.
    pub(super) is_special: bool,
    /// Why it cannot be said.
    pub(super) why: Option<String>,
}

impl Made {
    /// Adds a member to the template that it is part of.
    pub(super) fn join(&mut self, made: &Self) {
        self.leaves.extend(made.leaves.iter().cloned());
        self.asks |= made.asks;
        self.is_vague |= made.is_vague || !made.is_readable && made.when.is_some();
        self.varies |= made.varies || made.asks;
    }
}

impl Inside {
    /// That steps went well.
    pub(super) fn went_well<'s>(self, steps: impl IntoIterator<Item = &'s String>) -> BTreeSet<String> {
        let said = |step: &String| {
            if self.is_strict {
                format!("steps.{step}.result == 'success'")
            } else {
                format!("(steps.{step}.result == 'success' || steps.{step}.result == 'skipped')")
            }
        };
        steps.into_iter().map(said).collect()
    }

    /// The dependencies of a member behind these steps, if the success of its `needs` does not express them.
    pub(super) fn group(self, steps: &[String], asks: bool) -> Wait {
        let ran = || self.went_well(steps);
        Wait { parts: self.parts(ran, asks), asks, ..Wait::default() }
    }

    fn parts(self, ran: impl FnOnce() -> BTreeSet<String>, asks: bool) -> Vec<String> {
        if !(asks || self.asks || self.is_strict) {
            return Vec::new();
        }
        let ran = ran();
        let status = (asks && !self.asks && !ran.is_empty()).then(|| "!cancelled()".to_owned());
        status.into_iter().chain(ran).collect()
    }

    /// The dependencies of a task.
    pub(super) fn task(self, task: &ValueMap, done: &BTreeMap<String, Made>) -> Wait {
        let said = foreign::text_at(task, "depends")
            .unwrap_or_else(|| foreign::texts(task.get("dependencies")).join(" && "));
        let never = |why: String| Wait {
            ran: BTreeSet::from(["false".to_owned()]),
            parts: vec!["false".to_owned()],
            asks: true,
            is_special: true,
            why: Some(why),
            ..Wait::default()
        };
        let Some(words) = words(&said) else { return never(said) };
        let is_plain = words.iter().all(|word| match word {
            Word::Operator(operator) => *operator == "&&",
            Word::Task(task) => !task.contains('.') || task.ends_with(".Succeeded"),
        });
        if is_plain {
            let mut out = Wait::default();
            for word in &words {
                let Word::Task(word) = word else { continue };
                let (name, state) = word.split_once('.').unwrap_or((word, ""));
                let Some(made) = done.get(name) else { return never(said) };
                let may_be_left_out = !state.is_empty() && (made.when.is_some() || made.varies);
                if may_be_left_out {
                    let Some(more) = self.state(name, state, false, done) else { return never(said) };
                    out.ran.insert(more);
                }
                out.asks |= made.asks || may_be_left_out;
                out.behind.insert(name.to_owned());
            }
            out.parts = self.parts(|| self.held(&out.behind, &out.ran, done), out.asks);
            return out;
        }
        match self.translated(&words, done) {
            Some(text) => {
                let ran = BTreeSet::from([text]);
                let parts = self.parts(|| ran.clone(), true);
                Wait { ran, parts, asks: true, is_special: true, ..Wait::default() }
            }
            None => never(said),
        }
    }

    /// Conditions under which none of these members failed or was left out because of other members.
    fn held(
        self,
        behind: &BTreeSet<String>,
        ran: &BTreeSet<String>,
        done: &BTreeMap<String, Made>,
    ) -> BTreeSet<String> {
        let mut out = ran.clone();
        let mut seen = behind.clone();
        let mut left: Vec<String> = behind.iter().cloned().collect();
        while let Some(made) = left.pop().and_then(|key| done.get(&key)) {
            out.extend(self.went_well(&made.leaves));
            out.extend(made.ran.iter().cloned());
            left.extend(made.behind.iter().filter(|text| seen.insert((*text).clone())).cloned());
        }
        out
    }

    fn translated(self, words: &[Word], done: &BTreeMap<String, Made>) -> Option<String> {
        let mut out = String::new();
        for word in words {
            match word {
                Word::Operator(operator @ ("&&" | "||")) => out.push_str(&format!(" {operator} ")),
                Word::Operator(operator) => out.push_str(operator),
                Word::Task(word) => {
                    let (name, state) = word.split_once('.').unwrap_or((word, ""));
                    // Here is one word for both.
                    let other = format!("{name}.Failed");
                    let is_both = words.iter().any(|word| matches!(word, Word::Task(task) if *task == other));
                    let said = self.state(name, state, is_both, done)?;
                    out.push_str(&format!("({said})"));
                }
            }
            if out.len() > CONDITION_MAX {
                return None;
            }
        }
        parse(&out).ok().map(|_| out)
    }

    /// That a member came out so; None when that cannot be said exactly.
    fn state(self, name: &str, state: &str, is_both: bool, done: &BTreeMap<String, Made>) -> Option<String> {
        let made = done.get(name)?;
        let ran = || self.held(&made.behind, &made.ran, done);
        let held = || self.held(&BTreeSet::from([name.to_owned()]), &BTreeSet::new(), done);
        let all = |parts: BTreeSet<String>| all_of(parts).unwrap_or_else(|| "true".to_owned());
        let any = |state: &str| {
            let each = made.leaves.iter().map(|leaf| format!("steps.{leaf}.result == '{state}'"));
            let each: Vec<String> = each.collect();
            if each.is_empty() { "false".to_owned() } else { each.join(" || ") }
        };
        if state.is_empty() {
            return Some(all(held()));
        }
        if made.is_vague || !made.is_readable {
            return None;
        }
        match state {
            "Succeeded" if made.leaves.len() == 1 || !made.varies && !made.leaves.is_empty() => {
                Some(all(Self { is_strict: true, ..self }.went_well(&made.leaves)))
            }
            "Succeeded" => made.when.is_none().then(|| all(held())),
            "Failed" if !made.goes_on => Some(any("failure")),
            "Errored" if !made.goes_on && is_both => Some(any("failure")),
            "Skipped" => match &made.when {
                None => Some("false".to_owned()),
                Some(when) if made.is_copied || when.contains("matrix.") || when.contains("()") => None,
                Some(when) => {
                    let mut parts = ran();
                    parts.insert(format!("!({when})"));
                    Some(all(parts))
                }
            },
            "Omitted" => Some(format!("!({})", all(ran()))),
            _ => None,
        }
    }
}

/// A piece of what stands behind `depends`.
#[derive(Debug)]
enum Word {
    Task(String),
    Operator(&'static str),
}

/// None when it is anything else than names, operators and brackets.
fn words(said: &str) -> Option<Vec<Word>> {
    let mut out = Vec::new();
    let mut rest = said.trim();
    while let Some(c) = rest.chars().next() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let length = if is_name(c) {
            let length = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
            out.push(Word::Task(rest[..length].to_owned()));
            length
        } else {
            let operator = ["&&", "||", "!", "(", ")"].into_iter().find(|prefix| rest.starts_with(prefix))?;
            out.push(Word::Operator(operator));
            operator.len()
        };
        rest = rest[length..].trim_start();
    }
    Some(out)
}

/// The tasks that a task waits for.
pub(super) fn wants(task: &ValueMap) -> BTreeSet<String> {
    let said = foreign::text_at(task, "depends").unwrap_or_default();
    let named = said
        .split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .filter_map(|depend| depend.split('.').next())
        .filter(|part| !part.is_empty())
        .map(str::to_owned);
    foreign::texts(task.get("dependencies")).into_iter().chain(named).collect()
}

/// These and those, each once.
pub(super) fn with(these: &[String], those: &[String]) -> Vec<String> {
    let mut said = BTreeSet::new();
    these.iter().chain(those).filter(|text| said.insert(text.as_str())).cloned().collect()
}
