//! The environment enters here, once: variables, the user, the workspace and its files.

use super::{
    args::{Everywhere, ListenArgs, LogFormat},
    exit::Trouble,
    output::tell_as_json,
    settings::{Settings, TopicSettings},
};
use cuelight_base::{
    Actor, Channel, Schema, Span, TOPIC_SCHEMA_BYTES_MAX, TraceContext, is_name, is_topic, safe_text,
};
use cuelight_engine::Standing;
use cuelight_exchange::TopicRule;
use cuelight_gateway::{HttpSetup, ResultRules, TlsFiles, admit, is_loopback};
use cuelight_runtime::{People, TraceSetup, WhoIsWho, people_signer};
use cuelight_store::{Trusted, Workspace};
use cuelight_tool::{HttpPolicy, Secret, SecretStore, are_we_of_a_step, read_text};
use rustix::fs::OFlags;
use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, ErrorKind, Read as _},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Bytes of `people.toml`.
const PEOPLE_BYTES_MAX: u64 = 1024 * 1024;
/// Variables that the process of a step inherits: paths, user, language. `LC_…` is inherited as well.
const INHERITED: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TERM",
    "TZ",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "CARGO_HOME",
    "RUSTUP_HOME",
];

/// The list of signers of `people.toml`, and the variable by which root names another one.
const PEOPLE_SIGNERS: &str = "/etc/cuelight/people-signers";
const PEOPLE_SIGNERS_VARIABLE: &str = "CUELIGHT_PEOPLE_SIGNERS";

/// Before the names of exported secrets that header fields of traces may be filled with: a file of a workspace reads no other variable.
const TRACE_VARIABLES: &str = "CUELIGHT_TRACES_";

/// Surroundings of a command: working directory, workspace, variables, and the address it listens at.
#[derive(Debug)]
pub(super) struct Config {
    /// The current directory of this process.
    pub(super) here: PathBuf,
    /// Named by the operator, else found upwards, else where we stand.
    named: Option<PathBuf>,
    /// Every variable that is valid text.
    variables: Vec<(String, String)>,
    /// The address at which the engine of this process answers over HTTP; None if it does not.
    pub(super) listen: Option<Listen>,
    /// The log format on stderr, if the command line names one.
    log_format: Option<LogFormat>,
    /// The workspace that this command has made, where that could be written down nowhere.
    pub(super) made_here: OnceLock<Trusted>,
}

/// An address, and what encrypts there.
#[derive(Clone, Debug)]
pub(super) struct Listen {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<TlsFiles>,
}

impl Config {
    pub(super) fn read(everywhere: &Everywhere) -> Result<Self, Trouble> {
        if everywhere.log_format == Some(LogFormat::Json) {
            tell_as_json();
        }
        let here = env::current_dir().map_err(|error| {
            Trouble::usage(format!("could not tell where we are: {error}; change into a directory"))
        })?;
        let variables = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named = everywhere.workspace.as_ref().map(|workspace| here.join(workspace));
        let made_here = OnceLock::new();
        let config =
            Self { here, named, variables, listen: None, log_format: everywhere.log_format, made_here };
        if everywhere.inbox { config.in_inbox() } else { Ok(config) }
    }

    /// The same, with an engine that answers over HTTP where it was said.
    pub(super) fn listening(self, args: ListenArgs) -> Result<Self, Trouble> {
        let files = args.tls_cert.zip(args.tls_key);
        let tls = files.map(|(certificate, key)| TlsFiles {
            certificate: self.here.join(certificate),
            key: self.here.join(key),
        });
        match args.listen {
            Some(address) if !is_loopback(address) && !args.insecure && tls.is_none() => {
                Err(Trouble::usage(format!(
                    "could not listen at {address}: other machines reach it, and nothing is encrypted; give --tls-cert and \
                     --tls-key, listen at 127.0.0.1 behind something that encrypts, or say --insecure"
                )))
            }
            listen => Ok(Self { listen: listen.map(|address| Listen { address, tls }), ..self }),
        }
    }

