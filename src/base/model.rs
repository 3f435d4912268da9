//! A call of a model, wholly resolved: part of its launch, so that what people approve is what is asked. Its
//! key stands in it by name.
//!
//! The protocol of each provider is in `tool`; the choice of a model is in `plan` and `engine`.

use crate::{Digest, Value, ValueMap, canonical_json, counted, json_bytes, safe_text, sha256, shorten};
use serde::{Deserialize, Serialize};

/// Lines of a text that people see.
const LINES_SHOWN: usize = 20;
/// Characters of each such line.
const LINE_CHARS_SHOWN: usize = 500;
/// Bytes of text that one token stands for, as a rule.
const BYTES_PER_TOKEN: u64 = 4;
/// A price is for so many tokens.
const TOKENS_PRICED: u128 = 1_000_000;

/// The provider whose API format is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Chat completions, as `OpenAI` and many local servers have them.
    #[serde(rename = "openai")]
    OpenAi,
    /// Messages, as Anthropic has them.
    Anthropic,
    /// Generated content, as Gemini has it.
    Gemini,
    /// Nobody: an answer made up here, always the same, for demonstrations and tests.
    StandIn,
}

impl Provider {
    /// All of them with the word used in files.
    pub const ALL: [(&'static str, Self); 4] = [
        ("openai", Self::OpenAi),
        ("anthropic", Self::Anthropic),
        ("gemini", Self::Gemini),
        ("stand-in", Self::StandIn),
    ];

    /// The word used in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::StandIn => "stand-in",
        }
    }

    /// The default address of the provider; empty for the stand-in.
    pub const fn url(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta",
            Self::StandIn => "",
        }
    }

    /// The secret that holds the key for that place.
    pub const fn key(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("OPENAI_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Gemini => Some("GEMINI_API_KEY"),
            Self::StandIn => None,
        }
    }
}

/// A coarse amount, in three grades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// The lowest grade: little of it.
    Low,
    /// Neither little nor much of it.
    Medium,
    /// The highest grade: much of it.
    High,
}

impl Grade {
    /// All of them with the word used in files.
    pub const ALL: [(&'static str, Self); 3] =
        [("low", Self::Low), ("medium", Self::Medium), ("high", Self::High)];

    /// The word used in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The wishes of a step for its model, or the traits of a model: complexity of its work, cost, speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hints {
    /// The difficulty of the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complexity: Option<Grade>,
    /// The cost of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Grade>,
    /// The speed of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<Grade>,
}

impl Hints {
    /// The distance of a model from what is wanted; less is better, and complexity counts before cost before
    /// speed.
    /// A wish that is not set counts nothing, and a model that says nothing of itself is medium.
    pub fn distance(self, model: Self) -> [u8; 3] {
        let is = |grade: Option<Grade>| grade.unwrap_or(Grade::Medium) as u8;
        // Better than wanted is a little waste; worse than wanted is no fit.
        let at_least = |wanted: Option<Grade>, has: Option<Grade>| match wanted.map(|grade| grade as u8) {
            None => 0,
            Some(wanted) if is(has) >= wanted => is(has) - wanted,
            Some(wanted) => 10 + wanted - is(has),
        };
        let at_most = |wanted: Option<Grade>, has: Option<Grade>| match wanted.map(|grade| grade as u8) {
            None => 0,
            Some(wanted) => is(has).saturating_sub(wanted),
        };
        [
            at_least(self.complexity, model.complexity),
            at_most(self.cost, model.cost),
            at_least(self.speed, model.speed),
        ]
    }

    /// `complexity high, cost low`; empty when no hint is set.
    pub fn words(self) -> String {
        let said = [("complexity", self.complexity), ("cost", self.cost), ("speed", self.speed)];
        let words: Vec<String> =
            said.iter().filter_map(|(name, grade)| Some(format!("{name} {}", (*grade)?.word()))).collect();
        words.join(", ")
    }
}

/// The price of a million tokens, in millionths of a dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Price of the input: a million tokens, in millionths of a dollar.
    pub input_micro_usd: u64,
    /// Price of the output: a million tokens, in millionths of a dollar.
    pub output_micro_usd: u64,
}

impl Price {
    /// The cost of so many tokens, in millionths of a dollar, rounded up.
    pub fn cost(self, input_tokens: u64, output_tokens: u64) -> u64 {
        let of = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let all =
            of(input_tokens, self.input_micro_usd).saturating_add(of(output_tokens, self.output_micro_usd));
        u64::try_from(all.div_ceil(TOKENS_PRICED)).unwrap_or(u64::MAX)
    }
}

/// One question to one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCall {
    /// Its name in the registry.
    pub name: String,
    /// The provider whose API format is spoken.
    pub provider: Provider,
    /// The address of the provider, up to its version: `https://api.openai.com/v1`.
    #[serde(default)]
    pub url: String,
    /// The provider's name for the model.
    pub model: String,
    /// The secret that is its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Hash of its description: another address, key or price is another hash.
    pub definition: Digest,
    /// The system prompt; none when nothing is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The prompt that the model is asked.
    pub prompt: String,
    /// JSON Schema that its answer must fit; without one, any text is an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The temperature, between 0 and 2, as written; none means the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<String>,
    /// Tokens that the answer may have.
    pub max_tokens: u32,
    /// The price of its tokens; none when nobody knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Tools that it may ask for. No tool is called here: a call becomes steps, or an answer that tells why
    /// not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<OfferedTool>,
    /// The rounds after the prompt: each answer that asked for tools, with the results of its calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<ToolRound>,
}

