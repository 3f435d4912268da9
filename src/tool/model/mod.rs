//! Asks one model one question and stays with it to the last word of the answer, which goes through the mask into the
//! spool as it comes; memory holds no more than an event of the stream and what becomes an output.
//!
//! Its address is judged in `http`, as for any request. The engine decides which model is asked when this one fails, and
//! whether it is asked again. No answer is ever done here: it is text, and a call that it asks for is an output.

mod anthropic;
mod asked;
mod fit;
mod gemini;
mod openai;
mod refusal;
mod stand_in;
mod stream;

pub(super) use stream::Events;

use self::{asked::Calls, fit::Fit};
use super::{
    Answer, Call, Ended, Failure, Host, Progress, Secret,
    http::{Exchange, Post},
    log::Log,
};
use cuelight_base::{
    FailureMode, Launch, MODEL_BYTES_MAX, MODEL_CALLS, MODEL_EVENT_BYTES_MAX, MODEL_TEXT_KEPT_BYTES_MAX,
    ModelCall, OUTPUT_BYTES_MAX, Provider, Span, ToolAsked, ToolRound, Value, ValueMap, counted, dollars,
    json_bytes, read_json, shorten, spread_answer, tokens_of,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Asks what a launch asks, and reads the answer until its end, its time, or somebody's wish.
pub async fn run_model(
    host: &Host,
    launch: &Launch,
    call: &Call,
    cancel: &CancellationToken,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Answer {
    let refused = |why: String| Answer::not_started(None, format!("could not start: {why}"));
    let Some(model) = &launch.model else { return refused("no model is named".to_owned()) };
    let (secrets, masker) = match host.secrets_of(launch) {
        Ok(secrets) => secrets,
        Err(why) => return refused(why),
    };
    let mut log = Log::new(&masker, host.spool(launch, call), &mut progress);
    let key = model.key.as_ref().and_then(|key| secrets.get(key));
    let place = call
        .traceparent
        .iter()
        .map(|traceparent| ("traceparent".to_owned(), traceparent.clone().into_bytes()));
    let mut talk = Talk {
        host,
        model,
        key,
        place: place.collect(),
        is_sent: false,
        is_known: false,
        retry_after: None,
        used: Used::default(),
    };
    let timer = sleep(launch.timeout.unwrap_or_default().to_std());
    let done = {
        let work = Box::pin(talk.perform(&mut log));
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Ended::Cancelled),
            done = work => Ok(done),
            () = timer, if launch.timeout.is_some() => {
                Err(Ended::TimedOut { after: launch.timeout.unwrap_or_default() })
            }
        }
    };
    let Talk { is_sent, is_known, retry_after, mut used, .. } = talk;
    if let Ok(Ok(_) | Err(_)) = &done
        && let Some(words) = used.words(model)
    {
        log.say(&words);
    }
    let spooled = log.finish();
    let (ended, mut outputs) = match done {
        Ok(Ok(outputs)) => (Ended::Exit(0), outputs),
        Ok(Err(error)) => {
            (Ended::Failed { mode: error.mode, message: masker.mask(&error.message) }, ValueMap::new())
        }
        Err(ended) => (ended, ValueMap::new()),
    };
    outputs.values_mut().for_each(|output| masker.mask_value(output));
    // What was used is counted whatever came of it, but for what was cut off: of that nobody knows. A question that reached
    // nobody, or was refused, has used nothing.
    used.is_told |= !used.is_begun && (!is_sent || is_known);
    if !is_sent || !matches!(ended, Ended::Cancelled | Ended::TimedOut { .. }) {
        used.tell(model, &mut outputs);
    }
    let may_have_happened = ended != Ended::Exit(0) && is_sent && !is_known;
    Answer { may_have_happened, retry_after, ..Answer::spooled(ended, outputs, spooled) }
}

/// One side of what was said so far.
enum Said {
    /// Our text of the question.
    Asked(String),
    /// Text of the model's answer.
    Answered(String),
    /// The model's, which asked for tools, and what came of that.
    Called(ToolRound),
}

