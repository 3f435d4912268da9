//! `models`: what steps can ask. Looks need no workspace.

use crate::{
    app::{
        args::{ModelsArgs, ModelsCommand},
        command::author::Disk,
        config::Config,
        exit::{Outcome, Trouble},
        output::{Output, say},
    },
    base::{Price, Value, safe_text},
    definition::{Files as _, Model, ModelRegistry},
    plan::Currency,
};
use std::{process::ExitCode, sync::Arc};

pub(super) fn models(config: &Config, out: Output, args: ModelsArgs) -> Outcome {
    let registry = ModelRegistry::new(&Disk::of(config)?.models());
    registry.problems().iter().for_each(|it| say(&it.text(false)));
    match args.command.unwrap_or(ModelsCommand::List { json: false }) {
        ModelsCommand::List { json } => list(&registry, out, json),
        ModelsCommand::Show { model, json } => {
            let model = found(&registry, &model)?;
            if json { out.json_pretty(&model_json(model)) } else { show(out, model) }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(registry: &ModelRegistry, out: Output, json: bool) {
    if json {
        out.json_pretty(&registry.all().map(|it| model_json(it)).collect());
        return;
    }
    let row = |it: &Arc<Model>| {
        let key = it.key.as_deref().unwrap_or("none");
        [&it.name, it.provider.word(), &it.model, key, &price(it.price), &it.origin].map(safe_text).to_vec()
    };
    let rows: Vec<Vec<String>> = registry.all().map(row).collect();
    out.table(&["MODEL", "PROVIDER", "ITS NAME THERE", "KEY", "A MILLION TOKENS", "STANDS IN"], &rows);
}

/// The model of that name, or the one that may have been meant.
fn found<'r>(registry: &'r ModelRegistry, wanted: &str) -> Result<&'r Arc<Model>, Trouble> {
    registry.find(wanted).ok_or_else(|| {
        let next = registry
            .near(wanted)
            .map_or_else(|| "`cuelight models` names all".to_owned(), |it| format!("did you mean {it}?"));
        Trouble::usage(format!("could not find the model {wanted}; {next}"))
    })
}

fn model_json(model: &Model) -> Value {
    let mut out = model.json();
    out["definition"] = model.hash().to_string().into();
    out["origin"] = model.origin.clone().into();
    out
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

fn rate_words(rate: &crate::base::RateRule) -> String {
    let calls =
        (rate.calls > 0).then(|| format!("{} calls in {}, {} at once", rate.calls, rate.per, rate.burst));
    let day = rate.per_day.map(|it| format!("{it} on one day"));
    calls.into_iter().chain(day).collect::<Vec<_>>().join("; ")
}

fn price(price: Option<Price>) -> String {
    price.map_or_else(
        || "no price known".to_owned(),
        |it| {
            let dollars = |amount| Currency::CostUsd.figure(amount);
            format!(
                "{} USD asked, {} USD answered",
                dollars(it.input_micro_usd),
                dollars(it.output_micro_usd)
            )
        },
    )
}
