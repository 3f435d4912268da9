//! `.cuelight/config.toml`: the settings of a workspace and their permitted values. `config` applies them.

use super::{args::LogFormat, exit::Trouble};
use cuelight_base::{Span, Value, is_agent_type, safe_text};
use cuelight_definition::suggest;
use cuelight_gateway::{Permission, Places, Rate, Rates, SpawnRule, TOKEN_LIFE_MAX};
use cuelight_store::Workspace;
use cuelight_tool::check_address;
use schemars::{JsonSchema, schema_for};
use serde_json::json;
use std::{collections::BTreeMap, io, ops::RangeInclusive, path::PathBuf, time::Duration};

/// Default of the time in which a request to the API must be sent completely.
const PATIENCE: Duration = Duration::from_secs(30);
/// Permitted values of `request-timeout`.
const PATIENCES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(10);

/// Connections to the API that there can be.
const CONNECTIONS: RangeInclusive<usize> = 10..=20_000;
/// Bytes of contexts that can be kept at most.
const CONTEXT_CACHE_MOST: u64 = 16 << 30;

/// The settings in `config.toml` of a workspace.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Settings {
    /// The name of the environment that the workspace belongs to: `environment = "PROD"`.
    pub(super) environment: String,
    /// The project that its things belong to: `project = "shop"`; the name of its directory when nothing is said.
    pub(super) project: Option<String>,
    /// True if `/status` and `/metrics` are shown without a token. By default true only if the engine listens
    /// on this machine alone.
    pub(super) open_status: Option<bool>,
    /// Requests of each type of agent, in a minute and at once: `rates = {qa = "60/10", architect = "unlimited"}`.
    pub(super) rates: BTreeMap<String, String>,
    /// Rules for agents that are started over HTTP: `[spawn.coder]` with `gate`, `require`, `permissions` …
    pub(super) spawn: BTreeMap<String, SpawnSettings>,
    /// The URL at which started agents reach the engine, if it differs from the listening address:
    /// `agents-url = "https://cue.example.org:3001"`.
    pub(super) agents_url: Option<String>,
    /// The time in which a request to the API must be sent, and for which a connection may be silent:
    /// `request-timeout = "30s"`.
    pub(super) request_timeout: Option<String>,
    /// Limits of connections at once: `[connections]` with `most`, `waiting`, `waiting-of-project` and
    /// `waiting-of-principal`.
    pub(super) connections: ConnectionSettings,
    /// The time for which results of agents stay available: `results-kept = "30d"`.
    pub(super) results_kept: Option<String>,
    /// The types of agents that continue after a type: `next-agents = {coding = ["qa", "security"]}`.
    pub(super) next_agents: BTreeMap<String, Vec<String>>,
    /// The log format of an engine without a screen: `log-format = "json"`.
    pub(super) log_format: Option<LogFormat>,
    /// Bytes of contexts of agents that are kept for the next request: `context-cache = "256MiB"`.
    pub(super) context_cache: Option<String>,
    /// The collector for traces: `[traces]` with `endpoint`, `headers` and `service`.
    pub(super) traces: TraceSettings,
    /// The rules for messages by topic: `[topics."review/done"]` with `about`, `schema` (a file) and
    /// `signed`.
    pub(super) topics: BTreeMap<String, TopicSettings>,
    /// Variables that steps inherit as well: `pass-env = ["SSH_AUTH_SOCK"]`.
    pub(super) pass_env: Vec<String>,
    /// When there are any, requests go to these hosts alone: `http-hosts = ["api.example.com", "*.example.org"]`.
    pub(super) http_hosts: Vec<String>,
    /// Addresses that requests may go to although they are not public: `http-private = ["127.0.0.1:8080"]`.
    pub(super) http_private: Vec<String>,
    /// A file of certificates in PEM whose signatures count beside those of the system.
    pub(super) http_authorities: Option<PathBuf>,
}

