//! Messages: what is sent to Anthropic, and what comes back.

use super::{Fit, Heard, Question, Said, Stop, asked::sent_name, fit::number, refusal};
use crate::Failure;
use cuelight_base::{ModelCall, OfferedTool, ToolAsked, ToolResult, ToolRound, Value};
use serde_json::json;

pub(super) fn question(model: &ModelCall, said: &[Said], fit: Option<&Fit>) -> Question {
    let turn = |said: &Said| match said {
        Said::Asked(text) => vec![json!({"role": "user", "content": text})],
        Said::Answered(text) => vec![json!({"role": "assistant", "content": text})],
        Said::Called(round) => called(round),
    };
    let messages: Vec<Value> = said.iter().flat_map(turn).collect();
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
    if !model.tools.is_empty() {
        let tool = |tool: &OfferedTool| json!({"name": tool.name, "description": tool.description, "input_schema": tool.input});
        body["tools"] = model.tools.iter().map(tool).collect();
    }
    Question {
        path: "/messages".to_owned(),
        fields: &[("anthropic-version", "2023-06-01")],
        key: ("x-api-key", ""),
        body,
    }
}

/// An answer that asked for tools, and one message with what came of all of them: it takes no other order.
fn called(round: &ToolRound) -> Vec<Value> {
    let text = (!round.text.trim().is_empty()).then(|| json!({"type": "text", "text": round.text}));
    let call = |call: &ToolAsked| {
        let given = call.arguments.clone().unwrap_or_default();
        json!({"type": "tool_use", "id": call.id, "name": sent_name(&call.name), "input": given})
    };
    let said: Vec<Value> = text.into_iter().chain(round.calls.iter().map(call)).collect();
    let came = |(call, came): (&ToolAsked, &ToolResult)| json!({"type": "tool_result", "tool_use_id": call.id, "content": came.text, "is_error": came.is_error});
    let came: Vec<Value> = round.calls.iter().zip(&round.results).map(came).collect();
    vec![json!({"role": "assistant", "content": said}), json!({"role": "user", "content": came})]
}

pub(super) fn hear(event: &Value, heard: &mut Heard) -> Result<(), Failure> {
    match event["type"].as_str().unwrap_or_default() {
        "error" => return Err(refusal::in_stream(event)),
        "message_start" => {
            let message = &event["message"];
            heard.answered_by = message["model"].as_str().map(str::to_owned);
            let usage = &message["usage"];
            let parts = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
            let told: Vec<u64> = parts.iter().filter_map(|part| usage[*part].as_u64()).collect();
            heard.input = (!told.is_empty()).then(|| told.iter().sum());
            heard.output = usage["output_tokens"].as_u64();
        }
        "content_block_start" if event["content_block"]["type"] == "tool_use" => {
            let block = &event["content_block"];
            let word = |name: &str| block[name].as_str().unwrap_or_default();
            heard.calls.begin(event["index"].as_u64().unwrap_or_default(), word("id"), word("name"));
        }
        "content_block_delta" if event["delta"]["type"] == "input_json_delta" => {
            let text = event["delta"]["partial_json"].as_str().unwrap_or_default();
            heard.calls.more(event["index"].as_u64().unwrap_or_default(), text);
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
                    "tool_use" => Stop::Tool(heard.calls.first().unwrap_or("unnamed").to_owned()),
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
