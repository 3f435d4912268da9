//! Options, operands and variables by which a program starts others: their text is code of its own kind, and is told. Some files
//! that a program starts by itself are named.

use super::Gather;
use super::known_words::{GIT_HOOKS, is_code_variable};
use super::limits::UNKNOWN;
use crate::program::name_of;
use std::collections::BTreeSet;

/// Programs; their options, with `*` for any end; true for a value that starts nothing.
type Row = (&'static [&'static str], &'static [&'static str], fn(&str) -> bool);

/// Options of one letter count in a cluster, long ones also shortened.
const CARRIES: &[Row] = &[
    (
        &[
            "at", "batch", "crontab", "dc", "ed", "emacs", "ex", "gdb", "gnuplot", "lldb", "m4", "mail",
            "mailx", "nvim",
        ],
        &["*"],
        never,
    ),
    (&["red", "rvim", "screen", "socat", "tmux", "vi", "view", "vim"], &["*"], never),
    (
        &["tar", "gtar", "bsdtar"],
        &[
            "-I",
            "-F",
            "--to-command",
            "--checkpoint-action",
            "--use-compress-program",
            "--info-script",
            "--new-volume-script",
            "--rsh-command",
            "--rmt-command",
        ],
        is_packer,
    ),
    (&["ssh", "scp", "sftp"], &["-o"], |value| {
        let value = value.to_lowercase();
        !["command", "exec", "include", "provider", "xauth"].iter().any(|part| value.contains(part))
    }),
    (&["scp", "sftp"], &["-S", "-D"], never),
    (&["rsync"], &["-e", "--rsh", "--rsync-path"], is_ssh),
    (&["make", "gmake"], &["--eval", "-E", "SHELL=*", ".SHELLFLAGS=*", "MAKEFLAGS=*"], never),
    (&["make", "gmake"], &["-f", "--file", "--makefile"], |value| {
        value != "-" && !value.starts_with("/dev/") && !value.starts_with("/proc/")
    }),
    (&["env"], &["-S", "--split-string"], never),
    (&["find"], &["-fprintf", "-fprint", "-fprint0", "-fls"], never),
    (&["man"], &["-P", "-H", "--pager", "--html"], never),
    (&["less", "more", "most"], &["+*", "-k", "--lesskey-file", "--lesskey-src"], never),
    (&["openssl"], &["-engine", "-provider", "-provider-path", "-config"], never),
    (&["zip"], &["-TT*", "--unzip-command"], never),
    (&["split", "gsplit"], &["--filter"], never),
    (&["sort", "gsort"], &["--compress-program"], never),
    (&["install"], &["--strip-program"], never),
    (&["wget"], &["-e", "--execute", "--use-askpass"], never),
    (&["nc", "ncat"], &["-e", "-c", "--exec", "--sh-exec", "--lua-exec"], never),
    (&["gcc", "g++", "cc", "c++", "clang"], &["-wrapper", "-B*", "-fplugin*", "-specs*", "@*"], never),
    (&["go"], &["-exec", "-toolexec", "-vettool"], never),
    (&["cargo"], &["--config"], never),
    (&["npm", "npx", "pnpm"], &["-c", "--call", "--script-shell"], never),
    (&["apt", "apt-get", "dpkg"], &["-o", "--option", "--pre-invoke", "--post-invoke"], never),
    (&["cpio"], &["--rsh-command"], never),
    (&["hg"], &["--config"], never),
    (&["svn"], &["--config-option", "--diff-cmd", "--diff3-cmd", "--editor-cmd"], never),
    (&["rpm", "rpmbuild", "rpmspec"], &["-E", "--eval", "-D", "--define"], |value| !value.contains("%(")),
    (&["strace", "ltrace"], &["-o", "--output"], |value| !value.starts_with(['|', '!'])),
    (&["systemd-run"], &["-p", "--property"], |value| !value.contains("Exec")),
    (&["awk", "gawk"], &["-i", "-l", "-E", "--include", "--load", "--exec"], |value| value == "inplace"),
    (&["sqlite3"], &[".a*", ".i*", ".l*", ".o*", ".r*", ".s*", "-cmd"], never),
    (&["psql", "mysql"], &["\\*"], never),
    (&["git"], &["-c", "--config-env", "config"], is_git_value),
    (
        &["git"],
        &[
            "--exec",
            "--exec-path",
            "--upload-pack",
            "--receive-pack",
            "--template",
            "--open-files-in-pager",
            "-O*",
            "send-email",
            "remote-ext",
            "foreach",
            "bisect",
            "filter-branch",
            "difftool",
            "mergetool",
            "instaweb",
        ],
        never,
    ),
];

