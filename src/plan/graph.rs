//! The graph of a plan as text, Mermaid, Graphviz (dot) or JSON. The console draws its own.

use crate::{
    Estimate, Plan, PlanStep, Work,
    expand::with_models,
    words::{count, gate, id, kind, line},
};
use cuelight_base::Value;
use serde_json::json;
use std::{fmt::Write as _, str::FromStr};

/// The format of a written graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GraphFormat {
    /// An outline to read.
    #[default]
    Text,
    /// A diagram for Markdown pages.
    Mermaid,
    /// A graph for Graphviz.
    Dot,
    /// Data for other programs.
    Json,
}

impl FromStr for GraphFormat {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "text" => Ok(Self::Text),
            "mermaid" => Ok(Self::Mermaid),
            "dot" => Ok(Self::Dot),
            "json" => Ok(Self::Json),
            _ => Err(format!("could not write a graph as {word:?}; write text, mermaid, dot or json")),
        }
    }
}

/// The graph of a plan; the copies of a computed matrix are shown by one, `[…]`.
pub fn graph(plan: &Plan, format: GraphFormat) -> String {
    let plan = with_models(plan);
    let tree = Tree::of(&plan);
    match format {
        GraphFormat::Text => text(&tree),
        GraphFormat::Mermaid => mermaid(&tree),
        GraphFormat::Dot => dot(&tree),
        GraphFormat::Json => format!("{:#}\n", value(&tree)),
    }
}

/// The steps with what stands in them.
struct Tree<'a> {
    plan: &'a Plan,
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl<'a> Tree<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut children = vec![Vec::new(); plan.steps.len()];
        let mut roots = Vec::new();
        for (index, step) in plan.steps.iter().enumerate() {
            step.frame.map_or(&mut roots, |frame| &mut children[frame.index()]).push(index);
        }
        Self { plan, children, roots }
    }

    fn step(&self, index: usize) -> &'a PlanStep {
        &self.plan.steps[index]
    }

    fn is_gate(&self, index: usize) -> bool {
        matches!(self.step(index).work, Work::Gate(_))
    }

    fn kind(&self, index: usize) -> String {
        kind(&self.step(index).work, self.children[index].len())
    }

    /// All steps, each frame before what stands in it, with how deep they stand.
    fn outline(&self) -> Vec<(usize, usize)> {
        let mut out = Vec::with_capacity(self.plan.steps.len());
        let mut open: Vec<(usize, usize)> = self.roots.iter().rev().map(|root| (*root, 0)).collect();
        while let Some((index, depth)) = open.pop() {
            out.push((index, depth));
            open.extend(self.children[index].iter().rev().map(|number| (*number, depth + 1)));
        }
        out
    }

    /// Every need as from and to.
    fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let steps = self.plan.steps.iter().enumerate();
        steps.flat_map(|(to, step)| step.needs.iter().map(move |from| (from.index(), to)))
    }
}