/// A question in the format of a provider.
struct Question {
    /// Behind the address of the provider.
    path: String,
    fields: &'static [(&'static str, &'static str)],
    /// The field of the key, and what stands before the key in it.
    key: (&'static str, &'static str),
    body: Value,
}

/// The parts of an answer that have been received.
#[derive(Default)]
struct Heard {
    /// Text of the event at hand.
    text: String,
    /// Name of the model that answered, by its own account.
    answered_by: Option<String>,
    /// Tokens of the question, and of the answer.
    input: Option<u64>,
    output: Option<u64>,
    stop: Option<Stop>,
    calls: Calls,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stop {
    /// It was at its end.
    Whole,
    /// It had as many tokens as it may.
    Length,
    /// The provider or the model will not answer; its word for why.
    Refused(String),
    /// The model wants something done.
    Tool(String),
}

/// Tokens, as far as the provider has told.
#[derive(Clone, Copy, Default)]
struct Used {
    input: u64,
    output: u64,
    is_told: bool,
    /// An answer was read, to its end or not.
    is_begun: bool,
}

/// A complete answer of a model.
struct Whole {
    /// None when it is larger than what is kept.
    text: Option<String>,
    answered_by: Option<String>,
    stop: Stop,
    /// Tool calls that the model asks for. They are not made here: the engine makes steps of them.
    calls: Vec<ToolAsked>,
}

struct Talk<'a> {
    host: &'a Host,
    model: &'a ModelCall,
    key: Option<&'a Secret>,
    /// The field that says where in a trace it stands, where it stands in one.
    place: Vec<(String, Vec<u8>)>,
    /// True if a byte of the question may have reached the provider.
    is_sent: bool,
    /// True if the provider has reported the result.
    is_known: bool,
    retry_after: Option<Span>,
    used: Used,
}