    /// True if an engine without a screen writes its log on stderr as JSON, by the command line or else by
    /// `config.toml`.
    pub(super) fn logs_json(&self, workspace: &Workspace) -> Result<bool, Trouble> {
        let said = self
            .log_format
            .map_or_else(|| Ok(Settings::of(workspace)?.log_format), |log_format| Ok(Some(log_format)));
        Ok(said? == Some(LogFormat::Json))
    }

    /// The settings with which the API of an engine starts.
    pub(super) fn http_setup(&self, workspace: &Workspace, listen: &Listen) -> Result<HttpSetup, Trouble> {
        let settings = Settings::of(workspace)?;
        Ok(HttpSetup {
            workspace: workspace.clone(),
            who: self.who_is_who(workspace),
            project: self.project(workspace)?,
            open_status: settings.open_status.unwrap_or_else(|| is_loopback(listen.address)),
            rates: settings.rates(workspace)?,
            tls: listen.tls.clone(),
            results: ResultRules {
                kept_for: settings.results_kept(workspace)?,
                next_agents: settings.next_agents.clone(),
            },
            spawn: settings.spawn(workspace)?,
            agents_url: settings.agents_url(workspace)?,
            patience: settings.patience(workspace)?,
            places: settings.places(workspace)?,
            traces: None,
            log: None,
        })
    }

    /// The same somewhere else: in a directory, or where a socket is that was named.
    pub(super) fn at(self, place: &Path) -> Self {
        let place = self.here.join(place);
        let is_ours = |parent: &&Path| parent.file_name().is_some_and(|name| name == ".cuelight");
        let root = place.parent().filter(is_ours).and_then(Path::parent).map(Path::to_owned);
        Self { named: Some(root.unwrap_or(place)), ..self }
    }

    /// The same in the user's inbox, where nobody has named a workspace: callers in any directory ask there.
    pub(super) fn for_agents(self) -> Result<Self, Trouble> {
        if self.named.is_some() { Ok(self) } else { self.in_inbox() }
    }

