//! Settings and resources that all calls of one workspace share.

use super::call::Call;
use crate::executable::{Executable, Remembered};
use crate::guard::Kin;
use crate::http::Door;
use crate::oom::OomWatch;
use crate::scratch::Scratch;
use crate::spool::{Now, Spool};
use crate::{HandedOver, HttpPolicy, Masker, Secret, SecretStore, executable};
use cuelight_base::{Launch, Program, Span};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The word by which tools call this program itself.
pub(super) const OWN_NAME: &str = "cuelight";

/// Settings and resources that all calls of one workspace share.
pub struct Host {
    pub(super) workspace_root: PathBuf,
    pub(super) base_env: Vec<(String, String)>,
    pub(super) secrets: Arc<SecretStore>,
    pub(super) kill_grace: Span,
    pub(super) scratch: Scratch,
    pub(super) oom: OomWatch,
    hashes: Remembered,
    /// This program, for tools that it does itself in a process of their own.
    pub(super) own: Option<PathBuf>,
    http: Door,
    now: Option<Now>,
    /// In a guard: whose each process below it is.
    pub(super) kin: Option<Arc<Kin>>,
}

impl Host {
    /// `base_env` is all that a process inherits; `kill_grace` lies between asking a process to end and ending it.
    pub fn new(
        workspace_root: PathBuf,
        base_env: Vec<(String, String)>,
        secrets: impl Into<Arc<SecretStore>>,
        kill_grace: Span,
    ) -> Self {
        let secrets = secrets.into();
        let scratch = Scratch::new(&workspace_root.join(".cuelight/scratch"));
        let (oom, hashes) = (OomWatch::new(), Remembered::default());
        let http = Door::default();
        let (own, now, kin) = (None, None, None);
        Self { workspace_root, base_env, secrets, kill_grace, scratch, oom, hashes, own, http, now, kin }
    }

    /// Told what time it is, it remembers when output came.
    #[must_use]
    pub fn with_clock(self, now: Now) -> Self {
        Self { now: Some(now), ..self }
    }

    /// The same in a process that guards its own calls: whatever they start stays below it, until [all of it is ended](Self::end_all).
    ///
    /// # Errors
    /// When the system has no child subreaper.
    pub fn as_guard(self) -> io::Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        crate::step_mark::put_on()?;
        let kin = Arc::new(Kin::new(&self.workspace_root));
        Ok(self.with_kin(kin))
    }

    /// Ends every process below this one. Nothing that a call has started outlives it then.
    pub fn end_all(&self) {
        if let Some(kin) = &self.kin {
            kin.end_all();
        }
    }

    /// The same in a guard, below which every process of a step stays.
    #[must_use]
    pub(crate) fn with_kin(self, kin: Arc<Kin>) -> Self {
        Self { kin: Some(kin), ..self }
    }

    /// The spool for the output of a call.
    pub(crate) fn spool(&self, launch: &Launch, call: &Call) -> Spool {
        Spool::new(call.attempt_dir.clone(), launch.output_limit, self.now.clone())
    }

    /// Opens and hashes what a call executes, in the workspace or in a captured one; what is then started is what was opened. Reads files: it takes a moment.
    pub fn open(&self, program: &Program, tree: Option<&Path>) -> Executable {
        let value =
            |name: &str| self.base_env.iter().rfind(|pair| pair.0 == name).map(|pair| pair.1.as_str());
        let places = executable::Places { search: value("PATH"), home: value("HOME") };
        executable::open(tree.unwrap_or(&self.workspace_root), places, program, &self.hashes)
    }

    /// The same, with the program that a tool means by the word `cuelight`; else it is looked for on the path.
    #[must_use]
    pub fn with_program(self, own: Option<PathBuf>) -> Self {
        Self { own, ..self }
    }

    /// The same, with what this workspace allows of requests; else they go to public addresses alone.
    #[must_use]
    pub fn with_http(self, policy: HttpPolicy) -> Self {
        Self { http: Door::new(policy), ..self }
    }

    /// Gives a call a secret that is made for it alone, in place of the one of this name, while what is given back is there.
    pub fn hand_over(&self, launch: &mut Launch, name: &str, call: &str, secret: Secret) -> HandedOver<'_> {
        self.secrets.hand_over(launch, name, call, secret)
    }

    /// The client for outgoing requests.
    pub(crate) fn http(&self) -> &Door {
        &self.http
    }

    /// Root directory of the workspace.
    pub(crate) fn root(&self) -> &Path {
        &self.workspace_root
    }

    /// The masker of the secrets that a launch names.
    ///
    /// # Errors
    /// A secret that is not set, or too long to be masked, as a sentence.
    pub fn masker(&self, launch: &Launch) -> Result<Masker, String> {
        self.secrets_of(launch).map(|secrets| secrets.1)
    }

    /// The secrets that a launch names, and what hides them.
    pub(crate) fn secrets_of(&self, launch: &Launch) -> Result<(BTreeMap<String, Secret>, Masker), String> {
        let secrets = self.secrets.resolve(launch)?;
        let masker = masker_of(&secrets)?;
        Ok((secrets, masker))
    }
}

pub(super) fn masker_of(secrets: &BTreeMap<String, Secret>) -> Result<Masker, String> {
    Masker::new(secrets.values())
        .map_err(|error| format!("its secrets could not be masked: {error}; use shorter values"))
}