fn never(_: &str) -> bool {
    false
}

fn is_packer(value: &str) -> bool {
    let mut words = value.split_whitespace();
    let packers = ["bzip2", "gzip", "lz4", "lzip", "lzma", "pbzip2", "pigz", "pixz", "xz", "zstd", "zstdmt"];
    words.next().is_some_and(|first| packers.contains(&first)) && words.all(|word| word.starts_with('-'))
}

fn is_ssh(value: &str) -> bool {
    let mut words = value.split_whitespace();
    let mut is_plain = words.next() == Some("ssh") && !value.contains(['\'', '"', '\\']);
    while let Some(word) = words.next() {
        is_plain &= match word {
            "-q" | "-4" | "-6" => true,
            "-p" | "-i" | "-l" => words.next().is_some_and(|value| !value.starts_with('-')),
            _ => false,
        };
    }
    is_plain
}

/// A setting of git that starts nothing, or no setting.
fn is_git_value(value: &str) -> bool {
    let key = value.split('=').next().unwrap_or_default().to_lowercase();
    let harmless = [
        "advice.",
        "color.",
        "init.defaultbranch",
        "safe.",
        "user.",
        "push.",
        "pull.rebase",
        "core.quotepath",
    ];
    !key.contains('.') || harmless.iter().any(|begin| key.starts_with(begin))
}

impl Gather {
    /// Options and variables of a command that are code.
    pub(super) fn carried(&mut self, words: &[String]) {
        if self.is_inert(words) || self.is_data || self.is_first {
            return;
        }
        for word in words {
            if let Some((key, _)) = word.split_once('=').filter(|halves| is_code_variable(halves.0)) {
                self.carries(key);
            }
        }
        // Behind the first of two same names stands all that stands behind the second, but for what is read by its place.
        let (mut names, mut has_shell) = (BTreeSet::new(), false);
        for (at, program) in words.iter().enumerate() {
            let (name, behind) = (name_of(program), &words[at + 1..]);
            match name {
                "tar" if behind.first().is_some_and(|word| !word.starts_with('-') && word.contains('I')) => {
                    self.carries("tar I");
                }
                "sudo" | "doas" if !has_shell && behind.iter().take(3).any(|word| opens_shell(word)) => {
                    has_shell = true;
                    behind.iter().for_each(|word| self.judge(word));
                }
                "sg" => behind.iter().take(2).for_each(|word| self.judge(word)),
                _ => {}
            }
            if !names.insert(name) {
                continue;
            }
            for (programs, options, is_harmless) in CARRIES {
                if programs.contains(&name) {
                    options.iter().for_each(|option| self.option(name, option, behind, *is_harmless));
                }
            }
            match name {
                "sed" | "gsed" => self.sed(behind),
                "make" | "gmake" => {
                    for word in behind {
                        if let Some((key, _)) = word.split_once('=').filter(|halves| halves.1.contains('$')) {
                            self.carries(&format!("{name} {key}="));
                        }
                    }
                }
                "git" => self.git(behind),
                "watch" => self.judge(&behind.join(" ")),
                "su" | "runuser" | "script" | "flock" | "sg" => self.texts_behind(behind),
                "psql" | "mysql" | "sqlite3" => {
                    let parts = ["\\!", "\\i", "\\o", "\\g", "\\copy", "system", "load_extension", "edit("];
                    let is_code = |word: &String| {
                        parts.iter().any(|part| word.contains(part))
                            || word.to_lowercase().contains("program")
                    };
                    if behind.iter().any(is_code) {
                        self.carries(name);
                    }
                }
                _ => {}
            }
        }
        self.texts_of(words);
    }

    fn carries(&mut self, construct: &str) {
        let construct = format!("`{construct}`");
        if !self.is_data && !self.is_first && !self.carried.contains(&construct) {
            self.carried.push(construct);
        }
    }

