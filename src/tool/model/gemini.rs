//! Generated content: what is sent to Gemini, and what comes back.

use super::{Fit, Heard, Question, Said, Stop, asked::sent_name, fit::number, refusal};
use crate::Failure;
use cuelight_base::{ModelCall, OfferedTool, ToolAsked, ToolResult, ToolRound, Value};
use serde_json::json;

pub(super) fn question(model: &ModelCall, said: &[Said], fit: Option<&Fit>) -> Question {
    let turn = |said: &Said| match said {
        Said::Asked(text) => vec![json!({"role": "user", "parts": [{"text": text}]})],
        Said::Answered(text) => vec![json!({"role": "model", "parts": [{"text": text}]})],
        Said::Called(round) => called(round),
    };
    let contents: Vec<Value> = said.iter().flat_map(turn).collect();
    let mut config = json!({"maxOutputTokens": model.max_tokens});
    if let Some(temperature) = model.temperature.as_deref().and_then(number) {
        config["temperature"] = temperature;
    }
    // It takes either tools or a shape of the answer; which shape, it is told in words then.
    if let Some(fit) = fit.filter(|_| model.tools.is_empty()) {
        config["responseMimeType"] = "application/json".into();
        config["responseJsonSchema"] = fit.native().unwrap_or(fit.schema()).clone();
    }
    let mut body = json!({"contents": contents, "generationConfig": config});
    if let Some(system) = super::fit::system(model, fit) {
        body["systemInstruction"] = json!({"parts": [{"text": system}]});
    }
    if !model.tools.is_empty() {
        let tool = |tool: &OfferedTool| json!({"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.input});
        let tools: Vec<Value> = model.tools.iter().map(tool).collect();
        body["tools"] = json!([{"functionDeclarations": tools}]);
    }
    let path = format!("/models/{}:streamGenerateContent?alt=sse", model.model);
    Question { path, fields: &[], key: ("x-goog-api-key", ""), body }
}

/// An answer that asked for tools, and one message with what came of all of them.
fn called(round: &ToolRound) -> Vec<Value> {
    let text = (!round.text.is_empty()).then(|| json!({"text": round.text}));
    let call = |call: &ToolAsked| {
        let given = call.arguments.clone().unwrap_or_default();
        let mut part = json!({"functionCall": {"name": sent_name(&call.name), "args": given}});
        if let Some(own) = &call.own {
            part["thoughtSignature"] = own.as_str().into();
        }
        part
    };
    let said: Vec<Value> = text.into_iter().chain(round.calls.iter().map(call)).collect();
    let came = |(call, came): (&ToolAsked, &ToolResult)| {
        let key = if came.is_error { "error" } else { "output" };
        json!({"functionResponse": {"name": sent_name(&call.name), "response": {key: came.text}}})
    };
    let came: Vec<Value> = round.calls.iter().zip(&round.results).map(came).collect();
    vec![json!({"role": "model", "parts": said}), json!({"role": "user", "parts": came})]
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
    let written: Vec<u64> = written.iter().filter_map(|key| usage[*key].as_u64()).collect();
    if !written.is_empty() {
        heard.output = Some(written.iter().sum());
    }
    if let Some(why) = event["promptFeedback"]["blockReason"].as_str() {
        heard.stop = Some(Stop::Refused(why.to_owned()));
    }
    let candidate = &event["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        if let Some(name) = part["functionCall"]["name"].as_str() {
            let (call, place) = (&part["functionCall"], heard.calls.len() as u64);
            heard.calls.begin(place, call["id"].as_str().unwrap_or_default(), name);
            // It comes in one piece.
            let given = if call["args"].is_null() { json!({}) } else { call["args"].clone() };
            heard.calls.more(place, &given.to_string());
            if let Some(own) = part["thoughtSignature"].as_str() {
                heard.calls.own(own);
            }
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