    fn in_inbox(self) -> Result<Self, Trouble> {
        let inbox = self.inbox()?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&inbox);
        made.map_err(|error| {
            Trouble::usage(format!(
                "could not make your inbox {}: {error}; name a workspace",
                inbox.display()
            ))
        })?;
        // One spelling, whoever has named it.
        let inbox = inbox.canonicalize().unwrap_or(inbox);
        Ok(Self { named: Some(inbox), ..self })
    }

    /// The directory of the user's inbox.
    fn inbox(&self) -> Result<PathBuf, Trouble> {
        let state = self.state_home().ok_or_else(|| {
            Trouble::usage(
                "could not tell where your inbox is: HOME is not set; name a workspace with --workspace",
            )
        })?;
        Ok(state.join("cuelight/inbox"))
    }

    /// The directory for state files of the user: `XDG_STATE_HOME`, else `~/.local/state`.
    pub(super) fn state_home(&self) -> Option<PathBuf> {
        let named = self.variable("XDG_STATE_HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        named.or_else(|| Some(self.home()?.join(".local/state")))
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(key, _)| key == name);
        found.map(|variable| variable.1.as_str()).filter(|text| !text.is_empty())
    }

    /// The home of this user: as the variable says, else as the system does.
    pub(super) fn home(&self) -> Option<PathBuf> {
        let named = self.variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        named.or_else(|| {
            let text = fs::read_to_string("/etc/passwd").ok()?;
            let uid = rustix::process::geteuid().as_raw().to_string();
            let mine = text.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
            mine.split(':').nth(5).map(PathBuf::from).filter(|part| part.is_absolute())
        })
    }

    /// All variables that are valid text.
    pub(super) fn all_variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|variable| (variable.0.as_str(), variable.1.as_str()))
    }

    /// The workspace, when there is one: in the directory that was named and nowhere else, or found upwards from here.
    pub(super) fn find(&self) -> Result<Option<Workspace>, Trouble> {
        let found = self.find_any()?;
        let owner = found.as_ref().and_then(Workspace::owner);
        let us = rustix::process::geteuid();
        if let (Some(found), Some(owner)) = (&found, owner)
            && owner != us.as_raw()
            && !us.is_root()
        {
            let names = os_names(Path::new("/etc/passwd"));
            let name =
                names.into_iter().find(|name| name.0 == owner).map_or("somebody".to_owned(), |name| name.1);
            let why = admit(us.as_raw(), owner, (&name, found.root())).expect_err("another user");
            return Err(Trouble::failed(why));
        }
        Ok(found)
    }

    fn find_any(&self) -> Result<Option<Workspace>, Trouble> {
        let Some(dir) = &self.named else { return Ok(Workspace::find(&self.here)) };
        let wrong = |why: String| {
            let shown = dir.display();
            Trouble::usage(format!("could not use {shown}: {why}, or name another with --workspace"))
        };
        match fs::metadata(dir) {
            Ok(about) if about.is_dir() => Ok(Workspace::find(dir)
                .filter(|workspace| dir.canonicalize().is_ok_and(|dir| workspace.root() == dir))),
            Ok(_) => Err(wrong("it is no directory; remove what stands there".to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(wrong("there is no such directory; create it".to_owned()))
            }
            Err(error) => Err(wrong(format!("{error}; make it readable"))),
        }
    }

    /// The workspace that has to be there; where there is none and nobody has named one, the user's inbox.
    pub(super) fn workspace(&self) -> Result<Workspace, Trouble> {
        if let Some(found) = self.find()? {
            return Ok(found);
        }
        let inbox = if self.named.is_none() { self.inbox().ok() } else { None };
        if let Some(inbox) =
            inbox.and_then(|dir| Workspace::find(&dir).filter(|workspace| workspace.root() == dir))
        {
            super::output::say(&format!("no workspace here; this is your inbox, {}", inbox.root().display()));
            return Ok(inbox);
        }
        let place =
            self.named.as_ref().map_or("here or above".to_owned(), |path| format!("in {}", path.display()));
        Err(Trouble::usage(format!(
            "could not find a workspace {place}; `cuelight run FILE` makes one, or name one with --workspace"
        )))
    }

    /// The workspace, made when there is none; says so in one line.
    pub(super) fn find_or_make(&self) -> Result<Workspace, Trouble> {
        if let Some(found) = self.find()? {
            return Ok(found);
        }
        let root = self.named.as_deref().unwrap_or(&self.here);
        let made = self.make(root)?;
        super::output::say(&format!("created the workspace {}", root.join(".cuelight").display()));
        Ok(made)
    }

    /// The variables that the process of a step inherits. Any other exported variable, tokens above all,
    /// reaches a step only if its file names it (`env`, `secrets`) or the operator lets it through by name.
    pub(super) fn inherited(&self, workspace: &Workspace) -> Result<Vec<(String, String)>, Trouble> {
        let more = match self.variable("CUELIGHT_PASS_ENV") {
            Some(names) => names.split(',').map(|name| name.trim().to_owned()).collect(),
            None => Settings::of(workspace)?.pass_env,
        };
        let passes = |name: &str| {
            let is_ours = name.starts_with("CUELIGHT_");
            let is_plain = INHERITED.contains(&name) || name.starts_with("LC_");
            !is_ours && (is_plain || more.iter().any(|other| other == name))
        };
        Ok(self.variables.iter().filter(|(name, _)| passes(name)).cloned().collect())
    }

    /// The hosts and addresses that requests may go to: from the variables, else from the workspace's
    /// settings.
    pub(super) fn http(&self, workspace: &Workspace) -> Result<HttpPolicy, Trouble> {
        let said = Settings::of(workspace)?;
        let list = |variable: &str, said: Vec<String>| match self.variable(variable) {
            Some(names) => names.split(',').map(|name| name.trim().to_owned()).collect(),
            None => said,
        };
        let hosts = list("CUELIGHT_HTTP_HOSTS", said.http_hosts);
        let private = list("CUELIGHT_HTTP_PRIVATE", said.http_private);
        let authorities =
            said.http_authorities.map(|http_authorities| workspace.root().join(http_authorities));
        HttpPolicy::read(&hosts, &private, authorities)
            .map_err(|error| Trouble::usage(format!("could not read the settings of requests: {error}")))
    }

    /// The time for which results of agents stay available; None if the workspace sets none.
    pub(super) fn results_kept(&self, workspace: &Workspace) -> Result<Option<Span>, Trouble> {
        Settings::of(workspace)?.results_kept(workspace)
    }

    /// The collector for traces, and the setting that names it; None if none does. The variables of
    /// OpenTelemetry take precedence over the settings of the workspace.
    pub(super) fn traces(&self, workspace: &Workspace) -> Result<Option<(TraceSetup, String)>, Trouble> {
        let settings = Settings::of(workspace)?;
        if self.variable("OTEL_SDK_DISABLED").is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let named = |name: &str| {
            self.variable(name).map(|variable| (variable.to_owned(), format!("the variable {name}")))
        };
        let whole = named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let base = named("OTEL_EXPORTER_OTLP_ENDPOINT");
        let said =
            settings.traces.endpoint.map(|endpoint| (endpoint, "config.toml of the workspace".to_owned()));
        let below = |(url, from): (String, String)| {
            let url = url.trim_end_matches('/');
            let is_whole = url.ends_with("/v1/traces");
            (if is_whole { url.to_owned() } else { format!("{url}/v1/traces") }, from)
        };
        let is_said_here = whole.is_none() && base.is_none();
        let Some((url, from)) = whole.or_else(|| base.or(said).map(below)) else { return Ok(None) };
        let wrong = |why: String| Trouble::usage(format!("could not send traces as {from} says: {why}"));
        let secrets = self.secrets(workspace);
        let mut fields = Vec::new();
        for (name, secret) in &settings.traces.headers {
            let value = secrets.value_for(TRACE_VARIABLES, secret).map_err(wrong)?;
            fields.push((name.clone(), value));
        }
        let more = self.variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
        for pair in more.split(',').filter(|header| !header.trim().is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(wrong("OTEL_EXPORTER_OTLP_HEADERS is name=value,name=value; mend it".to_owned()));
            };
            fields.push((name.trim().to_owned(), value.trim().as_bytes().to_vec()));
        }
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(wrong("an address begins with http:// or https://; mend it".to_owned()));
        }
        if !fields.is_empty() && !is_private(&url) {
            return Err(wrong(
                "its header fields would leave this machine in the open; name an address with https://"
                    .to_owned(),
            ));
        }
        let service = self.variable("OTEL_SERVICE_NAME").map(str::to_owned).or(settings.traces.service);
        let service = service.unwrap_or_else(|| "cuelight".to_owned());
        let policy = if is_said_here {
            self.http(workspace)?
        } else {
            HttpPolicy::anywhere(
                settings.http_authorities.map(|http_authorities| workspace.root().join(http_authorities)),
            )
            .map_err(wrong)?
        };
        Ok(Some((TraceSetup { url, fields, service, policy }, from)))
    }

    /// The place in its trace of the process that started this one.
    pub(super) fn traceparent(&self) -> Option<String> {
        self.variable("TRACEPARENT").and_then(TraceContext::parse).map(|context| context.to_string())
    }

    /// The rules for messages by topic, with the schemas that the settings name.
    pub(super) fn topics(&self, workspace: &Workspace) -> Result<BTreeMap<String, TopicRule>, Trouble> {
        let settings = Settings::of(workspace)?;
        let rule = |(name, said): (String, TopicSettings)| {
            let failed = |why: String| {
                Trouble::usage(format!(
                    "could not read the topic {:?} of {}: {why}",
                    safe_text(&name),
                    workspace.config().display()
                ))
            };
            if !is_topic(&name) {
                return Err(failed(
                    "a name has letters, digits, `.`, `-`, `_` and `/`; rename it".to_owned(),
                ));
            }
            let schema = said.schema.map(|path| {
                let path = workspace.root().join(path);
                let wrong = |why: String| failed(format!("its schema {}: {why}; mend it", path.display()));
                let text = read_text(&path, TOPIC_SCHEMA_BYTES_MAX).map_err(wrong)?;
                if text.len() > TOPIC_SCHEMA_BYTES_MAX {
                    return Err(wrong(format!("it has more than {TOPIC_SCHEMA_BYTES_MAX} bytes")));
                }
                let schema = cuelight_base::read_json(&text).map_err(|error| wrong(error.to_string()))?;
                Schema::read(&schema).map_err(wrong)?;
                Ok(schema)
            });
            Ok((
                name.clone(),
                TopicRule { about: said.about, schema: schema.transpose()?, signed: said.signed },
            ))
        };
        settings.topics.into_iter().map(rule).collect()
    }

    /// The project a workspace is for: as its settings say, else its directory's name as far as that can be one.
    pub(super) fn project(&self, workspace: &Workspace) -> Result<String, Trouble> {
        if let Some(said) = Settings::of(workspace)?.project {
            let wrong = || {
                let path = workspace.config();
                Trouble::usage(format!(
                    "could not use the project of {}: a name has letters, digits and `_.:-`, 128 at most; rename it",
                    path.display()
                ))
            };
            return if is_name(&said) { Ok(said) } else { Err(wrong()) };
        }
        let root = workspace.root().canonicalize().ok();
        let name = root
            .as_deref()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str())
            .filter(|name| is_name(name));
        Ok(name.unwrap_or("workspace").to_owned())
    }

    /// The store of secrets: the environment, and files of the workspace.
    pub(super) fn secrets(&self, workspace: &Workspace) -> SecretStore {
        self.secrets_at(workspace.root())
    }

    /// The same, also where there is no workspace yet.
    pub(super) fn secrets_at(&self, root: &Path) -> SecretStore {
        let exported =
            self.variables.iter().map(|(name, value)| (name.clone(), Secret::new(value.as_bytes())));
        SecretStore::new(exported.collect::<BTreeMap<_, _>>(), root)
    }

    /// The users, groups and keys of this workspace.
    pub(super) fn people(&self, workspace: &Workspace) -> Result<Arc<People>, Trouble> {
        people_of(workspace, &self.people_signers()).map_err(Trouble::usage)
    }

    /// Returns the path of the list of signers. Root alone names another path: root could as well write the usual one.
    fn people_signers(&self) -> PathBuf {
        let named = self.variable(PEOPLE_SIGNERS_VARIABLE).filter(|_| rustix::process::geteuid().is_root());
        PathBuf::from(named.unwrap_or(PEOPLE_SIGNERS))
    }

    /// The users, groups and keys of this workspace, for callers that ask again and again: the file is read
    /// when it has changed.
    pub(super) fn who_is_who(&self, workspace: &Workspace) -> WhoIsWho {
        let (workspace, signers) = (workspace.clone(), self.people_signers());
        let paths = [workspace.people(), workspace.people_signature(), signers.clone()];
        let last: Mutex<Option<Known>> = Mutex::default();
        WhoIsWho::new(move || {
            let stamp =
                paths.each_ref().map(|project| fs::metadata(project).ok().map(|metadata| stamp(&metadata)));
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((known, people)) = &*last
                && *known == stamp
            {
                return Ok(Arc::clone(people));
            }
            // What could not be read once may be read the next time.
            let people = people_of(&workspace, &signers)?;
            *last = Some((stamp, Arc::clone(&people)));
            Ok(people)
        })
    }

    /// The actor of this process. It is not a person if a step has started this process.
    pub(super) fn actor(&self, people: &People, channel: Channel) -> Actor {
        let channel = if are_we_of_a_step() { Channel::Step } else { channel };
        people.actor(rustix::process::geteuid().as_raw(), channel)
    }
}

