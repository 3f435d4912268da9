//! Chat completions: what is sent to `OpenAI` and to the many servers that speak as it does, and what comes back.

use super::{Fit, Heard, Question, Said, Stop, asked::sent_name, fit::number, refusal};
use crate::Failure;
use cuelight_base::{ModelCall, OfferedTool, Provider, ToolAsked, ToolRound, Value};
use serde_json::json;

pub(super) fn question(model: &ModelCall, said: &[Said], fit: Option<&Fit>) -> Question {
    let system = super::fit::system(model, fit);
    let system = system.map(|system| json!({"role": "system", "content": system}));
    let turn = |said: &Said| match said {
        Said::Asked(text) => vec![json!({"role": "user", "content": text})],
        Said::Answered(text) => vec![json!({"role": "assistant", "content": text})],
        Said::Called(round) => called(round),
    };
    let messages: Vec<Value> = system.into_iter().chain(said.iter().flat_map(turn)).collect();
    let mut body = json!({
        "model": model.model,
        "messages": messages,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    // The word that OpenAI wants now is unknown to servers that speak as it did.
    let is_openai = model.url == Provider::OpenAi.url();
    body[if is_openai { "max_completion_tokens" } else { "max_tokens" }] = model.max_tokens.into();
    if let Some(temperature) = model.temperature.as_deref().and_then(number) {
        body["temperature"] = temperature;
    }
    if !model.tools.is_empty() {
        let tool = |tool: &OfferedTool| {
            let about = json!({"name": tool.name, "description": tool.description, "parameters": tool.input});
            json!({"type": "function", "function": about})
        };
        body["tools"] = model.tools.iter().map(tool).collect();
    }
    // It takes objects only.
    if let Some(fit) = fit.filter(|fit| fit.schema()["type"] == "object") {
        let schema = fit.native().unwrap_or(fit.schema());
        body["response_format"] = json!({
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": fit.native().is_some(), "schema": schema},
        });
    }
    Question { path: "/chat/completions".to_owned(), fields: &[], key: ("authorization", "Bearer "), body }
}

/// An answer that asked for tools, and a message for each of what came of them.
fn called(round: &ToolRound) -> Vec<Value> {
    let call = |call: &ToolAsked| {
        let given = Value::Object(call.arguments.clone().unwrap_or_default()).to_string();
        json!({"id": call.id, "type": "function", "function": {"name": sent_name(&call.name), "arguments": given}})
    };
    let text = if round.text.is_empty() { Value::Null } else { round.text.as_str().into() };
    let calls: Vec<Value> = round.calls.iter().map(call).collect();
    let mut out = vec![json!({"role": "assistant", "content": text, "tool_calls": calls})];
    let came = round.calls.iter().zip(&round.results);
    out.extend(
        came.map(|(call, came)| json!({"role": "tool", "tool_call_id": call.id, "content": came.text})),
    );
    out
}

pub(super) fn hear(event: &Value, heard: &mut Heard) -> Result<(), Failure> {
    if event.get("error").is_some_and(|error| !error.is_null()) {
        return Err(refusal::in_stream(event));
    }
    if let Some(model) = event["model"].as_str().filter(|_| heard.answered_by.is_none()) {
        heard.answered_by = Some(model.to_owned());
    }
    let usage = &event["usage"];
    heard.input = usage["prompt_tokens"].as_u64().or(heard.input);
    heard.output = usage["completion_tokens"].as_u64().or(heard.output);
    let choice = &event["choices"][0];
    let delta = &choice["delta"];
    if let Some(text) = delta["content"].as_str() {
        heard.text.push_str(text);
    }
    for piece in delta["tool_calls"].as_array().into_iter().flatten() {
        let (id, function) = (piece["id"].as_str().unwrap_or_default(), &piece["function"]);
        let name = function["name"].as_str().filter(|name| !name.is_empty());
        // Some servers count nothing: what has a name begins, what has none goes on.
        let last = (heard.calls.len() as u64).saturating_sub(u64::from(name.is_none()));
        let place = piece["index"].as_u64().unwrap_or(last);
        if let Some(name) = name.filter(|_| heard.calls.is_new(place, id)) {
            heard.calls.begin(place, id, name);
        }
        if let Some(text) = function["arguments"].as_str() {
            heard.calls.more(place, text);
        }
    }
    if let Some(why) = delta["refusal"].as_str().filter(|refusal| !refusal.is_empty()) {
        // It comes in pieces; the first says enough.
        heard.stop.get_or_insert_with(|| Stop::Refused(why.to_owned()));
    }
    if let Some(reason) = choice["finish_reason"].as_str() {
        let stop = match reason {
            "length" => Stop::Length,
            "content_filter" => Stop::Refused(reason.to_owned()),
            "tool_calls" | "function_call" => Stop::Tool(heard.calls.first().unwrap_or("unnamed").to_owned()),
            _ => Stop::Whole,
        };
        heard.stop.get_or_insert(stop);
    }
    Ok(())
}