/// A tool, as a model is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedTool {
    /// The name by which the model calls it: letters, digits and `_`.
    pub name: String,
    /// The description that the model reads.
    pub description: String,
    /// JSON Schema of its input.
    pub input: Value,
}

/// One answer that asked for tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRound {
    /// The text of the answer beside its calls.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The calls that it asked for, in its order.
    pub calls: Vec<ToolAsked>,
    /// The result of each call, in the same order.
    pub results: Vec<ToolResult>,
}

/// One call that a model asks for; all of it is untrusted text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolAsked {
    /// The id that tells this call from others of the same answer.
    pub id: String,
    /// The name that the model gives the tool.
    pub name: String,
    /// The arguments for the tool; none when they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<ValueMap>,
    /// The reason why the arguments could not be read; empty when they could.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unreadable: String,
    /// A value that the provider wants to see again beside the call, whatever it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
}

/// The result of a call that a model asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The text that the model is told.
    pub text: String,
    /// True if the call was not made, or failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}

/// The output that holds the calls of a model that was offered tools: a list of [`ToolAsked`].
pub const MODEL_CALLS: &str = "calls";

/// The calls that a model asks for, read from the outputs of its step. An entry that is no call is left out.
pub fn calls_asked(outputs: &ValueMap) -> Vec<ToolAsked> {
    let all = outputs.get(MODEL_CALLS).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|item| serde_json::from_value(item.clone()).ok()).collect()
}

impl ModelCall {
    /// The target, as breakers and buckets count it: `model claude-sonnet`.
    pub fn target(&self) -> String {
        format!("{MODEL_TARGET}{}", self.name)
    }

    /// Tokens that it is expected to use at most: those of the question, by its length, and all of the
    /// answer.
    pub fn expected_tokens(&self) -> (u64, u64) {
        let schema = self.schema.as_ref().map_or(0, |schema| schema.to_string().len());
        let bytes = self.prompt.len() + self.system.as_ref().map_or(0, String::len) + schema;
        (tokens_of(bytes + self.talk_bytes()), u64::from(self.max_tokens))
    }

    /// Bytes of the tools that are offered, and of the rounds after the question.
    pub fn talk_bytes(&self) -> usize {
        let of = |is_empty: bool, bytes: &dyn Fn() -> usize| if is_empty { 0 } else { bytes() };
        of(self.tools.is_empty(), &|| json_bytes(&self.tools))
            + of(self.rounds.is_empty(), &|| json_bytes(&self.rounds))
    }

    /// Lines for people that name the model, its provider, address and key.
    pub fn who(&self) -> Vec<String> {
        let mut out = vec![format!(
            "model: {} ({}, {}){}",
            safe_text(&self.name),
            self.provider.word(),
            safe_text(&self.model),
            if self.url.is_empty() { String::new() } else { format!(" at {}", safe_text(&self.url)) },
        )];
        out.extend(self.key.iter().map(|key| format!("key: ‹secret {}›", safe_text(key))));
        out
    }