/// True if nobody can read a request to this URL on its way: it is encrypted, or stays on this machine.
fn is_private(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return true };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let name = host
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map_or_else(|| host.rsplit_once(':').map_or(host, |halves| halves.0), |halves| halves.0);
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|name| name.is_loopback())
}

fn people_of(workspace: &Workspace, signers: &Path) -> Result<Arc<People>, String> {
    let path = workspace.people();
    let people = match read_with_owner(&path) {
        Ok((text, is_roots_alone)) => {
            let standing = standing(&text, is_roots_alone, &workspace.people_signature(), signers)?;
            People::read(&text)?.with_standing(standing)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => People::default(),
        Err(error) => {
            return Err(format!("could not read {}: {error}; make it readable", path.display()));
        }
    };
    let names = os_names(Path::new("/etc/passwd"));
    Ok(Arc::new(names.into_iter().fold(people, |people, (uid, name)| people.with_os_name(uid, &name))))
}

/// Returns the standing of `people.toml`. A signature beside it has to be good: a bad one tells of an edit that its signer has
/// not seen.
fn standing(text: &str, is_roots_alone: bool, signature: &Path, signers: &Path) -> Result<Standing, String> {
    let shown = signature.display();
    let refused = |why: String| {
        format!(
            "could not use people.toml: {why}; have it signed (ssh-keygen -Y sign -n cuelight-people -f KEY people.toml), or \
             remove {shown}, and then it counts as nobody has signed it"
        )
    };
    let armored = match read_with_owner(signature) {
        Ok((armored, _)) => armored,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(if is_roots_alone { Standing::Root } else { Standing::SelfDeclared });
        }
        Err(error) => return Err(refused(format!("{shown} cannot be read: {error}"))),
    };
    let place = signers.display();
    let (lines, are_roots) = read_with_owner(signers)
        .map_err(|error| refused(format!("{place}, which names its signers, cannot be read: {error}")))?;
    let is_safe = signers.parent().is_some_and(is_directory_of_root);
    if !(are_roots && is_safe) {
        return Err(refused(format!(
            "{place}, which names its signers, has to be of root, and nobody else may write it or its directory"
        )));
    }
    people_signer(text, &armored, &lines).map(Standing::Signed).map_err(refused)
}