/// The settings in `config.toml` for connections to the API.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ConnectionSettings {
    /// Connections at once, 1,000 when nothing is said.
    most: Option<usize>,
    /// Connections at once that wait for an event; by default nine of ten.
    waiting: Option<usize>,
    /// Waiting connections of one project; by default half of all waiting ones.
    waiting_of_project: Option<usize>,
    /// Waiting connections of one principal; by default 100.
    waiting_of_principal: Option<usize>,
}

/// The settings in `config.toml` for traces.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TraceSettings {
    /// A collector of OpenTelemetry: `http://127.0.0.1:4318`.
    pub(super) endpoint: Option<String>,
    /// Header fields, each with the name of the secret that is its value.
    pub(super) headers: BTreeMap<String, String>,
    /// The service name in traces; `cuelight` by default.
    pub(super) service: Option<String>,
}

/// The settings in `config.toml` for agents of one type that are started over HTTP.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SpawnSettings {
    /// True if a gate asks people before an agent starts; true by default.
    pub(super) gate: Option<bool>,
    /// The groups that must approve, each as `sre`, or as `sre:2` for two approvers.
    pub(super) require: Vec<String>,
    /// True if the requester of an agent may not approve its start.
    pub(super) four_eyes: bool,
    /// The permissions of the agent's token.
    pub(super) permissions: Option<Vec<Permission>>,
    /// The lifetime of the agent's token, at most a day: `token-life = "1h"`.
    pub(super) token_life: Option<String>,
    /// Names of variables that the caller who asks for it may set.
    pub(super) environment: Vec<String>,
    /// The number of agents of this type that may run at once.
    pub(super) at_most: Option<usize>,
}

/// The settings in `config.toml` for one topic.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TopicSettings {
    /// The subject of the topic, for people.
    pub(super) about: String,
    /// A file: the JSON Schema that what is said has to fit.
    pub(super) schema: Option<PathBuf>,
    /// True if every message on the topic must be signed.
    pub(super) signed: bool,
}

/// The JSON Schema of `config.toml`, for editors, and for the search for words that nobody reads.
pub(super) fn settings_schema() -> Value {
    let mut schema = schema_for!(Settings).to_value();
    schema["title"] = json!("cuelight settings");
    schema["additionalProperties"] = json!(false);
    // These are read where the files of a workspace are found.
    for (name, about) in [
        ("labels", "What this machine is, for steps that require it: `labels = [\"gpu\"]`."),
        ("capabilities", "What this machine can do, for steps that require it: `capabilities = [\"tpm\"]`."),
    ] {
        schema["properties"][name] =
            json!({"type": "array", "items": {"type": "string"}, "description": about});
    }
    let about = "The time zone in which days begin, an IANA name; UTC when nothing is said: `timezone = \"Europe/Paris\"`.";
    schema["properties"]["timezone"] = json!({"type": "string", "description": about});
    schema
}

impl Settings {
    /// Words of `config.toml` that mean nothing, since nobody reads them; and what may have been meant by each.
    pub(super) fn unknown(workspace: &Workspace) -> Vec<(String, Option<String>)> {
        let text = workspace.read_text(&workspace.config()).unwrap_or_default();
        let said: toml::Table = toml::from_str(&text).unwrap_or_default();
        let schema = settings_schema();
        let known: Vec<&str> =
            schema["properties"].as_object().into_iter().flatten().map(|(word, _)| word.as_str()).collect();
        let unknown = said.into_iter().map(|(word, _)| word).filter(|word| !known.contains(&word.as_str()));
        unknown
            .map(|word| {
                let meant = suggest(&word, known.iter().copied()).map(str::to_owned);
                (word, meant)
            })
            .collect()
    }

