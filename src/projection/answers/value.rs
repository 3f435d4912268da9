//! A value of a scope that outlives runs, as JSON.

use crate::spelled::text;
use crate::{ValueName, ValueView, scope_word};
use cuelight_base::Value;
use schemars::JsonSchema;
use serde::Serialize;

/// A value, as `state --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StateValue")]
pub struct ValueAnswer {
    scope: &'static str,
    key: String,
    value: Value,
    version: u64,
    etag: String,
    set_at: String,
    set_by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    owner: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl ValueAnswer {
    /// A value of a scope that outlives runs.
    pub fn of((scope, owner, key): &ValueName, value: &ValueView) -> Self {
        Self {
            scope: scope_word(*scope),
            key: key.clone(),
            value: value.value.clone(),
            version: value.version,
            etag: value.etag(),
            set_at: value.set_at.to_string(),
            set_by: value.set_by.clone(),
            owner: owner.clone(),
            expires_at: text(value.expires_at),
        }
    }
}
