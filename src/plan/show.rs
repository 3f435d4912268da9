//! The output of `cuelight plan FILE`: every step by level, with what can happen to it, as a table or as a
//! value.

use crate::{
    Ceilings, Currency, Estimate, GateRule, Plan, PlanStep, Quorum, Work,
    expand::with_models,
    stages,
    words::{count, gate, id, kind, limits, line, retry, undo},
};
use cuelight_base::{Value, ValueMap};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write as _};

const HEAD: [&str; 10] =
    ["level", "step", "kind", "needs", "timeout", "retry", "undo", "effect", "limits", "rule"];

/// The table, for people; a column is as wide as its widest cell, and an empty column is left out.
pub fn show(plan: &Plan) -> String {
    let plan = with_models(plan);
    let rows: Vec<[String; 10]> = rows(&plan).map(|row| row.cells(&plan)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<(usize, usize)> = (0..HEAD.len())
        .map(|column| (column, width(column)))
        .filter(|(_, width)| *width > 0)
        .map(|(column, width)| (column, width.max(HEAD[column].len())))
        .collect();
    let mut out = summary(&plan);
    let mut put = |cells: [&str; 10]| {
        let cell = |(column, width): &(usize, usize)| format!("{:width$}", cells[*column], width = *width);
        let text = widths.iter().map(cell).collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", text.trim_end()).expect("a String takes all text");
    };
    put(HEAD);
    for row in &rows {
        put(row.each_ref().map(String::as_str));
    }
    out
}

/// A plan, as `plan --json` tells it; lengths of time in milliseconds.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Plan")]
pub struct PlanAnswer {
    name: String,
    file: String,
    hash: String,
    #[schemars(with = "BTreeMap<String, Value>")]
    inputs: ValueMap,
    estimate: EstimateAnswer,
    steps: Vec<PlannedStep>,
}

/// The expected usage of a run: as planned, at least, at most.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Estimate")]
struct EstimateAnswer {
    steps: u64,
    gates: u64,
    /// Matrices whose copies are known only in the run; each counts as one copy.
    computed: u64,
    calls: u64,
    calls_least: u64,
    calls_most: u64,
    tokens: u64,
    tokens_most: u64,
    #[schemars(with = "f64")]
    cost_usd: Value,
    #[schemars(with = "f64")]
    cost_most_usd: Value,
    /// The longest chain of calls, by step.
    chain: Vec<String>,
    time_most_ms: Option<u64>,
}

/// One step of a plan.
#[derive(Serialize, JsonSchema)]
struct PlannedStep {
    /// The level of the step: steps of one level can start together, and those of level 1 start first.
    stage: usize,
    id: String,
    kind: String,
    text: String,
    /// The step that it is inside.
    frame: Option<String>,
    needs: Vec<String>,
    r#if: Option<String>,
    timeout_ms: Option<u64>,
    max_attempts: u32,
    fallbacks: usize,
    undo: Option<&'static str>,
    effect: &'static str,
    limits: Option<String>,
    /// The rule of a gate as a sentence.
    gate: Option<String>,
    /// The same rule by field.
    gate_rule: Option<GateRuleAnswer>,
}

/// The rule of a gate. Templates stand as the file has them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GateRule")]
struct GateRuleAnswer {
    /// The risk of the steps that an approval releases.
    risk: &'static str,
    prompt: String,
    /// Groups that must agree, each with its number of people; null is any person.
    require: Vec<QuorumAnswer>,
    /// People and groups whose answer does not count.
    forbid: Vec<String>,
    /// The condition under which no person is asked.
    auto: Option<String>,
    /// True if an approval needs a security key that was touched.
    touch: bool,
    reason_required: bool,
    remind_ms: Vec<u64>,
    escalate_ms: Option<u64>,
    escalate_to: Option<String>,
    timeout_ms: Option<u64>,
    /// `reject`, `approve` or `escalate`; counts where there is a timeout.
    on_timeout: Value,
    /// `stop`, `continue` or `compensate`.
    on_reject: Value,
}

/// A number of people of one group.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Quorum")]
struct QuorumAnswer {
    group: Option<String>,
    count: u32,
}

impl GateRuleAnswer {
    fn of(rule: &GateRule) -> Self {
        let any = Quorum { group: None, count: 1 };
        let require = if rule.require.is_empty() { std::slice::from_ref(&any) } else { &rule.require };
        let quorum = |quorum: &Quorum| QuorumAnswer { group: quorum.group.clone(), count: quorum.count };
        let word = |word: serde_json::Result<Value>| word.expect("a word is JSON");
        let (escalate_ms, escalate_to) = rule.escalate.clone().map(|(after, to)| (after.0, to)).unzip();
        Self {
            risk: rule.risk.word(),
            prompt: rule.prompt.clone(),
            require: require.iter().map(quorum).collect(),
            forbid: rule.forbid.clone(),
            auto: rule.auto.clone(),
            touch: rule.touch,
            reason_required: rule.reason_required,
            remind_ms: rule.remind.iter().map(|span| span.0).collect(),
            escalate_ms,
            escalate_to,
            timeout_ms: rule.timeout.map(|span| span.0),
            on_timeout: word(serde_json::to_value(rule.on_timeout)),
            on_reject: word(serde_json::to_value(rule.on_reject)),
        }
    }
}

impl PlanAnswer {
    /// The same for programs.
    pub fn of(plan: &Plan) -> Self {
        let hash = plan.hash().to_string();
        let plan = with_models(plan);
        Self {
            hash,
            estimate: EstimateAnswer::of(&plan),
            steps: rows(&plan).map(|row| row.answer(&plan)).collect(),
            name: plan.name.clone(),
            file: plan.file.clone(),
            inputs: plan.inputs.clone(),
        }
    }
}

impl EstimateAnswer {
    fn of(plan: &Plan) -> Self {
        let estimate = Estimate::of(plan);
        let (once, most) = (&estimate.once, &estimate.most);
        Self {
            steps: estimate.steps,
            gates: estimate.gates,
            computed: estimate.computed,
            calls: once.calls,
            calls_least: estimate.least.calls,
            calls_most: most.calls,
            tokens: once.tokens,
            tokens_most: most.tokens,
            cost_usd: Currency::CostUsd.value(once.cost_micro_usd),
            cost_most_usd: Currency::CostUsd.value(most.cost_micro_usd),
            chain: estimate.chain.iter().map(|step| plan.steps[step.index()].id.clone()).collect(),
            time_most_ms: estimate.time_most.map(|span| span.0),
        }
    }
}

/// One step in its stage.
struct Row<'a> {
    stage: usize,
    step: &'a PlanStep,
    /// Children of a frame.
    children: usize,
}

