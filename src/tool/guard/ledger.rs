//! The guards of the last owner of a workspace, and the boot in which it ran. A call without a start record
//! is known never to have run only when all of these guards have reported. Guards also look here to learn
//! that their owner is still the newest.

use super::{boot_id, record};
use crate::own_dir::own_file;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

const FILE: &str = "owner";

/// The newest owner, as it wrote itself down before it started anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) epoch: u64,
    pub(super) boot: String,
    /// The names of the guards it has used.
    pub(super) guards: Vec<String>,
}

impl Ledger {
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch, boot: boot_id(), guards: Vec::new() }
    }

    /// Nothing when there is none, or it was damaged.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        record::read_line(&fs::read(dir.join(FILE)).ok()?)
    }

    /// Writes it in one step: a reader in the meantime reads the one before.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let fresh = dir.join(format!("{FILE}.new"));
        let mut file = own_file().open(&fresh)?;
        file.write_all(record::line(self)?.as_bytes())?;
        fs::rename(fresh, dir.join(FILE))
    }

    /// True if this owner came right before `epoch`, in this boot. If none of its guards has a start record
    /// of a call, it cannot have started that call.
    pub(super) fn is_of_the_last(&self, epoch: u64) -> bool {
        self.epoch + 1 == epoch && self.boot == boot_id() && !self.boot.is_empty()
    }
}
