//! A model as it is described: by a file in `models/`, or by one of the files that are built in. Both have one shape.
//!
//! Reading of a description is for `read`; finding a model is in `registry`; what is asked of it is for `plan`.

mod registry;

pub use registry::ModelRegistry;

use cuelight_base::{BreakerRule, Digest, Hints, Price, Provider, RateRule, Value, canonical_json, sha256};
use serde_json::json;

/// The description of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The name in workflows: `claude-sonnet`.
    pub name: String,
    /// The description, one sentence.
    pub description: String,
    /// The provider, which decides the format of requests.
    pub provider: Provider,
    /// The name that its provider uses.
    pub model: String,
    /// The address up to the version; empty for the stand-in.
    pub url: String,
    /// The secret that is its key.
    pub key: Option<String>,
    /// The cost of tokens; none when it is not known.
    pub price: Option<Price>,
    /// Tokens of an answer, where a step says nothing.
    pub max_tokens: u32,
    /// The grades of complexity, cost and speed that the model is good for.
    pub hints: Hints,
    /// When calls to it are held back because it fails.
    pub breaker: BreakerRule,
    /// The limit on the rate of calls.
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

    /// The hash of the whole description, to which plans and approvals are bound.
    pub fn hash(&self) -> Digest {
        sha256("cuelight-model-v1", &[canonical_json(&self.json()).as_bytes()])
    }

    /// True if a real model answers, not the stand-in.
    pub fn is_real(&self) -> bool {
        self.provider != Provider::StandIn
    }
}
