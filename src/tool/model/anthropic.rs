//! Messages: what is sent to Anthropic, and what comes back.

use super::{Fit, Heard, Question, Said, Stop, fit::number, refusal};
use crate::{
    base::{ModelCall, Value},
    tool::Failure,
};
use serde_json::json;

pub(super) fn question(model: &ModelCall, said: &[Said], fit: Option<&Fit>) -> Question {
    let turn = |it: &Said| match it {
        Said::Asked(text) => json!({"role": "user", "content": text}),
        Said::Answered(text) => json!({"role": "assistant", "content": text}),
    };
    let messages: Vec<Value> = said.iter().map(turn).collect();
    let mut body = json!({
        "model": model.model,
        "max_tokens": model.max_tokens,
        "messages": messages,
        "stream": true,
    });
    if let Some(system) = super::fit::system(model, fit) {
        body["system"] = system.into();
    }
    if let Some(temperature) = model.temperature.as_deref().and_then(number) {
        body["temperature"] = temperature;
    }
    if let Some(schema) = fit.and_then(Fit::native) {
        body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
    }
    Question {
        path: "/messages".to_owned(),
        fields: &[("anthropic-version", "2023-06-01")],
        key: ("x-api-key", ""),
        body,
    }
}

pub(super) fn hear(event: &Value, heard: &mut Heard) -> Result<(), Failure> {
    match event["type"].as_str().unwrap_or_default() {
        "error" => return Err(refusal::in_stream(event)),
        "message_start" => {
            let message = &event["message"];
            heard.answered_by = message["model"].as_str().map(str::to_owned);
            let usage = &message["usage"];
            let parts = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
            let told: Vec<u64> = parts.iter().filter_map(|it| usage[*it].as_u64()).collect();
            heard.input = (!told.is_empty()).then(|| told.iter().sum());
            heard.output = usage["output_tokens"].as_u64();
        }
        "content_block_start" if event["content_block"]["type"] == "tool_use" => {
            let name = event["content_block"]["name"].as_str().unwrap_or("unnamed");
            heard.stop = Some(Stop::Tool(name.to_owned()));
        }
        "content_block_delta" => {
            // Thoughts and signatures are no part of the answer.
            if let Some(text) =
                event["delta"]["text"].as_str().filter(|_| event["delta"]["type"] == "text_delta")
            {
                heard.text.push_str(text);
            }
        }
        "message_delta" => {
            // It counts from the beginning, not from the event before.
            heard.output = event["usage"]["output_tokens"].as_u64().or(heard.output);
            if let Some(reason) = event["delta"]["stop_reason"].as_str() {
                let stop = match reason {
                    "max_tokens" | "model_context_window_exceeded" => Stop::Length,
                    "refusal" => Stop::Refused(reason.to_owned()),
                    "tool_use" => Stop::Tool("unnamed".to_owned()),
                    _ => Stop::Whole,
                };
                heard.stop.get_or_insert(stop);
            }
        }
        // What a later version of the format brings is passed over, as its description asks.
        _ => {}
    }
    Ok(())
}
