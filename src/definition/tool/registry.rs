//! All tools that a workflow can use, or all agents it can give work to, and how one is found: by name and version, by likeness, by
//! what is to be done. Tools and agents are never on one shelf: no tool takes a task, and no agent is used unasked.

use super::{Tool, parts};
use crate::{
    Diagnostic, Source,
    diagnostic::Findings,
    read::{Reader, agent, tool},
    spelling::suggest,
    yaml,
};
use cuelight_base::{AGENT_PREFIX, FILE_BYTES_MAX, is_timezone};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

/// Tools that are named when a wanted one is not there.
const SUGGESTIONS_MAX: usize = 3;

/// The descriptions of the tools that are built in, by file.
const BUILT_IN: &[(&str, &str)] = &[
    ("approve.wait.yaml", include_str!("built_in/approve.wait.yaml")),
    ("file.checksum.yaml", include_str!("built_in/file.checksum.yaml")),
    ("file.read.yaml", include_str!("built_in/file.read.yaml")),
    ("file.write.yaml", include_str!("built_in/file.write.yaml")),
    ("git.status.yaml", include_str!("built_in/git.status.yaml")),
    ("git.tag.yaml", include_str!("built_in/git.tag.yaml")),
    ("http.get.yaml", include_str!("built_in/http.get.yaml")),
    ("http.post.yaml", include_str!("built_in/http.post.yaml")),
    ("json.query.yaml", include_str!("built_in/json.query.yaml")),
    ("json.validate.yaml", include_str!("built_in/json.validate.yaml")),
    ("notify.desktop.yaml", include_str!("built_in/notify.desktop.yaml")),
    ("notify.webhook.yaml", include_str!("built_in/notify.webhook.yaml")),
    ("shell.yaml", include_str!("built_in/shell.yaml")),
    ("sqlite.query.yaml", include_str!("built_in/sqlite.query.yaml")),
    ("template.render.yaml", include_str!("built_in/template.render.yaml")),
];

static OURS: LazyLock<Vec<Arc<Tool>>> = LazyLock::new(|| {
    let read = |(file, text): &(&str, &str)| {
        let (tool, findings) = read_one(Shelf::Tools, file, text);
        let tool = tool.unwrap_or_else(|| panic!("fault: {file}: {findings:?}"));
        Arc::new(Tool { origin: ORIGIN.to_owned(), ..tool })
    };
    BUILT_IN.iter().map(read).collect()
});

/// The origin of built-in tools.
const ORIGIN: &str = "built in";

/// The files of the tools that are built in: name and text.
pub fn built_in_sources() -> &'static [(&'static str, &'static str)] {
    BUILT_IN
}

/// The content of a registry: tools or agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shelf {
    #[default]
    Tools,
    Agents,
}

impl Shelf {
    /// The word for one of them; also the rule that is broken where one is not as it should be.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Tools => "tool",
            Self::Agents => "agent",
        }
    }

    /// A name as files write it.
    pub(crate) fn called(self, name: &str) -> &str {
        match self {
            Self::Tools => name,
            Self::Agents => name.strip_prefix(AGENT_PREFIX).unwrap_or(name),
        }
    }
}

/// The tools of a workspace and those that are built in; or its agents.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    shelf: Shelf,
    /// By name, then the newest version first.
    tools: Vec<Arc<Tool>>,
    problems: Vec<Diagnostic>,
}

impl Registry {
    /// The built-in tools and those that these files describe. Each file is a name and its text, or why the
    /// text could not be read.
    pub fn new(files: &[(String, Result<String, String>)]) -> Self {
        Self::of(Shelf::Tools, &OURS, files)
    }

    /// The agents that these files describe. None is built in.
    pub fn of_agents(files: &[(String, Result<String, String>)]) -> Self {
        Self::of(Shelf::Agents, &[], files)
    }

    fn of(shelf: Shelf, ours: &[Arc<Tool>], files: &[(String, Result<String, String>)]) -> Self {
        let mut tools: BTreeMap<(String, _), Arc<Tool>> = BTreeMap::new();
        let mut problems = Vec::new();
        let key = |tool: &Tool| (tool.name.clone(), std::cmp::Reverse(tool.version));
        tools.extend(ours.iter().map(|tool| (key(tool), Arc::clone(tool))));
        for (file, text) in files {
            let (tool, findings) = match text {
                Ok(text) => read_one(shelf, file, text),
                Err(why) => {
                    let message = format!("could not read {file}: {why}");
                    (None, vec![Diagnostic::whole_file(shelf.word(), file, message)])
                }
            };
            problems.extend(findings);
            let Some(tool) = tool else { continue };
            if let Some(other) = tools.get(&key(&tool)) {
                let message = format!(
                    "{} is described twice: here and in {}; give this one another name or version",
                    tool.id(),
                    other.origin
                );
                problems.push(Diagnostic::whole_file(shelf.word(), file, message));
            } else {
                tools.insert(key(&tool), Arc::new(tool));
            }
        }
        Self { shelf, tools: tools.into_values().collect(), problems }
    }

    /// The content of this registry: tools or agents.
    pub(crate) const fn shelf(&self) -> Shelf {
        self.shelf
    }

