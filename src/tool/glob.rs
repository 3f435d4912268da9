//! Patterns for paths: `*` and `?` inside a name, `**` for any number of directories, `!` to exclude again.
//! Bytes are compared with bytes; a name need not be UTF-8. Time grows with the product of pattern and path
//! length, never faster.

/// A list of patterns, parsed once.
pub(super) struct Globs {
    globs: Vec<Glob>,
}

struct Glob {
    takes_away: bool,
    names: Vec<String>,
}

impl Globs {
    /// # Errors
    /// The pattern that leaves the directory it is looked for in.
    pub(super) fn new(patterns: &[String]) -> Result<Self, String> {
        let globs = patterns.iter().map(|text| {
            let (takes_away, path) =
                text.strip_prefix('!').map_or((false, text.as_str()), |rest| (true, rest));
            let names: Vec<String> =
                path.split('/').filter(|name| !name.is_empty() && *name != ".").map(str::to_owned).collect();
            if path.starts_with('/') || names.iter().any(|name| name == "..") {
                return Err(format!(
                    "could not look for {text:?}: it leaves the directory; name a path below it"
                ));
            }
            Ok(Glob { takes_away, names })
        });
        Ok(Self { globs: globs.collect::<Result<_, _>>()? })
    }

    /// True if the patterns include a file. A pattern that names a directory includes all below it. The last
    /// pattern that fits decides.
    pub(super) fn takes(&self, path: &[&[u8]]) -> bool {
        let last = self.globs.iter().rev().find(|glob| glob.fits(path));
        last.is_some_and(|glob| !glob.takes_away)
    }

    /// True if a pattern can include anything below a directory.
    pub(super) fn may_take_below(&self, dir: &[&[u8]]) -> bool {
        self.globs.iter().any(|glob| !glob.takes_away && glob.may_fit_below(dir))
    }

    /// True if a directory is excluded with all below it, and no later pattern includes any of it again.
    pub(super) fn leaves_out(&self, dir: &[&[u8]]) -> bool {
        let last = self.globs.iter().rposition(|glob| glob.fits(dir));
        last.is_some_and(|at| {
            let brings_back = |glob: &Glob| !glob.takes_away && glob.may_fit_below(dir);
            self.globs[at].takes_away && !self.globs[at + 1..].iter().any(brings_back)
        })
    }
}

impl Glob {
    fn fits(&self, path: &[&[u8]]) -> bool {
        // `dist` and `dist/**` mean the same below `dist`.
        matches(
            self.names.len() + 1,
            path.len(),
            |at| at == self.names.len() || self.names[at] == "**",
            |at, place| name_fits(self.names[at].as_bytes(), path[place]),
        ) && !self.names.is_empty()
    }

    fn may_fit_below(&self, dir: &[&[u8]]) -> bool {
        let names = self.names.iter().map(String::as_str).zip(dir);
        for (pattern, name) in names {
            if pattern == "**" {
                return true;
            }
            if !name_fits(pattern.as_bytes(), name) {
                return false;
            }
        }
        true
    }
}

/// `*` is any stretch of a name, `?` any one byte.
fn name_fits(pattern: &[u8], name: &[u8]) -> bool {
    matches(
        pattern.len(),
        name.len(),
        |at| pattern[at] == b'*',
        |at, place| pattern[at] == b'?' || pattern[at] == name[place],
    )
}

/// True if a list of parts, some of which match any stretch, fits a list of items. Going back to the last
/// such part is enough, so this takes at most parts times items steps.
fn matches(
    parts: usize,
    items: usize,
    is_stretch: impl Fn(usize) -> bool,
    fits: impl Fn(usize, usize) -> bool,
) -> bool {
    let (mut part, mut item) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while item < items {
        if part < parts && is_stretch(part) {
            back = Some((part, item));
            part += 1;
        } else if part < parts && fits(part, item) {
            part += 1;
            item += 1;
        } else if let Some((stretch, from)) = back {
            back = Some((stretch, from + 1));
            part = stretch + 1;
            item = from + 1;
        } else {
            return false;
        }
    }
    (part..parts).all(is_stretch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patterns: &[&str], path: &str, taken: bool) {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let globs = Globs::new(&patterns).expect("patterns");
        let path: Vec<&[u8]> = path.split('/').map(str::as_bytes).collect();
        assert_eq!(globs.takes(&path), taken, "{patterns:?}");
        for end in 0..path.len() {
            assert!(!taken || globs.may_take_below(&path[..end]), "{patterns:?} is looked for below {end}");
        }
    }

    #[test]
    fn stars_stay_in_a_name_and_two_stars_do_not() {
        check(&["*.txt"], "a.txt", true);
        check(&["*.txt"], "d/a.txt", false);
        check(&["**/*.txt"], "a.txt", true);
        check(&["**/*.txt"], "d/e/a.txt", true);
        check(&["d/**/a.?xt"], "d/a.txt", true);
        check(&["d/**/a.?xt"], "d/e/f/a.xt", false);
        check(&["**/x/**/y"], "x/x/a/y", true);
        check(&["a*b*c"], "aXbXXbc", true);
        check(&["a*b*c"], "aXbXXbd", false);
    }

    #[test]
    fn a_directory_means_all_below_it_and_a_mark_takes_away() {
        check(&["dist"], "dist/a/b", true);
        check(&["dist/"], "dist/a", true);
        check(&["./dist"], "dist", true);
        check(&["dist"], "distant", false);
        check(&["dist", "!dist/*.map"], "dist/a.map", false);
        check(&["dist", "!dist/*.map"], "dist/a.js", true);
        check(&["!a"], "b", false);
        check(&[""], "a", false);
    }

    #[test]
    fn no_pattern_takes_long_or_leaves() {
        check(&[&"*a".repeat(200)], &"a".repeat(5000), true);
        check(&[&"**/x/".repeat(60)], &format!("{}y", "x/".repeat(59)), false);
        for pattern in ["/etc/passwd", "../x", "a/../../x"] {
            assert!(Globs::new(&[pattern.to_owned()]).is_err(), "{pattern}");
        }
    }
}