    pub(super) fn of(workspace: &Workspace) -> Result<Self, Trouble> {
        let path = workspace.config();
        let failed = |why: String| Trouble::usage(format!("could not read {}: {why}", path.display()));
        let text = match workspace.read_text(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| failed(error.to_string()))?,
        };
        toml::from_str(&text).map_err(|error| failed(error.to_string()))
    }

    /// The environment name of the workspace: `environment = "PROD"` in its `config.toml`, else `LOCAL`.
    pub(super) fn environment_of(workspace: &Workspace) -> Result<String, Trouble> {
        let named = Self::of(workspace)?.environment;
        Ok(if named.is_empty() { "LOCAL".to_owned() } else { named })
    }

    /// The settings that would keep an engine from starting, one trouble each.
    pub(super) fn refused(&self, workspace: &Workspace) -> Vec<Trouble> {
        [
            self.rates(workspace).err(),
            self.spawn(workspace).err(),
            self.agents_url(workspace).err(),
            self.places(workspace).err(),
            self.patience(workspace).err(),
            self.results_kept(workspace).err(),
            self.context_cache(workspace).err(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Warnings about `[spawn]` settings without effect: agents that no file here describes, and variables
    /// that nobody can set.
    pub(super) fn idle_spawn(&self, known: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut told = Vec::new();
        for (name, said) in &self.spawn {
            let shown = safe_text(name);
            if !known(name) {
                told.push(format!(
                    "[spawn.{shown}] is of no agent: there is no `.cuelight/agents/{shown}.yaml` that describes one of that name; write it, or take this out"
                ));
            }
            for variable in said.environment.iter().filter(|name| SpawnRule::is_never_set(name)) {
                let variable = safe_text(variable);
                told.push(format!(
                    "`environment` of [spawn.{shown}] allows {variable}, and nobody who asks can ever set that; take it out"
                ));
            }
        }
        told
    }

    /// Requests of each type of agent.
    pub(super) fn rates(&self, workspace: &Workspace) -> Result<Rates, Trouble> {
        let mut rates = Rates::default();
        for (kind, said) in &self.rates {
            let rate = rate(said).ok_or_else(|| {
                let path = workspace.config();
                Trouble::usage(format!(
                    "could not read the rate of {kind:?} in {}: write 60/10 (a minute, at once) or unlimited",
                    path.display()
                ))
            })?;
            rates.said.insert(kind.clone(), rate);
        }
        Ok(rates)
    }

    /// The URL at which started agents reach the engine; None if not set.
    pub(super) fn agents_url(&self, workspace: &Workspace) -> Result<Option<String>, Trouble> {
        let Some(said) = &self.agents_url else { return Ok(None) };
        let failed = |why: String| {
            Trouble::usage(format!(
                "could not read agents-url in {}: {why}; write it as in https://cue.example.org:3001",
                workspace.config().display()
            ))
        };
        check_address(said).map_err(failed)?;
        Ok(Some(said.clone()))
    }

    /// The time for which results of agents stay available; None if not set.
    pub(super) fn results_kept(&self, workspace: &Workspace) -> Result<Option<Span>, Trouble> {
        let read = |text: &String| match text.parse::<Span>() {
            Ok(span) if span > Span(0) => Ok(span),
            _ => Err(Trouble::usage(format!(
                "could not read results-kept in {}: write a time, such as 30d",
                workspace.config().display()
            ))),
        };
        self.results_kept.as_ref().map(read).transpose()
    }

    /// Bytes of contexts that are kept, where it says so.
    pub(super) fn context_cache(&self, workspace: &Workspace) -> Result<Option<u64>, Trouble> {
        let Some(text) = &self.context_cache else { return Ok(None) };
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let read = units.iter().find_map(|(unit, bytes)| {
            text.strip_suffix(unit)?.trim_end().parse::<u64>().ok()?.checked_mul(*bytes)
        });
        read.filter(|number| *number <= CONTEXT_CACHE_MOST).map(Some).ok_or_else(|| {
            Trouble::usage(format!(
                "could not read context-cache in {}: write a size up to 16GiB, such as 256MiB; 0MiB keeps none",
                workspace.config().display()
            ))
        })
    }

    /// The rules for agents that are started over HTTP, by agent type.
    pub(super) fn spawn(&self, workspace: &Workspace) -> Result<BTreeMap<String, SpawnRule>, Trouble> {
        let rule = |(name, said): (&String, &SpawnSettings)| {
            let failed = |why: &str| {
                let (name, path) = (safe_text(name), workspace.config());
                Trouble::usage(format!("could not read [spawn.{name}] in {}: {why}", path.display()))
            };
            if !is_agent_type(name) {
                return Err(failed(
                    "it is no type of agents: a lower-case letter, then letters, digits and `-`",
                ));
            }
            let usual = SpawnRule::default();
            let permissions = said.permissions.clone().unwrap_or(usual.permissions);
            if permissions.contains(&Permission::DecideGates) {
                return Err(failed("an agent decides at no gate; take `decide_gates` out"));
            }
            let life = said
                .token_life
                .as_ref()
                .map_or(Ok(usual.token_life), |token_life| token_life.parse::<Span>());
            let life = life.ok().filter(|life| *life > Span(0) && *life <= TOKEN_LIFE_MAX);
            let token_life = life.ok_or_else(|| failed("its token-life is a time up to 24h, such as 1h"))?;
            let group = |text: &String| {
                let (group, count) = text.split_once(':').unwrap_or((text, "1"));
                count
                    .parse()
                    .ok()
                    .filter(|count| (1..=100).contains(count))
                    .map(|count| (group.to_owned(), count))
            };
            let require = said.require.iter().map(group).collect::<Option<_>>();
            let require = require.ok_or_else(|| failed("write `require` as [\"sre\"] or [\"sre:2\"]"))?;
            let gate = said.gate.unwrap_or(true);
            if !gate && (said.four_eyes || !said.require.is_empty()) {
                return Err(failed("nobody is asked, so nobody can be required; take one of both out"));
            }
            let rule = SpawnRule {
                gate,
                require,
                four_eyes: said.four_eyes,
                permissions,
                token_life,
                environment: said.environment.clone(),
                at_most: said.at_most.unwrap_or(usual.at_most),
            };
            Ok((name.clone(), rule))
        };
        self.spawn.iter().map(rule).collect()
    }

    /// The limits of connections at once, with defaults for what is not set.
    pub(super) fn places(&self, workspace: &Workspace) -> Result<Places, Trouble> {
        let (said, usual) = (self.connections, Places::default());
        let connections = said.most.unwrap_or(usual.connections);
        let waiting = said.waiting.unwrap_or(connections / 10 * 9);
        let of_project = said.waiting_of_project.unwrap_or(waiting / 2);
        let of_principal = said.waiting_of_principal.unwrap_or(usual.of_principal.min(of_project));
        let fits = CONNECTIONS.contains(&connections)
            && waiting < connections
            && of_project <= waiting
            && (1..=of_project).contains(&of_principal);
        if fits {
            return Ok(Places { connections, waiting, of_project, of_principal });
        }
        Err(Trouble::usage(format!(
            "could not read [connections] in {}: `most` is 10 to 20000, `waiting` less than that, `waiting-of-project` not more than `waiting`, and \
             `waiting-of-principal` 1 to that; mend them",
            workspace.config().display()
        )))
    }

    /// The time in which a request to the API must be sent completely.
    pub(super) fn patience(&self, workspace: &Workspace) -> Result<Duration, Trouble> {
        let Some(text) = &self.request_timeout else { return Ok(PATIENCE) };
        let span = text.parse::<Span>().map_or(Duration::ZERO, Span::to_std);
        if PATIENCES.contains(&span) {
            return Ok(span);
        }
        Err(Trouble::usage(format!(
            "could not read request-timeout in {}: write a time from 100ms to 10m, such as 30s",
            workspace.config().display()
        )))
    }
}

/// `60/10`, or `unlimited`, which is nothing.
fn rate(text: &str) -> Option<Option<Rate>> {
    if text == "unlimited" {
        return Some(None);
    }
    let (minute, burst) = text.split_once('/')?;
    let (per_minute, burst) = (minute.trim().parse().ok()?, burst.trim().parse().ok()?);
    (per_minute > 0 && burst > 0).then_some(Some(Rate { per_minute, burst }))
}
