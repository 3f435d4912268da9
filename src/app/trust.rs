//! Whether a workspace may act: its user made it, or has accepted what in it can act. Until then it is only looked at.

use super::{config::Config, exit::Trouble, output::say};
use crate::{
    base::safe_text,
    runtime::{Entropy, MayStart},
    store::{DATABASE, StoreError, TrustBook, TrustRecord, Workspace},
    tool::tracked_files,
};
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
};

impl Config {
    /// The records of trust; nothing where this user has no home.
    pub(super) fn trust_book(&self) -> Result<TrustBook, String> {
        let place = self.state_home().ok_or_else(|| {
            "there is no place for records of trust, since this user has no home; set XDG_STATE_HOME"
                .to_owned()
        })?;
        Ok(TrustBook::new(place.join("cuelight/trust")))
    }

    /// The workspace at a root; one that is made is trusted from its first moment on.
    pub(super) fn make(&self, root: &Path) -> Result<Workspace, Trouble> {
        let not_made = |it: StoreError| Trouble::not_recorded(it.to_string());
        let is_there = std::fs::symlink_metadata(root.join(".cuelight")).is_ok();
        let id = Entropy.request_id().0;
        let book = self.trust_book();
        match book
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|it| it.create(root, &id).map_err(|it| it.to_string()))
        {
            Ok(made) => Ok(made),
            Err(_) if is_there => Workspace::create(root).map_err(not_made),
            Err(why) => {
                // A place that cannot have a workspace says so itself.
                let made = Workspace::create(root).map_err(not_made)?;
                self.made_here.store(true, Relaxed);
                say(&format!("{why}; until then this workspace is trusted by this command alone"));
                Ok(made)
            }
        }
    }

    /// Whether an engine may start there: the record of the workspace, where there is one.
    ///
    /// # Errors
    /// Why it may not, as the end of a sentence.
    pub(super) fn trusts(&self, workspace: &Workspace) -> Result<Option<TrustRecord>, String> {
        if self.made_here.load(Relaxed) {
            return Ok(None);
        }
        judge(&self.trust_book()?, workspace).map(Some)
    }

    /// The same question, for whoever asks it again while an engine runs.
    pub(super) fn still_trusts(&self, workspace: &Workspace) -> MayStart {
        let is_made_here = self.made_here.load(Relaxed);
        let (book, workspace) = (self.trust_book(), workspace.clone());
        Arc::new(move || {
            let book = book.as_ref().map_err(Clone::clone);
            if is_made_here { Ok(()) } else { book.and_then(|it| judge(it, &workspace)).map(drop) }
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

    /// Whether the workspace is one that this user has trusted, whatever has changed in it since.
    pub(super) fn knows(&self, workspace: &Workspace) -> bool {
        self.made_here.load(Relaxed) || self.trust_book().and_then(|it| it.record(workspace)).is_ok()
    }

    /// Refuses to act in a workspace that is not trusted.
    pub(super) fn require_trust(&self, workspace: &Workspace) -> Result<Option<TrustRecord>, Trouble> {
        self.trusts(workspace).map_err(|why| {
            let root = workspace.root().display();
            Trouble::not_recorded(format!(
                "could not start in {root}: this workspace is not trusted: {why}; look with `cuelight trust --show`, accept with \
                 `cuelight trust`"
            ))
        })
    }

    /// Writes down what our own engine has begun in a workspace that is trusted.
    pub(super) fn settle_trust(&self, workspace: &Workspace, record: Option<TrustRecord>) {
        let Some(record) = record else { return };
        let settled =
            self.trust_book().and_then(|it| it.settle(workspace, record).map_err(|it| it.to_string()));
        if let Err(why) = settled {
            say(&why);
        }
    }
}

/// Whether a workspace is one that its user trusts, and as it was then, or changed by no hand but theirs.
fn judge(book: &TrustBook, workspace: &Workspace) -> Result<TrustRecord, String> {
    let record = book.record(workspace)?;
    let tracked = tracked_files(&workspace.root().join(".cuelight"));
    let is_database = |it: &String| it.rsplit('/').next().is_some_and(|it| it.starts_with(DATABASE));
    let is_shared = tracked.as_ref().is_none_or(|it| !it.is_empty());
    let has_database = tracked.iter().flatten().any(is_database);
    let changed = book.changed(workspace, &record, has_database).map_err(|it| it.to_string())?;
    // Nobody else's hand reaches the files of a workspace that was made here and that no version control carries.
    if changed.is_empty() || record.is_own && !is_shared {
        return Ok(record);
    }
    Err(format!("since you trusted it, this changed: {}", safe_text(&changed.join(", "))))
}