    /// With the days of tools that name no zone beginning as they do here.
    #[must_use]
    pub fn in_zone(mut self, timezone: &str) -> Self {
        if !is_timezone(timezone) {
            let message = format!("could not find the time zone {timezone:?}; write UTC or Europe/Paris");
            self.problems.push(Diagnostic::whole_file(self.shelf.word(), "config.toml", message));
            return self;
        }
        for tool in &mut self.tools {
            if tool.rate.as_ref().is_some_and(|rate| rate.timezone.is_empty()) {
                let rate = Arc::make_mut(tool).rate.as_mut().expect("it was just seen");
                timezone.clone_into(&mut rate.timezone);
            }
        }
        self
    }

    /// All of them, by name, the newest version first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.iter()
    }

    /// The findings in the files; a tool with errors is not in the registry.
    pub fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }

    /// The newest version that `name@1`, `name@1.2`, `name@1.2.3` or `name` asks for; `mcp:files/read` is the tool `files.read`.
    pub fn find(&self, wanted: &str) -> Option<&Arc<Tool>> {
        let of_server = wanted.strip_prefix("mcp:").map(|rest| rest.replacen('/', ".", 1));
        let (name, version) = split(of_server.as_deref().unwrap_or(wanted))?;
        self.tools.iter().find(|tool| tool.answers(name, &version))
    }

    /// The newest version of every tool that can do all of this, by name.
    pub fn able(&self, wants: &[&str]) -> Vec<&Arc<Tool>> {
        let can = |tool: &Arc<Tool>| wants.iter().all(|word| tool.capabilities.iter().any(|has| has == word));
        let mut able: Vec<&Arc<Tool>> = self.tools.iter().filter(|tool| can(tool)).collect();
        able.dedup_by(|later, first| later.name == first.name);
        able
    }

    /// All that any tool says it can do.
    pub fn capabilities(&self) -> BTreeSet<&str> {
        self.tools.iter().flat_map(|tool| &tool.capabilities).map(String::as_str).collect()
    }

    /// At most three tools that may have been meant: nearly the same name first, then others of its category.
    pub fn near(&self, wanted: &str) -> Vec<&Arc<Tool>> {
        let name = wanted.split('@').next().unwrap_or(wanted);
        let mut found: Vec<&Arc<Tool>> = Vec::new();
        if let Some(near) = suggest(name, self.tools.iter().map(|tool| tool.name.as_str())) {
            found.extend(self.tools.iter().find(|tool| tool.name == near));
        }
        let words: Vec<&str> = name.split(['.', '-', '_', '/']).filter(|part| !part.is_empty()).collect();
        let category =
            found.first().map_or_else(|| words.first().copied().unwrap_or(""), |tool| &tool.category);
        let mut others: Vec<(u32, &Arc<Tool>)> = Vec::new();
        for tool in &self.tools {
            let of_category = tool.category == category || tool.name.split('.').next() == Some(category);
            let shared = words.iter().any(|word| word.len() > 2 && tool.name.contains(word));
            let score = 2 * u32::from(of_category) + u32::from(shared);
            if score > 0 {
                others.push((score, tool));
            }
        }
        others.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        for (_, tool) in others {
            if found.len() < SUGGESTIONS_MAX && !found.iter().any(|other| other.name == tool.name) {
                found.push(tool);
            }
        }
        found
    }

    /// Tools for a task in words, the best first: a word in the name counts twice, in the description and category once.
    pub fn for_task(&self, task: &str) -> Vec<(u32, &Arc<Tool>)> {
        let task = task.to_lowercase();
        let words: Vec<&str> =
            task.split(|c: char| !c.is_alphanumeric()).filter(|part| part.len() > 1).collect();
        let score = |tool: &Tool| {
            let (name, about) = (tool.name.to_lowercase(), tool.description.to_lowercase());
            let of = |word: &&str| {
                2 * u32::from(name.contains(*word))
                    + u32::from(about.contains(*word))
                    + u32::from(tool.category == *word)
            };
            words.iter().map(of).sum::<u32>()
        };
        let mut found: Vec<(u32, &Arc<Tool>)> =
            self.tools.iter().map(|tool| (score(tool), tool)).filter(|pair| pair.0 > 0).collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found
    }
}

/// Name and the numbers that are said of a version.
fn split(wanted: &str) -> Option<(&str, Vec<u32>)> {
    match wanted.split_once('@') {
        None => Some((wanted, Vec::new())),
        Some((name, version)) => Some((name, parts(version)?)),
    }
}

/// One description. There is a tool exactly when no finding is an error.
fn read_one(shelf: Shelf, file: &str, text: &str) -> (Option<Tool>, Vec<Diagnostic>) {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("{file} has more than {FILE_BYTES_MAX} bytes");
        return (None, vec![Diagnostic::whole_file("too-large", file, message)]);
    }
    let source = Source::new(text);
    let mut findings = Findings::new(file, &source);
    let tool = yaml::parse(&mut findings).and_then(|root| {
        let reader = &mut Reader::new(&mut findings);
        match shelf {
            Shelf::Tools => tool(reader, &root),
            Shelf::Agents => agent(reader, &root),
        }
    });
    let has_errors = findings.has_errors();
    (tool.filter(|_| !has_errors), findings.finish())
}
