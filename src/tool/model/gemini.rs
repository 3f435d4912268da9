//! Generated content: what is sent to Gemini, and what comes back.

use super::{Fit, Heard, Question, Said, Stop, fit::number, refusal};
use crate::{
    base::{ModelCall, Value},
    tool::Failure,
};
use serde_json::json;

pub(super) fn question(model: &ModelCall, said: &[Said], fit: Option<&Fit>) -> Question {
    let turn = |it: &Said| match it {
        Said::Asked(text) => json!({"role": "user", "parts": [{"text": text}]}),
        Said::Answered(text) => json!({"role": "model", "parts": [{"text": text}]}),
    };
    let contents: Vec<Value> = said.iter().map(turn).collect();
    let mut config = json!({"maxOutputTokens": model.max_tokens});
    if let Some(temperature) = model.temperature.as_deref().and_then(number) {
        config["temperature"] = temperature;
    }
    if let Some(fit) = fit {
        config["responseMimeType"] = "application/json".into();
        config["responseJsonSchema"] = fit.native().unwrap_or(fit.schema()).clone();
    }
    let mut body = json!({"contents": contents, "generationConfig": config});
    if let Some(system) = super::fit::system(model, fit) {
        body["systemInstruction"] = json!({"parts": [{"text": system}]});
    }
    let path = format!("/models/{}:streamGenerateContent?alt=sse", model.model);
    Question { path, fields: &[], key: ("x-goog-api-key", ""), body }
}

pub(super) fn hear(event: &Value, heard: &mut Heard) -> Result<(), Failure> {
    if event.get("error").is_some() {
        return Err(refusal::in_stream(event));
    }
    if let Some(model) = event["modelVersion"].as_str() {
        heard.answered_by = Some(model.to_owned());
    }
    let usage = &event["usageMetadata"];
    heard.input = usage["promptTokenCount"].as_u64().or(heard.input);
    let written = ["candidatesTokenCount", "thoughtsTokenCount"];
    let written: Vec<u64> = written.iter().filter_map(|it| usage[*it].as_u64()).collect();
    if !written.is_empty() {
        heard.output = Some(written.iter().sum());
    }
    if let Some(why) = event["promptFeedback"]["blockReason"].as_str() {
        heard.stop = Some(Stop::Refused(why.to_owned()));
    }
    let candidate = &event["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        if let Some(name) = part["functionCall"]["name"].as_str() {
            heard.stop = Some(Stop::Tool(name.to_owned()));
        }
        // Thoughts are no part of the answer.
        if let Some(text) = part["text"].as_str().filter(|_| part["thought"] != true) {
            heard.text.push_str(text);
        }
    }
    if let Some(reason) = candidate["finishReason"].as_str() {
        let stop = match reason {
            "STOP" => Stop::Whole,
            "MAX_TOKENS" => Stop::Length,
            "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => Stop::Tool("unnamed".to_owned()),
            other => Stop::Refused(other.to_owned()),
        };
        heard.stop.get_or_insert(stop);
    }
    Ok(())
}
