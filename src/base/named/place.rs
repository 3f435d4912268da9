//! Directories whose files a call may use: homes, search paths, places of modules, and the ones that it goes to.

use super::Gather;
use super::file_name::path;
use super::known_words::{MODULE_VARIABLES, OF_SCRIPT_DIR, OF_SYSTEM, SCRIPT_ENDINGS, SEARCH_VARIABLES};
use super::limits::UNKNOWN;

/// Directories that commands of one text go to, as words.
const DIRECTORIES_MAX: usize = 200;
/// Times that one way up is gone.
const ABOVE_MAX: usize = 6;

impl Gather {
    /// The places that a path below a home means; `tool` knows where the home is that a step inherits.
    pub(super) fn of_home(&mut self, path: &str) -> Option<Vec<String>> {
        let rest = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        if self.is_other_home {
            self.tell("files below the home of another user");
        }
        let mut homes = self.values("HOME");
        homes.retain(|home| !home.is_empty() && !home.starts_with('~'));
        let mut paths: Vec<String> = homes.iter().map(|home| format!("{home}{rest}")).collect();
        if !self.given.contains("HOME") {
            paths.push(path.to_owned());
        }
        for path in &paths {
            self.mark("", path);
        }
        Some(paths)
    }

    /// The directories of a variable that lists some.
    pub(super) fn places(&mut self, name: &str, value: &str) {
        if MODULE_VARIABLES.contains(&name) {
            self.modules_of(value);
        } else if SEARCH_VARIABLES.contains(&name) {
            if value.contains(UNKNOWN) {
                self.tell(&format!("files that are found on {name}, which is known only when it runs"));
            }
            let dirs = value.split([':', UNKNOWN]).filter(|part| !OF_SYSTEM.contains(part));
            dirs.for_each(|dir| self.goes(dir));
        }
    }

    /// Places in which an interpreter finds modules: `app.jar:lib/*`
    pub(super) fn modules_of(&mut self, places: &str) {
        for place in places.split(':') {
            self.take(place, true);
            self.all_of(place);
            self.goes(place.strip_suffix("/*").unwrap_or(place));
        }
    }

    /// Every file of a directory is started, or read as code.
    pub(super) fn all_of(&mut self, dir: &str) {
        let dir = dir.trim_end_matches('/');
        if !dir.is_empty() && !dir.contains(['*', '?']) {
            self.take(&format!("{dir}/*"), true);
        }
    }

    /// A script that turns out to be a directory.
    pub(super) fn of_dir(&mut self, dir: &str) {
        let dir = dir.trim_end_matches('/');
        OF_SCRIPT_DIR.iter().for_each(|text| self.take(&format!("{dir}/{text}"), true));
        SCRIPT_ENDINGS.iter().for_each(|script_ending| self.take(&format!("{dir}.{script_ending}"), true));
    }

    /// `python -m shop.ship`: the module, and the packages it lies in.
    pub(super) fn module(&mut self, name: &str) {
        let path = name.replace('.', "/");
        self.take(&format!("{path}.py"), true);
        self.of_dir(&path);
        let packages = path.match_indices('/').map(|entry| &path[..entry.0]).chain([path.as_str()]);
        packages.for_each(|package| self.take(&format!("{package}/__init__.py"), true));
    }

    pub(super) fn goes(&mut self, to: &str) {
        let Some(to) = path(to.trim_end_matches('/')).filter(|path| path != "." && path != "-") else {
            return;
        };
        let to = to.strip_prefix("~+/").unwrap_or(&to);
        if let Some(homes) = self.of_home(to) {
            for home in homes {
                self.goes_to(&home);
            }
        } else {
            if to.starts_with('~') && to.len() > 1 && !["~+", "~-"].contains(&to) {
                self.tell("files below the home of another user");
            }
            self.goes_to(to);
        }
    }

    fn goes_to(&mut self, to: &str) {
        let dirs = &mut self.found.dirs;
        if to.contains(UNKNOWN) {
            to.split(UNKNOWN).for_each(|part| self.goes(part.trim_start_matches('/')));
        } else if dirs.len() >= DIRECTORIES_MAX {
            self.miss(&format!("more than {DIRECTORIES_MAX} words that may be directories"));
        } else {
            let is_above = to.split('/').any(|part| part == "..");
            let before = dirs.iter().filter(|dir| *dir == to).count();
            // What a function or a loop does comes in another order, and more than once.
            let is_more = is_above && (before >= ABOVE_MAX && !self.is_first || !self.functions.is_empty());
            if before < if is_above { ABOVE_MAX } else { 1 } {
                dirs.push(to.to_owned());
            }
            if is_more {
                self.tell("directories that `..` leads to, in another order or once more");
            }
        }
    }
}