    /// All that is asked, for people.
    pub fn lines(&self) -> Vec<String> {
        let mut out = self.who();
        let temperature =
            self.temperature.iter().map(|temperature| format!("temperature {}", safe_text(temperature)));
        let limits: Vec<String> =
            temperature.chain([format!("at most {} tokens of an answer", self.max_tokens)]).collect();
        out.push(format!("asked with: {}", limits.join(", ")));
        let texts = [("system", self.system.as_deref()), ("prompt", Some(self.prompt.as_str()))];
        for (what, text) in texts.into_iter().filter_map(|(what, text)| Some((what, text?))) {
            let digest = sha256("", &[text.as_bytes()]);
            out.push(format!("{what}: {} bytes, sha256 {digest}", text.len()));
            let head: Vec<&str> = text.lines().take(LINES_SHOWN).collect();
            out.extend(head.iter().map(|text| format!("| {}", safe_text(&shorten(text, LINE_CHARS_SHOWN)))));
            if text.lines().count() > head.len()
                || head.iter().any(|text| text.chars().count() > LINE_CHARS_SHOWN)
            {
                out.push("| … and more, which the hash stands for".to_owned());
            }
        }
        if let Some(schema) = &self.schema {
            let digest = sha256("", &[canonical_json(schema).as_bytes()]);
            out.push(format!("answers: JSON of a schema, sha256 {digest}"));
        }
        if !self.tools.is_empty() {
            let names: Vec<String> = self.tools.iter().map(|tool| safe_text(&tool.name)).collect();
            let digest = sha256("", &[canonical_json(&self.tools).as_bytes()]);
            out.push(format!("may ask for: {}, sha256 {digest}", names.join(", ")));
        }
        if !self.rounds.is_empty() {
            let digest = sha256("", &[canonical_json(&self.rounds).as_bytes()]);
            let count = counted(self.rounds.len(), "round", "rounds");
            out.push(format!("said before: {count} of tools, sha256 {digest}"));
        }
        out
    }
}

/// Millionths of a dollar as dollars: `0.84`, never fewer than two decimals.
pub fn dollars(amount: u64) -> String {
    let text = format!("{}.{:06}", amount / 1_000_000, amount % 1_000_000);
    let kept = text.trim_end_matches('0').len().max(text.len() - 4);
    text[..kept].to_owned()
}

/// The prefix of target names that are models.
pub const MODEL_TARGET: &str = "model ";

/// Tokens that a text of so many bytes is expected to have.
pub fn tokens_of(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(BYTES_PER_TOKEN)
}

/// The outputs of every call of a model; parts of the answer with these names are under `result` alone.
pub const MODEL_OUTPUTS: &[&str] = &[
    "text",
    "result",
    "model",
    "answered-by",
    "finish",
    "repaired",
    "tokens",
    "input-tokens",
    "output-tokens",
    "cost-usd",
];

/// The further outputs of a model that was offered tools: its open calls, then the number of rounds.
pub const TALK_OUTPUTS: &[&str] = &[MODEL_CALLS, "rounds"];

/// The outputs that a step can read of an answer in JSON: its parts by name, without those in
/// [`MODEL_OUTPUTS`].
pub fn spread(answer: &Value) -> ValueMap {
    let parts = answer.as_object().into_iter().flatten();
    parts
        // A budget reads either spelling.
        .filter(|(name, _)| !MODEL_OUTPUTS.contains(&name.replace('_', "-").as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_price_is_counted_to_the_millionth_and_never_down() {
        let price = Price { input_micro_usd: 3_000_000, output_micro_usd: 15_000_000 };
        assert_eq!(price.cost(1_000_000, 0), 3_000_000);
        assert_eq!(price.cost(1000, 100), 4500);
        assert_eq!(Price { input_micro_usd: 1, output_micro_usd: 0 }.cost(1, 0), 1);
        assert_eq!(
            Price { input_micro_usd: u64::MAX, output_micro_usd: u64::MAX }.cost(u64::MAX, 1),
            u64::MAX
        );
    }

    #[test]
    fn complexity_counts_before_cost_before_speed() {
        use Grade::{High, Low, Medium};
        let of = |complexity, cost, speed| Hints {
            complexity: Some(complexity),
            cost: Some(cost),
            speed: Some(speed),
        };
        let (large, middle, small) = (of(High, High, Low), of(Medium, Medium, Medium), of(Low, Low, High));
        let first = |wanted: Hints| {
            let models = [("large", large), ("middle", middle), ("small", small)];
            models.into_iter().min_by_key(|model| wanted.distance(model.1)).map(|model| model.0)
        };
        assert_eq!(first(of(High, Low, High)), Some("large"));
        assert_eq!(first(of(Medium, Low, High)), Some("middle"));
        assert_eq!(first(of(Low, Low, High)), Some("small"));
        assert_eq!(first(Hints { cost: Some(Low), ..Hints::default() }), Some("small"));
        assert_eq!(first(Hints { speed: Some(Medium), ..Hints::default() }), Some("middle"));
        assert_eq!(Hints::default().distance(large), [0, 0, 0]);
    }

    /// Or an answer could say that it has cost nothing.
    #[test]
    fn what_is_counted_is_never_what_the_answer_says() {
        let spread =
            spread(&json!({"tokens": 0, "cost-usd": "0", "cost_usd": 0, "model": "other", "score": 1}));
        assert_eq!(Value::Object(spread), json!({"score": 1}));
    }
}
