//! Models of a plan: the exact description each step was planned with, and the resolved call.

use crate::{Amounts, Backoff, Currency, FrameKind, ModelWork, PlanStep, Retry, Work};
use cuelight_base::{
    BreakerRule, Digest, FailureMode, ModelCall, OUTPUT_BYTES_MAX, OfferedTool, Price, Provider, RateRule,
    Score, Span, ToolRound, counted, tokens_of,
};
use cuelight_definition as file;
use serde::{Deserialize, Serialize};

/// One model, as the registry described it when the plan was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanModel {
    /// Its name in the registry: `claude-sonnet`.
    pub name: String,
    /// Hash of its whole description.
    pub definition: Digest,
    /// The provider whose API format it speaks.
    pub provider: Provider,
    /// The provider's name for the model.
    pub model: String,
    /// The address of the provider.
    #[serde(default)]
    pub url: String,
    /// The secret that is its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The price of its tokens; none when nobody knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Tokens of an answer, if a step gives no limit.
    pub max_tokens: u32,
    /// When calls to it are held back because it fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub breaker: BreakerRule,
    /// The rate limit of its calls; none when it has no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateRule>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl PlanModel {
    /// The model as the plan keeps it.
    pub fn of(model: &file::Model) -> Self {
        Self {
            name: model.name.clone(),
            definition: model.hash(),
            provider: model.provider,
            model: model.model.clone(),
            url: model.url.clone(),
            key: model.key.clone(),
            price: model.price,
            max_tokens: model.max_tokens,
            breaker: model.breaker,
            rate: model.rate.clone(),
        }
    }

    /// The call that this work makes, its templates filled.
    ///
    /// # Errors
    /// When the question is larger than a call may be.
    pub fn call(
        &self,
        work: &ModelWork,
        system: Option<String>,
        prompt: String,
    ) -> Result<ModelCall, String> {
        self.talk(work, system, prompt, Vec::new(), Vec::new())
    }

    /// The same call with the tools that are offered, and the rounds so far.
    ///
    /// # Errors
    /// When all of it is larger than a call may be.
    pub fn talk(
        &self,
        work: &ModelWork,
        system: Option<String>,
        prompt: String,
        tools: Vec<OfferedTool>,
        rounds: Vec<ToolRound>,
    ) -> Result<ModelCall, String> {
        let mut call = self.question(work, system, prompt);
        call.tools = tools;
        call.rounds = rounds;
        let bytes = call.prompt.len() + call.system.as_ref().map_or(0, String::len) + call.talk_bytes();
        if bytes > OUTPUT_BYTES_MAX {
            return Err(format!(
                "its question has {bytes} bytes, and a model is asked at most {OUTPUT_BYTES_MAX}; shorten it in a step before"
            ));
        }
        Ok(call)
    }

    fn question(&self, work: &ModelWork, system: Option<String>, prompt: String) -> ModelCall {
        ModelCall {
            name: self.name.clone(),
            provider: self.provider,
            url: self.url.clone(),
            model: self.model.clone(),
            key: self.key.clone(),
            definition: self.definition,
            system,
            prompt,
            schema: work.schema.clone(),
            temperature: work.temperature.clone(),
            max_tokens: work.max_tokens.unwrap_or(self.max_tokens),
            price: self.price,
            tools: Vec::new(),
            rounds: Vec::new(),
        }
    }

    /// The most that one call is expected to use, from its texts as they stand in the file.
    pub fn estimate(&self, work: &ModelWork) -> Amounts {
        let schema = work.schema.as_ref().map_or(0, |schema| schema.to_string().len());
        let bytes = work.prompt.len() + work.system.as_ref().map_or(0, String::len) + schema;
        let output = u64::from(work.max_tokens.unwrap_or(self.max_tokens));
        expected(self.price, tokens_of(bytes), output)
    }
}

/// The most that a resolved call is expected to use.
pub fn expected_of(call: &ModelCall) -> Amounts {
    let (input, output) = call.expected_tokens();
    expected(call.price, input, output)
}

fn expected(price: Option<Price>, input: u64, output: u64) -> Amounts {
    let tokens = input.saturating_add(output);
    Amounts { calls: 0, tokens, cost_micro_usd: price.map_or(0, |price| price.cost(input, output)) }
}

/// The questions of a step, one for each of its models in turn.
pub(super) fn works(llm: &file::Llm) -> Vec<Work> {
    let names: Vec<&str> = llm.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    let why = match names.as_slice() {
        [] | [_] => String::new(),
        _ if llm.models.is_empty() && llm.hints.words().is_empty() => {
            format!("none is named; the first of {}", counted(names.len(), "model", "models"))
        }
        _ if llm.models.is_empty() => {
            let count = counted(names.len(), "model", "models");
            format!("none is named; of {count} the best for {}", llm.hints.words())
        }
        [first, rest @ ..] => format!("{first} stands first, before {}", rest.join(", ")),
    };
    let one = |name: &&str| {
        Work::Model(Box::new(ModelWork {
            model: (*name).to_owned(),
            why: why.clone(),
            system: llm.system.as_ref().map(|system| system.value.clone()),
            prompt: llm.prompt.value.clone(),
            schema: llm.json_schema.clone(),
            temperature: llm.temperature.clone(),
            max_tokens: llm.max_tokens,
        }))
    };
    names.iter().map(one).collect()
}

/// The default retry of a call of a model (O5): twice, after 200 and 400 ms, for failures of the network or
/// the provider. A wrong key is not retried.
pub(super) fn retry() -> Retry {
    Retry {
        max_attempts: 3,
        kind: Backoff::Exponential,
        delay: Span(200),
        factor_thousandths: 2000,
        max_delay: Span(400),
        jitter: Score(0),
        on: vec![FailureMode::SystemNetwork, FailureMode::ResourceApi, FailureMode::PolicyRateLimit],
    }
}

/// Sets the estimate of a step that asks a model and gives none: the most that its first model may use. That
/// is the question as it stands in the file, and all of the answer.
pub(super) fn charge(steps: &mut [PlanStep], models: &[PlanModel]) {
    for step in steps {
        if let Work::Frame(frame) = &mut step.work {
            match &mut frame.kind {
                FrameKind::Computed { body, .. } => charge(body, models),
                FrameKind::Talk(talk) => charge(std::slice::from_mut(&mut talk.ask), models),
                FrameKind::Matrix | FrameKind::Workflow { .. } => {}
            }
        }
        let Work::Model(work) = &step.work else { continue };
        let Some(model) = models.iter().find(|model| model.name == work.model) else { continue };
        let whole = model.estimate(work);
        for currency in [Currency::Tokens, Currency::CostUsd] {
            if step.estimate.of(currency) == 0 {
                step.estimate = step.estimate.with(currency, whole.of(currency));
            }
        }
    }
}