fn text(tree: &Tree<'_>) -> String {
    let rows: Vec<[String; 3]> =
        tree.outline().into_iter().map(|(index, depth)| row(tree, index, depth)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(48);
    let (first, second) = (width(0), width(1));
    let Estimate { steps, gates, .. } = Estimate::of(tree.plan);
    let mut out = format!("{}: {}, {}\n", line(&tree.plan.name), count(steps, "step"), count(gates, "gate"));
    for [name, kind, rest] in rows {
        let row = format!("{name:first$}  {kind:second$}  {rest}");
        writeln!(out, "{}", row.trim_end()).expect("a String takes all text");
    }
    out
}

fn row(tree: &Tree<'_>, index: usize, depth: usize) -> [String; 3] {
    let step = tree.step(index);
    let sign = if tree.is_gate(index) { "◆" } else { " " };
    let mut rest = Vec::new();
    if !step.needs.is_empty() {
        let names: Vec<&str> = step.needs.iter().map(|step| tree.step(step.index()).id.as_str()).collect();
        rest.push(format!("after {}", line(&names.join(", "))));
    }
    rest.extend(step.condition.as_ref().map(|condition| format!("if {}", line(condition))));
    if let Work::Gate(rule) = &step.work {
        rest.push(gate(rule));
    }
    [format!("{sign} {}{}", "  ".repeat(depth), id(step)), tree.kind(index), rest.join("; ")]
}

/// Steps nested by their frames: `open` begins a frame, `close` ends it, `leaf` is any other step.
fn nested(
    tree: &Tree<'_>,
    open: impl Fn(usize) -> String,
    leaf: impl Fn(usize) -> String,
    close: &str,
) -> String {
    let mut out = String::new();
    let mut inside = 0;
    let mut put =
        |depth: usize, line: &str| writeln!(out, "{}{line}", "  ".repeat(depth + 1)).expect("a String");
    for (index, depth) in tree.outline() {
        while inside > depth {
            inside -= 1;
            put(inside, close);
        }
        if tree.children[index].is_empty() {
            put(depth, &leaf(index));
        } else {
            put(depth, &open(index));
            inside += 1;
        }
    }
    (0..inside).rev().for_each(|depth| put(depth, close));
    out
}

fn label(tree: &Tree<'_>, index: usize) -> String {
    let sign = if tree.is_gate(index) { "◆ " } else { "" };
    format!("{sign}{} · {}", id(tree.step(index)), tree.kind(index))
}

fn mermaid(tree: &Tree<'_>) -> String {
    let label = |index: usize| {
        let escaped = |c: char| match c {
            '"' | '#' | '<' | '>' | '&' | '`' | ';' => format!("#{};", c as u32),
            c => c.to_string(),
        };
        label(tree, index).chars().map(escaped).collect::<String>()
    };
    let leaf = |index: usize| {
        let (left, right) = if tree.is_gate(index) { ("{{", "}}") } else { ("[", "]") };
        format!("n{index}{left}\"{}\"{right}", label(index))
    };
    let steps = nested(tree, |index| format!("subgraph n{index}[\"{}\"]", label(index)), leaf, "end");
    let edges: Vec<String> = tree.edges().map(|(from, to)| format!("  n{from} --> n{to}\n")).collect();
    format!("flowchart TD\n{steps}{}", edges.concat())
}

/// A frame is a cluster around a point, which its edges lead to and from.
fn dot(tree: &Tree<'_>) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let label = |index: usize| quoted(&label(tree, index));
    let open =
        |index: usize| format!("subgraph cluster_{index} {{ label={}; n{index} [shape=point];", label(index));
    let leaf = |index: usize| {
        let shape = if tree.is_gate(index) { " shape=hexagon" } else { "" };
        format!("n{index} [label={}{shape}];", label(index))
    };
    let steps = nested(tree, open, leaf, "}");
    let cluster = |key: &str, index: usize| match tree.children[index].as_slice() {
        [] => String::new(),
        _ => format!(" [{key}=cluster_{index}]"),
    };
    let edge =
        |(from, to)| format!("  n{from} -> n{to}{}{};\n", cluster("ltail", from), cluster("lhead", to));
    let edges: String = tree.edges().map(edge).collect();
    let name = quoted(&line(&tree.plan.name));
    format!("digraph {name} {{\n  compound=true;\n  node [shape=box];\n{steps}{edges}}}\n")
}

fn value(tree: &Tree<'_>) -> Value {
    let node = |(index, step): (usize, &PlanStep)| {
        let frame = step.frame.map(|frame| tree.step(frame.index()).id.clone());
        let gate = match &step.work {
            Work::Gate(rule) => Some(json!({"risk": rule.risk.word(), "rule": gate(rule)})),
            _ => None,
        };
        let kind = step.work.word();
        json!({"id": step.id, "kind": kind, "text": tree.kind(index), "frame": frame, "if": step.condition, "gate": gate})
    };
    let nodes: Vec<Value> = tree.plan.steps.iter().enumerate().map(node).collect();
    let edge = |(from, to)| json!({"from": tree.step(from).id, "to": tree.step(to).id});
    let edges: Vec<Value> = tree.edges().map(edge).collect();
    json!({"name": tree.plan.name, "file": tree.plan.file, "nodes": nodes, "edges": edges})
}
