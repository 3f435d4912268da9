//! The environment enters here, once: variables, the user, the workspace and its files.

use super::{args::Everywhere, exit::Trouble};
use crate::{
    engine::{Actor, Channel},
    runtime::People,
    store::Workspace,
    tool::{Secret, SecretStore},
};
use std::{
    collections::BTreeMap,
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What the commands need to know of the world around them.
#[derive(Debug)]
pub(super) struct Config {
    /// Where we stand.
    pub(super) here: PathBuf,
    /// Named by the operator, else found upwards, else where we stand.
    named: Option<PathBuf>,
    /// Every variable that is valid text; what programs of steps inherit.
    variables: Vec<(String, String)>,
}

impl Config {
    pub(super) fn read(everywhere: &Everywhere) -> Result<Self, Trouble> {
        let here = env::current_dir().map_err(|it| {
            Trouble::usage(format!("could not tell where we are: {it}; change into a directory"))
        })?;
        let variables = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named = everywhere.workspace.as_ref().map(|it| here.join(it));
        Ok(Self { here, named, variables })
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(key, _)| key == name);
        found.map(|it| it.1.as_str()).filter(|it| !it.is_empty())
    }

    /// The workspace, when there is one.
    pub(super) fn find(&self) -> Option<Workspace> {
        Workspace::find(self.named.as_deref().unwrap_or(&self.here))
    }

    /// The workspace, made when there is none; says so in one line.
    pub(super) fn find_or_make(&self) -> Result<Workspace, Trouble> {
        if let Some(found) = self.find() {
            return Ok(found);
        }
        let root = self.named.as_deref().unwrap_or(&self.here);
        let made = Workspace::create(root).map_err(|it| Trouble::not_recorded(it.to_string()))?;
        super::output::say(&format!("created the workspace {}", root.join(".cuelight").display()));
        Ok(made)
    }

    /// What the process of a step inherits: all but what is ours.
    pub(super) fn inherited(&self) -> Vec<(String, String)> {
        self.variables.iter().filter(|(name, _)| !name.starts_with("CUELIGHT_")).cloned().collect()
    }

    /// Where secrets come from: the environment, and files of the workspace.
    pub(super) fn secrets(&self, workspace: &Workspace) -> SecretStore {
        let exported =
            self.variables.iter().map(|(name, value)| (name.clone(), Secret::new(value.as_bytes())));
        SecretStore::new(exported.collect::<BTreeMap<_, _>>(), workspace.root())
    }

    /// Who is who in this workspace.
    pub(super) fn people(&self, workspace: &Workspace) -> Result<Arc<People>, Trouble> {
        let people = match fs::read_to_string(workspace.people()) {
            Ok(text) => People::read(&text).map_err(Trouble::usage)?,
            Err(error) if error.kind() == ErrorKind::NotFound => People::default(),
            Err(error) => {
                let path = workspace.people();
                return Err(Trouble::usage(format!("could not read {}: {error}", path.display())));
            }
        };
        let names = os_names(Path::new("/etc/passwd"));
        Ok(Arc::new(names.into_iter().fold(people, |people, (uid, name)| people.with_os_name(uid, &name))))
    }

    /// Who sits here.
    pub(super) fn actor(&self, people: &People, channel: Channel) -> Actor {
        people.actor(rustix::process::geteuid().as_raw(), channel)
    }
}

/// What the system calls its users.
fn os_names(passwd: &Path) -> Vec<(u32, String)> {
    let text = fs::read_to_string(passwd).unwrap_or_default();
    let user = |line: &str| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        Some((uid.parse().ok()?, name.to_owned()))
    };
    text.lines().filter_map(user).collect()
}
