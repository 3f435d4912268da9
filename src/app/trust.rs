//! Trust in a workspace: its user made it, or has accepted everything in it that can act. Until then the
//! workspace is read-only.

use super::{config::Config, elsewhere::files_elsewhere, exit::Trouble, output::say};
use cuelight_runtime::{Entropy, MayStart};
use cuelight_store::{StoreError, TrustBook, Trusted, Workspace};
use cuelight_tool::{is_tracked, tracked_files};
use std::{path::Path, sync::Arc};

impl Config {
    /// The records of trust; nothing where this user has no home.
    pub(super) fn trust_book(&self) -> Result<TrustBook, String> {
        let place = self.state_home().ok_or_else(|| {
            "there is no place for records of trust, since this user has no home; set XDG_STATE_HOME"
                .to_owned()
        })?;
        Ok(TrustBook::new(place.join("cuelight/trust"), files_elsewhere))
    }

    /// The workspace at a root; one that is made is trusted from its first moment on.
    pub(super) fn make(&self, root: &Path) -> Result<Workspace, Trouble> {
        let not_made = |error: StoreError| Trouble::not_recorded(error.to_string());
        let is_there = std::fs::symlink_metadata(root.join(".cuelight")).is_ok();
        let id = Entropy.request_id().0;
        let book = self.trust_book();
        match book
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|book| book.create(root, &id).map_err(|error| error.to_string()))
        {
            Ok(made) => Ok(made),
            Err(_) if is_there => Workspace::create(root).map_err(not_made),
            Err(why) => {
                // A place that cannot have a workspace says so itself.
                let made = Trusted::make(root).map_err(not_made)?;
                say(&format!("{why}; until then this workspace is trusted by this command alone"));
                Ok(self.made_here.get_or_init(|| made).workspace().clone())
            }
        }
    }

    /// The workspace as one in which an engine may start.
    ///
    /// # Errors
    /// Why none may, as the end of a sentence.
    pub(super) fn trusts(&self, workspace: &Workspace) -> Result<Trusted, String> {
        match self.made(workspace) {
            Some(made) => Ok(made.clone()),
            None => judge(&self.trust_book()?, workspace),
        }
    }

    /// The workspace, where this command has made it and could write that down nowhere.
    fn made(&self, workspace: &Workspace) -> Option<&Trusted> {
        self.made_here.get().filter(|value| value.workspace().root() == workspace.root())
    }

    /// The same question, for callers that ask it again while an engine runs.
    pub(super) fn still_trusts(&self, workspace: &Workspace) -> MayStart {
        let is_made_here = self.made(workspace).is_some();
        let (book, workspace) = (self.trust_book(), workspace.clone());
        Arc::new(move || {
            let book = book.as_ref().map_err(Clone::clone);
            if is_made_here { Ok(()) } else { book.and_then(|book| judge(book, &workspace)).map(drop) }
        })
    }

    /// The workspace to look at: where it is not trusted, not even what reading leaves is written.
    pub(super) fn to_look_at(&self, workspace: Workspace) -> Workspace {
        if self.knows(&workspace) { workspace } else { workspace.only_looked_at() }
    }

    /// Refuses to write in a workspace that was never trusted, whatever has changed in one that was.
    pub(super) fn require_known(&self, workspace: &Workspace) -> Result<(), Trouble> {
        if self.knows(workspace) { Ok(()) } else { self.require_trust(workspace).map(drop) }
    }

    /// True when this user has trusted the workspace before, also if files have changed since.
    pub(super) fn knows(&self, workspace: &Workspace) -> bool {
        self.made(workspace).is_some()
            || self.trust_book().and_then(|trust_book| trust_book.record(workspace)).is_ok()
    }

    /// Refuses to act in a workspace that is not trusted.
    pub(super) fn require_trust(&self, workspace: &Workspace) -> Result<Trusted, Trouble> {
        self.trusts(workspace).map_err(|why| {
            let root = workspace.root().display();
            Trouble::not_recorded(format!(
                "could not start in {root}: this workspace is not trusted: {why}; look with `cuelight trust --show`, accept with \
                 `cuelight trust`"
            ))
        })
    }

    /// Writes down what our own engine has begun in a workspace that is trusted.
    pub(super) fn settle_trust(&self, trusted: Trusted) {
        let settled = self
            .trust_book()
            .and_then(|trust_book| trust_book.settle(trusted).map_err(|error| error.to_string()));
        if let Err(why) = settled {
            say(&why);
        }
    }
}

/// Asks the records of trust, with what version control carries of the workspace.
fn judge(book: &TrustBook, workspace: &Workspace) -> Result<Trusted, String> {
    let tracked = tracked_files(&workspace.root().join(".cuelight"));
    book.trusts(workspace, tracked.as_deref(), is_tracked)
}