fn rows(plan: &Plan) -> impl Iterator<Item = Row<'_>> {
    let mut children = vec![0; plan.steps.len()];
    plan.steps.iter().filter_map(|step| step.frame).for_each(|frame| children[frame.index()] += 1);
    let by_stage = stages(plan).into_iter().enumerate();
    by_stage
        .flat_map(|(stage, steps)| steps.into_iter().map(move |step| (stage + 1, step.index())))
        .map(move |(stage, index)| Row { stage, step: &plan.steps[index], children: children[index] })
}

impl Row<'_> {
    fn needs<'a>(&self, plan: &'a Plan) -> Vec<&'a str> {
        self.step.needs.iter().map(|step| plan.steps[step.index()].id.as_str()).collect()
    }

    fn is_call(&self) -> bool {
        matches!(
            self.step.work,
            Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_) | Work::Later(_)
        )
    }

    fn rule(&self) -> Option<&GateRule> {
        match &self.step.work {
            Work::Gate(rule) => Some(rule),
            _ => None,
        }
    }

    fn cells(&self, plan: &Plan) -> [String; 10] {
        let step = self.step;
        let condition = step.condition.as_ref().map(|condition| format!("if {}", line(condition)));
        let rule: Vec<String> = condition.into_iter().chain(self.rule().map(gate)).collect();
        let sign = if matches!(step.work, Work::Gate(_)) { "◆ " } else { "" };
        [
            self.stage.to_string(),
            format!("{sign}{}", id(step)),
            kind(&step.work, self.children),
            line(&self.needs(plan).join(", ")),
            step.timeout.map(|timeout| timeout.to_string()).unwrap_or_default(),
            retry(step).unwrap_or_default(),
            undo(&step.undo).unwrap_or_default().to_owned(),
            if self.is_call() { step.effect.word().to_owned() } else { String::new() },
            limits(step).unwrap_or_default(),
            rule.join("; "),
        ]
    }

    fn answer(&self, plan: &Plan) -> PlannedStep {
        let step = self.step;
        PlannedStep {
            stage: self.stage,
            id: step.id.clone(),
            kind: step.work.word().to_owned(),
            text: kind(&step.work, self.children),
            frame: step.frame.map(|frame| plan.steps[frame.index()].id.clone()),
            needs: self.needs(plan).into_iter().map(str::to_owned).collect(),
            r#if: step.condition.clone(),
            timeout_ms: step.timeout.map(|timeout| timeout.0),
            max_attempts: step.retry.as_ref().map_or(1, |retry| retry.max_attempts),
            fallbacks: step.fallback.len(),
            undo: undo(&step.undo),
            effect: step.effect.word(),
            limits: limits(step),
            gate: self.rule().map(gate),
            gate_rule: self.rule().map(GateRuleAnswer::of),
        }
    }
}

/// The lines above the table.
fn summary(plan: &Plan) -> String {
    let estimate = Estimate::of(plan);
    let last = stages(plan).len() as u64;
    let steps = format!("{} in {}", count(estimate.steps, "step"), count(last, "level"));
    let mut words = vec![steps, count(estimate.gates, "gate")];
    words.push(match estimate.most.calls {
        most if most == estimate.once.calls => count(most, "call"),
        most => format!("{} to {}", estimate.once.calls, count(most, "call")),
    });
    for currency in [Currency::Tokens, Currency::CostUsd] {
        let (once, most) = (estimate.once.of(currency), estimate.most.of(currency));
        if most > once {
            words.push(format!("about {} to {}", currency.figure(once), currency.amount(most)));
        } else if most > 0 {
            words.push(format!("about {}", currency.amount(most)));
        }
    }
    if let Some(budget) = &plan.budget {
        let limits: Vec<String> =
            Ceilings::from(budget).all().map(|(currency, limit)| currency.amount(limit)).collect();
        words.push(format!("at most {} ({})", limits.join(" and "), budget.on_exceed.word()));
    }
    if estimate.computed > 0 {
        let matrices = if estimate.computed == 1 { "1 matrix" } else { "several matrices" };
        words.push(format!("{matrices} computed in the run, shown as one copy […]"));
    }
    words.extend(
        estimate.time_most.map(|time_most| format!("at most {time_most} when each call is made once")),
    );
    format!("{} ({}): {}\n", line(&plan.name), line(&plan.file), words.join(", "))
}