    fn option(&mut self, name: &str, option: &str, behind: &[String], is_harmless: fn(&str) -> bool) {
        if option == "*" {
            return self.carries(name);
        }
        let last_setting = behind.iter().rposition(|word| option == "config" && !is_harmless(word));
        for (at, word) in behind.iter().enumerate() {
            let next = behind.get(at + 1).map_or("", String::as_str);
            let (key, value) = word.split_once('=').unwrap_or((word, next));
            let letters = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')).unwrap_or_default();
            let end = letters.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(letters.len());
            let (shown, value) = if let Some(begin) = option.strip_suffix('*') {
                (
                    word.starts_with(begin).then_some(if word.contains('=') { begin } else { word }),
                    word.as_str(),
                )
            } else if option.starts_with("--") {
                (Some(key).filter(|key| key.len() > 3 && option.starts_with(key)), value)
            } else if option.starts_with('-') && option.len() == 2 {
                let found = letters[..end].find(&option[1..]);
                let attached = found.map_or("", |found| &letters[found + 1..]);
                let shown = if end == letters.len() && end < 4 { word } else { option };
                (found.map(|_| shown), if attached.is_empty() { next } else { attached })
            } else {
                (Some(option).filter(|option| key == *option), value)
            };
            // A setting stands anywhere behind `git config`.
            let is_setting = option == "config" && last_setting.is_some_and(|last| at <= last);
            if let Some(shown) = shown
                && (is_setting || !is_harmless(value) && option != "config")
            {
                self.carries(&format!("{name} {shown}"));
            }
        }
    }

    /// Files that git reads by itself, here and in the directories above.
    fn git(&mut self, behind: &[String]) {
        for above in ["", "../", "../../"] {
            self.take(&format!("{above}.git/config"), true);
            GIT_HOOKS.iter().for_each(|hook| self.take(&format!("{above}.git/hooks/{hook}"), true));
        }
        let starts = |word: &String| word == "rebase" || word == "difftool";
        if behind.iter().any(starts) && behind.iter().any(|word| word.starts_with("-x")) {
            self.carries("git -x");
        }
        if behind.iter().any(|word| word == "clone") && behind.iter().any(|word| word.starts_with("-u")) {
            self.carries("git -u");
        }
        if behind.iter().any(|word| word.contains("ext::")) {
            self.carries("git ext::");
        }
    }

    /// Scripts of sed: a list of what starts nothing, behind a list of options.
    fn sed(&mut self, behind: &[String]) {
        let (mut scripts, mut operands) = (Vec::new(), Vec::new());
        let (mut has_script, mut is_known, mut is_end) = (false, true, false);
        let mut words = behind.iter();
        while let Some(word) = words.next() {
            if is_end || word == "-" || !word.starts_with('-') {
                operands.push(word.as_str());
                continue;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (key, value) = long.split_once('=').unwrap_or((long, ""));
                match key {
                    "" => is_end = true,
                    "expression" if long.len() > key.len() => scripts.push(value),
                    "file" if long.len() > key.len() => {}
                    "in-place" | "null-data" | "quiet" | "regexp-extended" | "separate" | "silent" => {}
                    _ => is_known = false,
                }
                has_script |= matches!(key, "expression" | "file");
                continue;
            }
            let letters = word[1..].trim_start_matches(['n', 'E', 'r', 's', 'u', 'z']);
            let value = letters.get(1..).filter(|value| !value.is_empty());
            match letters.chars().next() {
                None | Some('i') => {}
                Some('e') => scripts.extend(value.or_else(|| words.next().map(String::as_str))),
                Some('f') => drop(value.or_else(|| words.next().map(String::as_str))),
                Some(_) => is_known = false,
            }
            has_script |= letters.starts_with(['e', 'f']);
        }
        // A variable may stand for more than one word: then another operand is the script.
        let begin = usize::from(!has_script);
        scripts.extend(operands.iter().take(begin));
        let is_file = |word: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./+@%-".contains(c) || c == UNKNOWN;
            word.chars().all(is_plain) && !may_start(word)
        };
        let mut others = operands.iter().skip(begin);
        let is_plain = scripts.iter().all(|script| is_plain_sed(script));
        if !is_known || !is_plain || !others.all(|word| is_file(word) || is_plain_sed(word)) {
            self.carries("sed");
        }
    }

    /// Words that a command reads as a text of a shell.
    fn texts_of(&mut self, words: &[String]) {
        let mut rest = words.iter().skip_while(|word| self.is_before(word));
        let first = rest.next().map_or("", String::as_str);
        let rest: Vec<&str> = rest.map(String::as_str).skip_while(|word| *word == "--").collect();
        match first {
            "eval" => self.judge(&rest.join(" ")),
            "trap" => {
                let text = rest.first().filter(|word| !word.starts_with('-'));
                text.into_iter().for_each(|text| self.judge(text));
            }
            _ => {}
        }
    }

    /// The texts that shells of a program get, in the word of an option or in the next: `su -c TEXT`, `script -qcTEXT`.
    fn texts_behind(&mut self, behind: &[String]) {
        for (at, word) in behind.iter().enumerate() {
            let next = behind.get(at + 1).map(String::as_str);
            let text = if word.starts_with("--") {
                let (key, value) =
                    word.split_once('=').map_or((word.as_str(), None), |(key, value)| (key, Some(value)));
                let is_text = |option: &str| key.len() > 3 && option.starts_with(key);
                (is_text("--command") || is_text("--session-command")).then(|| value.or(next)).flatten()
            } else {
                let letters = word.strip_prefix('-').and_then(|letters| letters.split_once('c'));
                letters.and_then(|(_, text)| Some(text).filter(|text| !text.is_empty()).or(next))
            };
            text.into_iter().for_each(|text| self.judge(text));
        }
    }
}

