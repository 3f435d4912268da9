//! All models that a workflow can ask, and how one is found: by name, by likeness, by what is wanted of it.

use super::Model;
use crate::{
    Diagnostic, Source,
    diagnostic::Findings,
    read::{Reader, model},
    spelling::suggest,
    yaml,
};
use cuelight_base::{FILE_BYTES_MAX, Hints, is_timezone};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

/// The descriptions of the models that are built in, by file.
const BUILT_IN: &[(&str, &str)] = &[
    ("claude-haiku.yaml", include_str!("built_in/claude-haiku.yaml")),
    ("claude-opus.yaml", include_str!("built_in/claude-opus.yaml")),
    ("claude-sonnet.yaml", include_str!("built_in/claude-sonnet.yaml")),
    ("gemini-flash.yaml", include_str!("built_in/gemini-flash.yaml")),
    ("gemini-pro.yaml", include_str!("built_in/gemini-pro.yaml")),
    ("gpt-mini.yaml", include_str!("built_in/gpt-mini.yaml")),
    ("gpt.yaml", include_str!("built_in/gpt.yaml")),
    ("stand-in.yaml", include_str!("built_in/stand-in.yaml")),
];

static OURS: LazyLock<Vec<Arc<Model>>> = LazyLock::new(|| {
    let read = |(file, text): &(&str, &str)| {
        let (model, findings) = read_model(file, text);
        let model = model.unwrap_or_else(|| panic!("fault: {file}: {findings:?}"));
        Arc::new(Model { origin: ORIGIN.to_owned(), ..model })
    };
    BUILT_IN.iter().map(read).collect()
});

/// The origin of built-in descriptions.
const ORIGIN: &str = "built in";

/// The models of a workspace and those that are built in. One of the workspace takes the place of ours of the same name.
#[derive(Clone, Debug, Default)]
pub struct ModelRegistry {
    models: BTreeMap<String, Arc<Model>>,
    problems: Vec<Diagnostic>,
}

impl ModelRegistry {
    /// The built-in models and those that these files describe. Each file is a name and its text, or why the
    /// text could not be read.
    pub fn new(files: &[(String, Result<String, String>)]) -> Self {
        let mut models: BTreeMap<String, Arc<Model>> =
            OURS.iter().map(|item| (item.name.clone(), Arc::clone(item))).collect();
        let mut problems = Vec::new();
        for (file, text) in files {
            let (model, findings) = match text {
                Ok(text) => read_model(file, text),
                Err(why) => {
                    let message = format!("could not read {file}: {why}");
                    (None, vec![Diagnostic::whole_file("model", file, message)])
                }
            };
            problems.extend(findings);
            let Some(model) = model else { continue };
            let other = models.get(&model.name).filter(|model| model.origin != ORIGIN);
            if let Some(other) = other {
                let message = format!(
                    "{} is described twice: here and in {}; give this one another name",
                    model.name, other.origin
                );
                problems.push(Diagnostic::whole_file("model", file, message));
            } else {
                models.insert(model.name.clone(), Arc::new(model));
            }
        }
        Self { models, problems }
    }

    /// With the days of models that name no zone beginning as they do here.
    #[must_use]
    pub fn in_zone(mut self, timezone: &str) -> Self {
        if !is_timezone(timezone) {
            let message = format!("could not find the time zone {timezone:?}; write UTC or Europe/Paris");
            self.problems.push(Diagnostic::whole_file("model", "config.toml", message));
            return self;
        }
        for model in self.models.values_mut() {
            if model.rate.as_ref().is_some_and(|rate| rate.timezone.is_empty()) {
                let rate = Arc::make_mut(model).rate.as_mut().expect("it was just seen");
                timezone.clone_into(&mut rate.timezone);
            }
        }
        self
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values()
    }

    /// The findings in the files; a model with errors is not in the registry.
    pub fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }

    /// The one of this name.
    pub fn find(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.get(name)
    }

    /// The one that may have been meant.
    pub fn near(&self, name: &str) -> Option<&str> {
        suggest(name, self.models.keys().map(String::as_str))
    }

    /// The models to ask when a step names none, the best first. These are the models of the workspace, or
    /// all built-in ones if it describes none. The stand-in is used only when it is named.
    pub fn for_hints(&self, wanted: Hints) -> Vec<Arc<Model>> {
        let real = || self.models.values().filter(|model| model.is_real());
        let mut own: Vec<Arc<Model>> = real().filter(|model| model.origin != ORIGIN).cloned().collect();
        if own.is_empty() {
            own = real().cloned().collect();
        }
        own.sort_by_key(|model| wanted.distance(model.hints));
        own
    }
}

/// One description. There is a model exactly when no finding is an error.
fn read_model(file: &str, text: &str) -> (Option<Model>, Vec<Diagnostic>) {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("{file} has more than {FILE_BYTES_MAX} bytes");
        return (None, vec![Diagnostic::whole_file("too-large", file, message)]);
    }
    let source = Source::new(text);
    let mut findings = Findings::new(file, &source);
    let model = yaml::parse(&mut findings).and_then(|root| model(&mut Reader::new(&mut findings), &root));
    let has_errors = findings.has_errors();
    (model.filter(|_| !has_errors), findings.finish())
}
