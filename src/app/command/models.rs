//! `models`: what steps can ask. Looks need no workspace; a test asks one model as a step would, without a run.

use crate::{
    command::author::Disk,
    config::Config,
    exit::{FAILED, Outcome, Trouble},
    output::{Output, say},
    wiring::outside,
};
use clap::{Args, Subcommand};
use cuelight_base::{Launch, Price, Span, Value, safe_text};
use cuelight_definition::{Files as _, Model, ModelRegistry};
use cuelight_plan::{Currency, ModelWork, PlanModel};
use cuelight_tool::{Progress, run_model};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, process::ExitCode, sync::Arc};
use tokio_util::sync::CancellationToken;

/// A model, as `model list --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Model")]
pub(super) struct ModelAnswer {
    /// The description that its hash is made of.
    #[serde(flatten)]
    #[schemars(with = "BTreeMap<String, Value>")]
    described: Value,
    /// The hash of its definition.
    definition: String,
    /// The file that it stands in.
    origin: String,
}

#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    pub(super) command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List models: built in, and described in .cuelight/models
    #[command(after_help = "Example: cuelight model list --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one model with its provider, its price and its rate limits
    #[command(after_help = "Example: cuelight model show claude-sonnet")]
    Show {
        /// Its name
        model: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask a model outside a run, to check its key, its answer and its price
    #[command(after_help = "Example: cuelight model test claude-haiku --prompt \"Are you there?\"")]
    Test(ModelsTestArgs),
}

#[derive(Debug, Args)]
pub(super) struct ModelsTestArgs {
    /// Its name
    pub(super) model: String,
    /// Text that is sent to the model
    #[arg(long, default_value = "Answer with the one word: ready", value_name = "TEXT")]
    pub(super) prompt: String,
    /// Tokens of the answer
    #[arg(long, default_value_t = 500, value_name = "COUNT")]
    pub(super) max_tokens: u32,
    /// Timeout
    #[arg(long, default_value = "60s", value_name = "60s")]
    pub(super) timeout: Span,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn models(config: &Config, out: Output, args: ModelsArgs) -> Outcome {
    let registry = ModelRegistry::new(&Disk::of(config)?.models());
    registry.problems().iter().for_each(|problem| say(&problem.text(false)));
    match args.command.unwrap_or(ModelsCommand::List { json: false }) {
        ModelsCommand::List { json } => list(&registry, out, json),
        ModelsCommand::Test(args) => return test(config, &registry, out, &args).await,
        ModelsCommand::Show { model, json } => {
            let model = found(&registry, &model)?;
            if json { out.json_pretty(&ModelAnswer::of(model)) } else { show(out, model) }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks one model as a step would: the same address, key, checks and limits, and no run.
async fn test(config: &Config, registry: &ModelRegistry, out: Output, args: &ModelsTestArgs) -> Outcome {
    let model = found(registry, &args.model)?;
    let work = ModelWork {
        model: model.name.clone(),
        why: String::new(),
        system: None,
        prompt: args.prompt.clone(),
        schema: None,
        temperature: None,
        max_tokens: Some(args.max_tokens.max(1)),
    };
    let asked = PlanModel::of(model)
        .call(&work, None, args.prompt.clone())
        .map_err(|error| Trouble::usage(format!("could not test: {error}")))?;
    let launch = Launch {
        timeout: Some(args.timeout),
        model: Some(Box::new(asked)),
        ..Launch::of(["ask", model.name.as_str()])
    };
    let (host, call) = outside(config, &model.name)?;
    let show = |progress: Progress<'_>| {
        if !args.json {
            let text = String::from_utf8_lossy(progress.bytes);
            let lines: Vec<String> = text.split('\n').map(safe_text).collect();
            out.raw(lines.join("\n").as_bytes());
        }
    };
    let answer = run_model(&host, &launch, &call, &CancellationToken::new(), show).await;
    // Nobody looks for the output of a test later; a directory that stays is only in the way.
    drop(std::fs::remove_dir_all(&call.attempt_dir));
    if let Some(failure) = answer.failure() {
        say(&format!("{} failed ({}): {}", model.name, failure.mode.word(), failure.message));
        return Ok(ExitCode::from(FAILED));
    }
    if args.json {
        out.json_pretty(&Value::Object(answer.outputs));
    } else {
        say(&format!("{} answers", model.name));
    }
    Ok(ExitCode::SUCCESS)
}

fn list(registry: &ModelRegistry, out: Output, json: bool) {
    if json {
        out.json_pretty(&registry.all().map(|model| ModelAnswer::of(model)).collect::<Vec<_>>());
        return;
    }
    let row = |model: &Arc<Model>| {
        let key = model.key.as_deref().unwrap_or("none");
        [&model.name, model.provider.word(), &model.model, key, &price(model.price), &model.origin]
            .map(safe_text)
            .to_vec()
    };
    let rows: Vec<Vec<String>> = registry.all().map(row).collect();
    out.table(&["MODEL", "PROVIDER", "ITS NAME THERE", "KEY", "A MILLION TOKENS", "STANDS IN"], &rows);
}

/// The model of that name, or the one that may have been meant.
fn found<'r>(registry: &'r ModelRegistry, wanted: &str) -> Result<&'r Arc<Model>, Trouble> {
    registry.find(wanted).ok_or_else(|| {
        let next = registry
            .near(wanted)
            .map_or_else(|| "`cuelight model` names all".to_owned(), |text| format!("did you mean {text}?"));
        Trouble::usage(format!("could not find the model {wanted}; {next}"))
    })
}

impl ModelAnswer {
    fn of(model: &Model) -> Self {
        Self { described: model.json(), definition: model.hash().to_string(), origin: model.origin.clone() }
    }
}

fn show(out: Output, model: &Model) {
    let line = |name: &str, text: &str| {
        if !text.is_empty() {
            out.line(&format!("{name:<13} {}", safe_text(text)));
        }
    };
    line("model", &model.name);
    line("is", &model.description);
    line("provider", model.provider.word());
    line("its name there", &model.model);
    line("address", &model.url);
    line("key", model.key.as_deref().unwrap_or("none"));
    line("costs", &price(model.price));
    line("answers with", &format!("at most {} tokens, where a step says nothing", model.max_tokens));
    line("hints", &model.hints.words());
    if let Some(rate) = &model.rate {
        line("takes", &rate_words(rate));
    }
    line("stands in", &model.origin);
    line("definition", &model.hash().to_string());
}

fn rate_words(rate: &cuelight_base::RateRule) -> String {
    let calls =
        (rate.calls > 0).then(|| format!("{} calls in {}, {} at once", rate.calls, rate.per, rate.burst));
    let day = rate.per_day.map(|per_day| format!("{per_day} on one day"));
    calls.into_iter().chain(day).collect::<Vec<_>>().join("; ")
}

fn price(price: Option<Price>) -> String {
    price.map_or_else(
        || "no price known".to_owned(),
        |price| {
            let dollars = |amount| Currency::CostUsd.figure(amount);
            format!(
                "{} USD asked, {} USD answered",
                dollars(price.input_micro_usd),
                dollars(price.output_micro_usd)
            )
        },
    )
}