impl Talk<'_> {
    async fn perform<P: FnMut(Progress<'_>) + Send>(
        &mut self,
        log: &mut Log<'_, P>,
    ) -> Result<ValueMap, Failure> {
        let fit = self.model.schema.as_ref().map(|schema| Fit::read(schema, self.model)).transpose()?;
        let mut said = vec![Said::Asked(self.model.prompt.clone())];
        said.extend(self.model.rounds.iter().cloned().map(Said::Called));
        let first = self.ask(&said, fit.as_ref(), log).await?;
        if !first.calls.is_empty() {
            return outputs(self.model, first, None, false);
        }
        let Some(fit) = &fit else { return outputs(self.model, first, None, false) };
        let wrong = match fit.value(&first) {
            Ok(value) => return outputs(self.model, first, Some(value), false),
            Err(wrong) => wrong,
        };
        if !wrong.can_be_mended {
            return Err(validation(&wrong.message));
        }
        log.say(&format!("— {}; it is asked once more —", wrong.message));
        said.push(Said::Answered(first.text.unwrap_or_default()));
        said.push(Said::Asked(fit.repair(&wrong.message)));
        let second = self.ask(&said, Some(fit), log).await?;
        if !second.calls.is_empty() {
            return outputs(self.model, second, None, true);
        }
        match fit.value(&second) {
            Ok(value) => outputs(self.model, second, Some(value), true),
            Err(wrong) => Err(validation(&format!(
                "{}, also when asked once more; both answers stand in the log",
                wrong.message
            ))),
        }
    }

    /// One question, one answer.
    async fn ask<P: FnMut(Progress<'_>) + Send>(
        &mut self,
        said: &[Said],
        fit: Option<&Fit>,
        log: &mut Log<'_, P>,
    ) -> Result<Whole, Failure> {
        let whole = match self.model.provider {
            Provider::StandIn => self.pretend(said, fit, log)?,
            Provider::OpenAi | Provider::Anthropic | Provider::Gemini => self.send(said, fit, log).await?,
        };
        log.say("");
        match &whole.stop {
            Stop::Refused(why) => {
                let message = format!(
                    "{} will not answer that ({}); ask it otherwise, or another model",
                    self.model.name,
                    shorten(why, 80)
                );
                Err(Failure { mode: FailureMode::AgentContract, message })
            }
            Stop::Tool(name) if self.model.tools.is_empty() => {
                let message = format!(
                    "{} asks for the tool `{}`, and a step offers none; nothing was done",
                    self.model.name,
                    shorten(name, 80)
                );
                Err(Failure { mode: FailureMode::AgentContract, message })
            }
            Stop::Tool(_) if whole.calls.is_empty() => {
                let message = format!(
                    "{} asks for a tool in a way that cannot be read; nothing was done",
                    self.model.name
                );
                Err(Failure { mode: FailureMode::AgentValidation, message })
            }
            _ if !whole.calls.is_empty() => {
                whole.calls.iter().for_each(|call| log.say(&asked_words(call)));
                Ok(whole)
            }
            Stop::Whole | Stop::Length
                if whole.text.as_deref().is_some_and(|text| text.trim().is_empty()) =>
            {
                Err(validation(&format!(
                    "{} answers nothing; ask it otherwise, or another model",
                    self.model.name
                )))
            }
            Stop::Whole | Stop::Length | Stop::Tool(_) => Ok(whole),
        }
    }

    /// An answer of nobody.
    fn pretend<P: FnMut(Progress<'_>) + Send>(
        &mut self,
        said: &[Said],
        fit: Option<&Fit>,
        log: &mut Log<'_, P>,
    ) -> Result<Whole, Failure> {
        log.say("stand-in: no model is asked, the answer is made up here");
        let calls = stand_in::calls(self.model).map_err(|why| validation(&why))?;
        if !calls.is_empty() {
            let (input, _) = self.model.expected_tokens();
            self.used.add(Some(input), Some(tokens_of(json_bytes(&calls))));
            self.is_known = true;
            let stop = Stop::Tool(calls[0].name.clone());
            return Ok(Whole {
                text: Some(String::new()),
                answered_by: Some("stand-in".to_owned()),
                stop,
                calls,
            });
        }
        let text = stand_in::answer(said, fit.map(Fit::schema)).map_err(|why| validation(&why))?;
        text.split_inclusive(' ').for_each(|word| log.take(word.as_bytes()));
        let (input, output) = self.model.expected_tokens();
        self.used.add(Some(input), Some(tokens_of(text.len()).min(output)));
        self.is_known = true;
        Ok(Whole {
            text: Some(text),
            answered_by: Some("stand-in".to_owned()),
            stop: Stop::Whole,
            calls: Vec::new(),
        })
    }

    /// Sends a question and reads the stream of its answer.
    async fn send<P: FnMut(Progress<'_>) + Send>(
        &mut self,
        said: &[Said],
        fit: Option<&Fit>,
        log: &mut Log<'_, P>,
    ) -> Result<Whole, Failure> {
        let question = match self.model.provider {
            Provider::Anthropic => anthropic::question(self.model, said, fit),
            Provider::Gemini => gemini::question(self.model, said, fit),
            Provider::OpenAi | Provider::StandIn => openai::question(self.model, said, fit),
        };
        let url = format!("{}{}", self.model.url, question.path);
        let post = Post {
            method: "POST",
            url: &url,
            fields: question.fields,
            own: &self.place,
            private: self.key.map(|key| (question.key.0, question.key.1, key)),
            accept: "text/event-stream",
            json: question.body.to_string().into_bytes(),
        };
        self.is_known = false;
        let mut exchange = Exchange::begin(self.host.http(), post, &mut self.is_sent).await?;
        let status = exchange.status();
        let reason = status
            .canonical_reason()
            .map_or(String::new(), |canonical_reason| format!(" {canonical_reason}"));
        log.say(&format!("{} at {}: {}{reason}", self.model.name, exchange.origin(), status.as_u16()));
        if let Some(plain) = exchange.refusal() {
            return Err(self.refused(&mut exchange, plain, log).await);
        }
        if exchange.kind() != "text/event-stream" {
            // It is an answer, and may have cost what an answer costs.
            (self.is_known, self.used.is_begun) = (true, true);
            let kind = shorten(exchange.kind(), 60);
            let message = format!(
                "{} answers with {kind:?}, where a stream of events was expected; see whether its address is right",
                exchange.origin()
            );
            return Err(Failure { mode: FailureMode::ResourceApi, message });
        }
        self.hear(&mut exchange, log).await
    }

    /// Reads the events of an answer to their end.
    async fn hear<P: FnMut(Progress<'_>) + Send>(
        &mut self,
        exchange: &mut Exchange,
        log: &mut Log<'_, P>,
    ) -> Result<Whole, Failure> {
        let (mut events, mut heard, mut bytes) = (Events::default(), Heard::default(), 0_u64);
        let mut text = Some(String::new());
        let (provider, name) = (self.model.provider, &self.model.name);
        let mut take = |data: &str, heard: &mut Heard| -> Result<bool, Failure> {
            if data == "[DONE]" {
                return Ok(true);
            }
            let event: Value = read_json(data).map_err(|why| {
                let what =
                    if why.is_data() { format!("cannot be read ({why})") } else { "is no JSON".to_owned() };
                let message =
                    format!("{name} sends an event that {what}: {}; see the other side", shorten(data, 80));
                Failure { mode: FailureMode::ResourceApi, message }
            })?;
            let heard_it = match provider {
                Provider::Anthropic => anthropic::hear(&event, heard),
                Provider::Gemini => gemini::hear(&event, heard),
                Provider::OpenAi | Provider::StandIn => openai::hear(&event, heard),
            };
            heard_it.map_err(|error| Failure { message: format!("{name} {}", error.message), ..error })?;
            if !heard.text.is_empty() {
                log.take(heard.text.as_bytes());
                text = text.take().filter(|text| text.len() + heard.text.len() <= MODEL_TEXT_KEPT_BYTES_MAX);
                if let Some(text) = &mut text {
                    text.push_str(&heard.text);
                }
                heard.text.clear();
            }
            Ok(false)
        };
        let mut done = Ok(false);
        while let (Ok(false), Some(stretch)) = (&done, exchange.next().await) {
            done = match stretch {
                Err(failure) => Err(failure),
                Ok(stretch) => {
                    bytes += stretch.len() as u64;
                    if bytes > MODEL_BYTES_MAX {
                        let message = format!("its answer has more than {MODEL_BYTES_MAX} bytes");
                        Err(Failure { mode: FailureMode::ResourceQuota, message })
                    } else {
                        events.take(&stretch, |data| take(data, &mut heard))
                    }
                }
            };
        }
        if matches!(done, Ok(false)) {
            done = events.finish(|data| take(data, &mut heard));
        }
        self.used.add(heard.input, heard.output);
        done?;
        let Some(stop) = heard.stop else {
            let message = format!(
                "{} ended the stream before the answer was at its end; see the network and the other side",
                exchange.origin()
            );
            return Err(Failure { mode: FailureMode::SystemNetwork, message });
        };
        self.is_known = true;
        let calls = heard.calls.finish(self.model.rounds.len());
        // Several servers that speak as OpenAI does call the end of a call the end of an answer.
        let stop = match (stop, calls.first()) {
            (Stop::Whole | Stop::Tool(_), Some(first)) => Stop::Tool(first.name.clone()),
            (stop, _) => stop,
        };
        Ok(Whole { text, answered_by: heard.answered_by, stop, calls })
    }

    /// Why it was refused, by what the provider says before what its status says.
    async fn refused<P: FnMut(Progress<'_>) + Send>(
        &mut self,
        exchange: &mut Exchange,
        plain: Failure,
        log: &mut Log<'_, P>,
    ) -> Failure {
        let mut body = Vec::new();
        while let Some(Ok(stretch)) = exchange.next().await {
            let left = MODEL_EVENT_BYTES_MAX - body.len();
            body.extend_from_slice(&stretch[..stretch.len().min(left)]);
            if body.len() == MODEL_EVENT_BYTES_MAX {
                break;
            }
        }
        log.take(&body);
        self.is_known = !exchange.is_unknown();
        let said = refusal::of(&body);
        self.retry_after = exchange.retry_after().or(said.retry_after);
        let (mode, status) = (said.mode.unwrap_or(plain.mode), exchange.status());
        let reason = status
            .canonical_reason()
            .map_or(String::new(), |canonical_reason| format!(" {canonical_reason}"));
        let words = said.message.as_deref().map(|message| shorten(message, 300));
        let words = words.map_or(String::new(), |words| format!(": {}", words.trim_end_matches(['.', ' '])));
        let advice = refusal::advice(mode, status.as_u16(), self.model, self.retry_after);
        let message = format!("{} answers {}{reason}{words}; {advice}", self.model.name, status.as_u16());
        Failure { mode, message }
    }
}

