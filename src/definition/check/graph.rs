//! Ids and needs: each id once, each need there, no circle. And who runs before whom.

use crate::{Workflow, diagnostic::Findings, spelling::suggest};
use std::collections::BTreeMap;

/// Steps by id, their needs as indices, and an order in which every step stands after what it needs.
pub(super) struct Graph<'w> {
    ids: BTreeMap<&'w str, usize>,
    needs: Vec<Vec<usize>>,
    /// Steps in a circle, and those behind one, are not in it.
    order: Vec<usize>,
}

/// With more names than this nothing is suggested: comparing them all would take too long.
const SUGGESTED_FROM_MAX: usize = 2000;

impl<'w> Graph<'w> {
    pub(super) fn new(workflow: &'w Workflow, findings: &mut Findings<'_>) -> Self {
        let mut graph = Self { ids: BTreeMap::new(), needs: Vec::new(), order: Vec::new() };
        graph.name_steps(workflow, findings);
        graph.find_needs(workflow, findings);
        graph.put_in_order();
        graph.report_circles(workflow, findings);
        graph
    }

    pub(super) fn step(&self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    pub(super) fn needs(&self, step: usize) -> &[usize] {
        &self.needs[step]
    }

    /// The id that was probably meant.
    pub(super) fn near(&self, id: &str) -> Option<&'w str> {
        if self.ids.len() > SUGGESTED_FROM_MAX {
            return None;
        }
        suggest(id, self.ids.keys().copied())
    }

    fn name_steps(&mut self, workflow: &'w Workflow, findings: &mut Findings<'_>) {
        for (index, step) in workflow.steps.iter().enumerate() {
            let id = step.id.value.as_str();
            if id.is_empty() {
                continue;
            }
            match self.ids.get(id) {
                None => {
                    self.ids.insert(id, index);
                }
                Some(&first) => {
                    let related = findings.related(workflow.steps[first].id.place, "first here");
                    findings
                        .error(
                            "duplicate-id",
                            step.id.place,
                            format!("there are two steps with the id `{id}`"),
                        )
                        .help("give one of them another id")
                        .also(related);
                }
            }
        }
    }

    fn find_needs(&mut self, workflow: &'w Workflow, findings: &mut Findings<'_>) {
        for step in &workflow.steps {
            let mut found = Vec::with_capacity(step.needs.len());
            for need in &step.needs {
                if let Some(index) = self.step(&need.value) {
                    found.push(index);
                    continue;
                }
                let near = self.near(&need.value);
                let message = format!("there is no step `{}`", cuelight_base::shorten(&need.value, 60));
                let found = findings.error("unknown-need", need.place, message);
                match near {
                    Some(near) => found.label(format!("did you mean `{near}`?")).fix(need.place, near),
                    None => found.help("`needs` names the ids of other steps of this file"),
                };
            }
            self.needs.push(found);
        }
    }

    fn put_in_order(&mut self) {
        let mut open: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); self.needs.len()];
        for (step, needs) in self.needs.iter().enumerate() {
            for need in needs {
                after[*need].push(step);
            }
        }
        let mut order: Vec<usize> = (0..open.len()).filter(|index| open[*index] == 0).collect();
        let mut next = 0;
        while let Some(&step) = order.get(next) {
            next += 1;
            for &number in &after[step] {
                open[number] -= 1;
                if open[number] == 0 {
                    order.push(number);
                }
            }
        }
        self.order = order;
    }

    /// Every circle once, with its path.
    fn report_circles(&self, workflow: &Workflow, findings: &mut Findings<'_>) {
        let mut done = vec![false; self.needs.len()];
        self.order.iter().for_each(|number| done[*number] = true);
        for start in 0..self.needs.len() {
            let (mut path, mut at) = (Vec::new(), start);
            let mut on_path: BTreeMap<usize, usize> = BTreeMap::new();
            while !done[at] {
                done[at] = true;
                on_path.insert(at, path.len());
                path.push(at);
                let Some(&next) =
                    self.needs[at].iter().find(|key| on_path.contains_key(*key) || !done[**key])
                else {
                    break;
                };
                if let Some(&from) = on_path.get(&next) {
                    report_circle(workflow, &path[from..], findings);
                    break;
                }
                at = next;
            }
        }
    }

    /// For each pair (reader, step it reads), true if the step does not run before the reader. Goes through
    /// the graph once for every 64 steps that are read, so that a large file stays cheap.
    pub(super) fn not_before(&self, pairs: &[(usize, usize)]) -> Vec<bool> {
        let mut targets: Vec<usize> = pairs.iter().map(|(_, target)| *target).collect();
        targets.sort_unstable();
        targets.dedup();
        let mut wrong = vec![false; pairs.len()];
        let mut before = vec![0_u64; self.needs.len()];
        for chunk in targets.chunks(64) {
            let bit = |step: usize| chunk.binary_search(&step).map_or(0, |at| 1_u64 << at);
            for &step in &self.order {
                before[step] = self.needs[step].iter().fold(0, |all, need| all | before[*need] | bit(*need));
            }
            for (wrong, (reader, target)) in wrong.iter_mut().zip(pairs) {
                let bit = bit(*target);
                *wrong |= bit != 0 && before[*reader] & bit == 0;
            }
        }
        wrong
    }

    /// The steps that run after this one, by index.
    pub(super) fn after(&self, first: usize) -> Vec<bool> {
        let mut after = vec![false; self.needs.len()];
        for &step in &self.order {
            after[step] = self.needs[step].iter().any(|need| *need == first || after[*need]);
        }
        after
    }

    /// For each step a step that is chosen and runs before it.
    pub(super) fn one_before(&self, is_chosen: impl Fn(usize) -> bool) -> Vec<Option<usize>> {
        let mut before = vec![None; self.needs.len()];
        for &step in &self.order {
            let of = |need: &usize| Some(*need).filter(|need| is_chosen(*need)).or(before[*need]);
            before[step] = self.needs[step].iter().find_map(of);
        }
        before
    }

    /// True if the order of all steps is known, since no step is in or behind a circle.
    pub(super) fn is_in_order(&self) -> bool {
        self.order.len() == self.needs.len()
    }
}

fn report_circle(workflow: &Workflow, path: &[usize], findings: &mut Findings<'_>) {
    let step = |at: usize| &workflow.steps[path[at % path.len()]];
    // Told from the step that stands first in the file.
    let first = (0..path.len()).min_by_key(|at| path[*at]).unwrap_or(0);
    let shown = path.len().min(20);
    let mut words: Vec<&str> = (0..shown).map(|at| step(first + at).id.value.as_str()).collect();
    if shown < path.len() {
        words.push("…");
    }
    words.push(&step(first).id.value);
    let next = step(first + 1).id.value.clone();
    let place = step(first)
        .needs
        .iter()
        .find(|name| name.value == next)
        .map_or(step(first).id.place, |name| name.place);
    findings
        .error("cycle", place, format!("steps wait for each other in a circle: {}", words.join(" → ")))
        .help("remove one of these needs");
}