/// An option of `sudo` with which the words behind it are a text of a shell.
fn opens_shell(word: &str) -> bool {
    ["-s", "--shell", "-i", "--login"].contains(&word)
}

/// A path that sed could run as a script: `s/a/b/e`, `1e`, `/x/e`.
fn may_start(word: &str) -> bool {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.chars().next() {
        Some('e') => rest == "e",
        Some('s') => substitution_starts(rest),
        Some('/') => {
            let command = rest[1..].split_once('/').map_or("", |halves| halves.1);
            let last = rest.rsplit('/').next().unwrap_or_default();
            let command = command.trim_start_matches(['I', 'M']);
            last.trim_start_matches(['I', 'M']) == "e"
                || command.starts_with('s') && substitution_starts(command)
        }
        _ => false,
    }
}

/// `s/a/b/e`, `s/a/b/gewFILE`: what stands behind `w` is a file.
fn substitution_starts(command: &str) -> bool {
    let delimiter = command[1..].chars().next().unwrap_or(' ');
    let flags = command.splitn(4, delimiter).nth(3);
    flags.is_some_and(|flags| flags.split('w').next().is_some_and(|flags| flags.contains('e')))
}

/// A script of sed whose commands are substitutions without `e` and `w`, and single letters that start and open nothing.
fn is_plain_sed(script: &str) -> bool {
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', ';', '{', '}']);
        let Some(c) = rest.chars().next() else { return true };
        rest = &rest[c.len_utf8()..];
        match c {
            '0'..='9' | '$' | ',' | '!' | '~' | '+' => {}
            'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'q' | 'x' | '=' => {}
            '/' => {
                let Some(after) = behind_delimiter(rest, '/') else { return false };
                rest = after.trim_start_matches(['I', 'M']);
            }
            // The texts reach to the end of the line.
            'a' | 'i' | 'c' => rest = rest.find('\n').map_or("", |at| &rest[at..]),
            's' | 'y' => {
                let Some(delimiter) = rest.chars().next().filter(char::is_ascii_punctuation) else {
                    return false;
                };
                let parts = behind_delimiter(&rest[1..], delimiter)
                    .and_then(|rest| behind_delimiter(rest, delimiter));
                let Some(after) = parts else { return false };
                rest = after.trim_start_matches(|c: char| "gpiIM".contains(c) || c.is_ascii_digit());
                if !rest.is_empty() && !rest.starts_with([' ', '\t', '\n', ';', '}']) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

fn behind_delimiter(text: &str, delimiter: char) -> Option<&str> {
    let mut signs = text.char_indices();
    while let Some((at, c)) = signs.next() {
        if c == delimiter {
            return Some(&text[at + c.len_utf8()..]);
        }
        if c == '\\' {
            signs.next();
        }
    }
    None
}
