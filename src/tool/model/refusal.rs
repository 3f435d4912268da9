//! Reads a provider's refusal by its own error words. The status alone would hide that no money is left, or
//! that a key is wrong.

use crate::Failure;
use cuelight_base::{FailureMode, ModelCall, RETRY_AFTER_MAX, Span, Value, shorten};

/// The words of the three formats, and what each means.
const WORDS: &[(&str, FailureMode)] = &[
    // OpenAI, `code` and `type`.
    ("insufficient_quota", FailureMode::ResourceQuota),
    ("invalid_api_key", FailureMode::UserPermission),
    ("rate_limit_exceeded", FailureMode::PolicyRateLimit),
    ("context_length_exceeded", FailureMode::UserInvalidInput),
    ("model_not_found", FailureMode::UserInvalidInput),
    ("content_policy_violation", FailureMode::AgentContract),
    ("server_error", FailureMode::ResourceApi),
    // Anthropic, `type`.
    ("authentication_error", FailureMode::UserPermission),
    ("permission_error", FailureMode::UserPermission),
    ("billing_error", FailureMode::ResourceQuota),
    ("rate_limit_error", FailureMode::PolicyRateLimit),
    ("overloaded_error", FailureMode::ResourceApi),
    ("api_error", FailureMode::ResourceApi),
    ("timeout_error", FailureMode::SystemTimeout),
    ("not_found_error", FailureMode::UserInvalidInput),
    ("request_too_large", FailureMode::UserInvalidInput),
    ("invalid_request_error", FailureMode::UserInvalidInput),
    // Gemini, `reason` of its details and `status`.
    ("API_KEY_INVALID", FailureMode::UserPermission),
    ("API_KEY_SERVICE_BLOCKED", FailureMode::UserPermission),
    ("UNAUTHENTICATED", FailureMode::UserPermission),
    ("PERMISSION_DENIED", FailureMode::UserPermission),
    ("RESOURCE_EXHAUSTED", FailureMode::PolicyRateLimit),
    ("UNAVAILABLE", FailureMode::ResourceApi),
    ("INTERNAL", FailureMode::ResourceApi),
    ("DEADLINE_EXCEEDED", FailureMode::SystemTimeout),
    ("NOT_FOUND", FailureMode::UserInvalidInput),
    ("FAILED_PRECONDITION", FailureMode::UserInvalidInput),
    ("INVALID_ARGUMENT", FailureMode::UserInvalidInput),
];

/// The readable parts of a refusal.
#[derive(Default)]
pub(super) struct Refusal {
    pub(super) mode: Option<FailureMode>,
    pub(super) message: Option<String>,
    pub(super) retry_after: Option<Span>,
}

/// Reads the body of a refusal.
pub(super) fn of(body: &[u8]) -> Refusal {
    serde_json::from_slice(body).map(|value| read(&value)).unwrap_or_default()
}

/// The next step for the reader after a refusal of this mode.
pub(super) fn advice(mode: FailureMode, status: u16, model: &ModelCall, wait: Option<Span>) -> String {
    let name = &model.name;
    match mode {
        FailureMode::UserPermission => match &model.key {
            Some(key) => {
                format!("see whether the key {key} is right and may use it: `cuelight model test {name}`")
            }
            None => format!("it wants a key, and its description names none: `cuelight model show {name}`"),
        },
        FailureMode::PolicyRateLimit => match wait {
            Some(wait) if wait > RETRY_AFTER_MAX => {
                format!(
                    "it asks to wait {wait}, longer than a step does: retry the run then, or ask another model"
                )
            }
            Some(wait) => format!("it asks to wait {wait}: ask it less often, see `rate:`, or another model"),
            None => "ask it less often, see `rate:`, or another model".to_owned(),
        },
        FailureMode::ResourceQuota => "see the plan and the bills there, or ask another model".to_owned(),
        FailureMode::ResourceApi | FailureMode::SystemTimeout => {
            "see the other side, or ask another model".to_owned()
        }
        FailureMode::AgentContract => "ask it otherwise, or another model".to_owned(),
        FailureMode::UserInvalidInput if status == 404 => {
            format!("see `model` and `url` of its description: `cuelight model show {name}`")
        }
        _ => "see what it was asked; its answer stands in the log".to_owned(),
    }
}

/// A refusal in the middle of an answer.
pub(super) fn in_stream(event: &Value) -> Failure {
    let said = read(event);
    let message = said.message.map_or_else(String::new, |message| format!(": {}", shorten(&message, 300)));
    Failure {
        mode: said.mode.unwrap_or(FailureMode::ResourceApi),
        message: format!("broke its answer off{message}; see the other side"),
    }
}

fn read(said: &Value) -> Refusal {
    // One of Gemini's doors wraps what it says in a list.
    let error = &said.get(0).unwrap_or(said)["error"];
    let details = || error["details"].as_array().into_iter().flatten();
    // The narrower word first: a wrong key is an invalid request, too.
    let words = details()
        .filter_map(|detail| detail["reason"].as_str())
        .chain(["code", "type", "status"].into_iter().filter_map(|key| error[key].as_str()));
    let mode = words.filter_map(|word| WORDS.iter().find(|other| other.0 == word)).map(|word| word.1).next();
    let retry_after = details().find_map(|detail| seconds(detail["retryDelay"].as_str()?));
    let message = error["message"].as_str().or(error.as_str()).map(str::to_owned);
    Refusal { mode, message, retry_after }
}

/// Parses seconds like `27s` or `27.5s`, rounded up.
fn seconds(text: &str) -> Option<Span> {
    let (whole, rest) = text.strip_suffix('s')?.split_once('.').unwrap_or((text.strip_suffix('s')?, "0"));
    let up = u64::from(rest.bytes().any(|byte| byte != b'0'));
    Some(Span(whole.parse::<u64>().ok()?.saturating_add(up).saturating_mul(1000)))
}
