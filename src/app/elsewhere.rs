//! The files outside of `.cuelight` that act in a workspace. They are shown, accepted and compared like the files in it
//! (`store::trust`).

use super::settings::Settings;
use cuelight_runtime::{called_by_schedules, file_elsewhere};
use cuelight_store::{StoreError, Workspace};
use std::path::PathBuf;

/// The names of these files, relative to `.cuelight`: those that its schedules call, and those that its settings name.
pub(super) fn files_elsewhere(workspace: &Workspace) -> Result<Vec<String>, StoreError> {
    let mut all = called_by_schedules(workspace)?;
    for file in named_by_settings(workspace) {
        all.extend(file_elsewhere(workspace, &file)?.filter(|name| !all.contains(name)));
    }
    Ok(all)
}

/// The files that the settings name, where the settings can be read: nothing starts with others.
pub(super) fn named_by_settings(workspace: &Workspace) -> Vec<PathBuf> {
    let Ok(said) = Settings::of(workspace) else { return Vec::new() };
    let schemas = said.topics.into_values().filter_map(|topic| topic.schema);
    schemas.chain(said.http_authorities).map(|file| workspace.root().join(file)).collect()
}