impl Used {
    /// Adds the tokens of one answer. A provider that reports neither number leaves the totals as they are.
    fn add(&mut self, input: Option<u64>, output: Option<u64>) {
        self.is_begun = true;
        if input.is_none() && output.is_none() {
            return;
        }
        self.is_told = true;
        self.input = self.input.saturating_add(input.unwrap_or(0));
        self.output = self.output.saturating_add(output.unwrap_or(0));
    }

    /// As outputs, where a budget reads them.
    fn tell(self, model: &ModelCall, outputs: &mut ValueMap) {
        if !self.is_told {
            return;
        }
        outputs.insert("tokens".to_owned(), self.input.saturating_add(self.output).into());
        outputs.insert("input-tokens".to_owned(), self.input.into());
        outputs.insert("output-tokens".to_owned(), self.output.into());
        if let Some(price) = model.price {
            outputs.insert("cost-usd".to_owned(), dollars(price.cost(self.input, self.output)).into());
        }
    }

    /// For people, at the end of the log.
    fn words(self, model: &ModelCall) -> Option<String> {
        let cost = model.price.map_or_else(
            || "no price known".to_owned(),
            |price| format!("{} USD", dollars(price.cost(self.input, self.output))),
        );
        let asked = counted(self.input, "token", "tokens");
        self.is_told.then(|| format!("— {asked} asked, {} answered, {cost} —", self.output))
    }
}

