//! A model as it is described: by a file in `models/`, or by one of the files that are built in. Both have one shape.
//!
//! How a description is read is for `read`; how a model is found is in `registry`; what is asked of it is for `plan`.

mod registry;

pub use registry::ModelRegistry;

use cuelight_base::{BreakerRule, Digest, Hints, Price, Provider, RateRule, Value, canonical_json, sha256};
use serde_json::json;

/// One model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// How workflows call it: `claude-sonnet`.
    pub name: String,
    /// What it is, in a sentence.
    pub description: String,
    /// Whose format it speaks.
    pub provider: Provider,
    /// What its provider calls it.
    pub model: String,
    /// Where it is, up to the version; nothing for the stand-in.
    pub url: String,
    /// The secret that is its key.
    pub key: Option<String>,
    /// What tokens cost; none where nobody has said.
    pub price: Option<Price>,
    /// Tokens of an answer, where a step says nothing.
    pub max_tokens: u32,
    /// What it is good for.
    pub hints: Hints,
    /// When calls to it are held back because it fails.
    pub breaker: BreakerRule,
    /// How many calls it takes.
    pub rate: Option<RateRule>,
    /// The file it stands in; `built in` for ours.
    pub origin: String,
}

impl Model {
    /// All that is said of it, as JSON.
    pub fn json(&self) -> Value {
        let mut out = json!({
            "name": self.name,
            "description": self.description,
            "provider": self.provider,
            "model": self.model,
            "url": self.url,
            "key": self.key,
            "price": self.price,
            "max_tokens": self.max_tokens,
            "hints": self.hints,
        });
        if self.breaker != BreakerRule::default() {
            out["breaker"] = json!(self.breaker);
        }
        if let Some(rate) = &self.rate {
            out["rate"] = json!(rate);
        }
        out
    }

    /// What a plan and an approval are held to: everything that is said of it.
    pub fn hash(&self) -> Digest {
        sha256("cuelight-model-v1", &[canonical_json(&self.json()).as_bytes()])
    }

    /// Whether somebody really answers.
    pub fn is_real(&self) -> bool {
        self.provider != Provider::StandIn
    }
}