/// True when nobody but root can exchange the files of a directory.
fn is_directory_of_root(dir: &Path) -> bool {
    fs::symlink_metadata(dir).is_ok_and(|metadata| metadata.is_dir() && is_of_root(&metadata))
}

fn is_of_root(metadata: &fs::Metadata) -> bool {
    metadata.uid() == 0 && metadata.mode() & 0o022 == 0
}

/// By which a file that was changed, exchanged, or opened to others is told from what it was: also its change time, which nobody sets.
type Stamp = (u64, u64, i64, i64, u64);

/// People as they were read, and by which files.
type Known = ([Option<Stamp>; 3], Arc<People>);

fn stamp(metadata: &fs::Metadata) -> Stamp {
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec(), metadata.len())
}

/// A file, and whether nobody but root can have written what it says: of the very file that was read, which stands there itself.
fn read_with_owner(path: &Path) -> io::Result<(String, bool)> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flags of open are an int in C");
    let mut file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() > PEOPLE_BYTES_MAX {
        return Err(io::Error::other(format!("it is no file of at most {PEOPLE_BYTES_MAX} bytes")));
    }
    let mut text = String::new();
    io::Read::by_ref(&mut file).take(PEOPLE_BYTES_MAX).read_to_string(&mut text)?;
    let is_itself = fs::symlink_metadata(path)
        .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == (about.dev(), about.ino()));
    let is_roots_alone = is_of_root(&about) && is_itself && root_is_root(&file);
    Ok((text, is_roots_alone))
}

/// True if uid 0 as the owner of a file is root of this machine. It is not in a namespace that maps users to
/// other numbers, nor on a file system that a user has mounted, which reports any owner it likes.
fn root_is_root(file: &fs::File) -> bool {
    const FUSE: i64 = 0x6573_5546;
    let words = |text: String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_plain = match fs::read_to_string("/proc/self/uid_map").map(words) {
        Ok(map) => map == ["0", "0", "4294967295"],
        // Not Linux: nobody gives users other numbers.
        Err(error) => error.kind() == ErrorKind::NotFound,
    };
    is_plain && rustix::fs::fstatfs(file).is_ok_and(|fstatf| fstatf.f_type != FUSE)
}

/// The uid and name of each user in the passwd file.
fn os_names(passwd: &Path) -> Vec<(u32, String)> {
    let text = fs::read_to_string(passwd).unwrap_or_default();
    let user = |line: &str| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        Some((uid.parse().ok()?, name.to_owned()))
    };
    text.lines().filter_map(user).collect()
}