/// Outputs of a step from an answer.
fn outputs(
    model: &ModelCall,
    whole: Whole,
    value: Option<Value>,
    repaired: bool,
) -> Result<ValueMap, Failure> {
    let mut out = value.as_ref().map(spread_answer).unwrap_or_default();
    let finish = match whole.stop {
        Stop::Length => "length",
        Stop::Tool(_) => "tools",
        Stop::Whole | Stop::Refused(_) => "stop",
    };
    let text = whole.text.map_or(Value::Null, Value::String);
    let ours = [
        ("text", text),
        ("result", value.unwrap_or(Value::Null)),
        ("model", model.name.clone().into()),
        (
            "answered-by",
            whole.answered_by.map_or(Value::Null, |answered_by| shorten(&answered_by, 200).into()),
        ),
        ("finish", finish.into()),
        ("repaired", repaired.into()),
    ];
    out.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    if !model.tools.is_empty() {
        out.insert(MODEL_CALLS.to_owned(), serde_json::to_value(&whole.calls).unwrap_or_default());
    }
    // Escapes make a text longer than it was.
    if json_bytes(&out) > OUTPUT_BYTES_MAX {
        out.insert("text".to_owned(), Value::Null);
    }
    if json_bytes(&out) > OUTPUT_BYTES_MAX {
        return Err(validation("its answer is too large for what other steps could read; see it in the log"));
    }
    Ok(out)
}

/// A call that is asked for, for people.
fn asked_words(tool_asked: &ToolAsked) -> String {
    let given = match &tool_asked.arguments {
        Some(given) => shorten(&Value::Object(given.clone()).to_string(), 1000),
        None => format!("arguments that cannot be read: {}", tool_asked.unreadable),
    };
    format!("— asks for {}: {given} —", shorten(&tool_asked.name, 80))
}

fn validation(message: &str) -> Failure {
    Failure { mode: FailureMode::AgentValidation, message: message.to_owned() }
}
