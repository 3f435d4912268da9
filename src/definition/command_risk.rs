//! The risk of a shell command, judged by its words, for people who are asked about it. The judgement shows a risk and chooses how an
//! approval is confirmed; nothing is approved by it.
//!
//! Low is only what is known to be read-only, word by word. High is what is known to destroy, to publish, or to hide a program in an
//! option. Everything else keeps the middle: a construct that is not understood is never a reason for less. A program is taken by its
//! name; what its configuration makes it run is not seen.

use crate::Risk;
use cuelight_base::{is_shell, is_unseen};

/// A command of more bytes is judged by nothing but its length.
const JUDGED_BYTES_MAX: usize = 16 * 1024;
/// The deepest nesting of scripts within scripts that is judged.
const DEPTH_MAX: u32 = 4;
/// The bytes read of one command, including its scripts within scripts.
const READ_BYTES_MAX: usize = 24 * JUDGED_BYTES_MAX;
/// The bytes that each script adds to the read budget besides its own length.
const SCRIPT_BYTES: usize = 64;

/// A risk, and the part of the command that raised it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRisk {
    /// The damage that a wrong approval could do.
    pub risk: Risk,
    /// Why it is high; empty otherwise.
    pub why: String,
}

/// Judges a script of a POSIX shell.
pub fn command_risk(script: &str) -> CommandRisk {
    let mut judge = Judge { is_clear: true, high: None, read: 0 };
    if script.len() > JUDGED_BYTES_MAX {
        judge.raise("it is too long to be judged");
    } else {
        judge.script(script, 0);
    }
    judge.verdict()
}

/// Judges the words of a program that is started without a shell.
pub fn words_risk(words: &[String]) -> CommandRisk {
    let mut judge = Judge { is_clear: true, high: None, read: 0 };
    let words: Vec<Word> = words.iter().map(|word| Word { text: word.clone(), ..Word::default() }).collect();
    if words.iter().map(|word| word.text.len()).sum::<usize>() > JUDGED_BYTES_MAX {
        judge.raise("it is too long to be judged");
    } else {
        judge.command(&Simple { words, ..Simple::default() }, 0);
    }
    judge.verdict()
}

/// The words with which a program only reads.
enum Reads {
    /// With any words: none of its options or operands writes or starts something.
    Always,
    /// With these options alone. `valued` has the letters that take a value, which may follow in the same word.
    With { letters: &'static str, valued: &'static str, long: &'static str, operands: Operands },
    /// With these words that begin with a dash, numbers, and operands.
    Find(&'static str),
    /// The same with no subscript in an operand.
    Test(&'static str),
}

/// Words without a dash at their beginning; a value behind its option is one of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operands {
    /// Each names what is read.
    Read,
    /// None of them is understood.
    None,
    /// A format, with a plus at its beginning.
    Format,
}

/// Programs that change nothing.
const READERS: &[(&str, Reads)] = &[
    ("[", TEST),
    ("basename", Reads::Always),
    ("cat", Reads::Always),
    ("cd", Reads::Always),
    ("cmp", Reads::Always),
    ("comm", Reads::Always),
    ("cut", Reads::Always),
    (
        "date",
        Reads::With {
            letters: "uR",
            valued: "I",
            long: "--date --iso-8601 --rfc-3339 --rfc-email --universal --utc",
            operands: Operands::Format,
        },
    ),
    ("df", Reads::Always),
    (
        "diff",
        Reads::With {
            letters: "abBcdeEinNpqrstTuwy0123456789",
            valued: "CFIUWxX",
            long: "--brief --color --exclude --ignore-all-space --ignore-blank-lines --ignore-case \
                --ignore-space-change --new-file --recursive --report-identical-files --side-by-side \
                --strip-trailing-cr --text --unified --width",
            operands: Operands::Read,
        },
    ),
    ("dirname", Reads::Always),
    ("du", Reads::Always),
    ("echo", Reads::Always),
    ("egrep", Reads::Always),
    ("false", Reads::Always),
    ("fgrep", Reads::Always),
    (
        "file",
        Reads::With {
            letters: "0bEhikLNnrsv",
            valued: "eFfm",
            long: "--brief --dereference --mime --mime-encoding --mime-type --no-dereference",
            operands: Operands::Read,
        },
    ),
    ("find", Reads::Find(FIND)),
    ("grep", Reads::Always),
    ("head", Reads::Always),
    ("id", Reads::Always),
    ("jq", Reads::Always),
    ("ls", Reads::Always),
    ("nl", Reads::Always),
    ("printenv", Reads::Always),
    ("pwd", Reads::Always),
    ("readlink", Reads::Always),
    ("realpath", Reads::Always),
    ("rev", Reads::Always),
    (
        "rg",
        Reads::With {
            letters: "abcFhHiIlLnNopPqsSuUvVwx.0",
            valued: "ABCdeEfgjmMrtT",
            long: RG,
            operands: Operands::Read,
        },
    ),
    ("seq", Reads::Always),
    (
        "sort",
        Reads::With {
            letters: "bcCdfghiMmnRrsuVz",
            valued: "kSt",
            long: "--check --dictionary-order --field-separator --general-numeric-sort \
                --human-numeric-sort --ignore-case --ignore-leading-blanks --key --merge \
                --month-sort --numeric-sort --reverse --stable --unique --version-sort \
                --zero-terminated",
            operands: Operands::Read,
        },
    ),
    ("stat", Reads::Always),
    ("tac", Reads::Always),
    ("tail", Reads::Always),
    ("test", TEST),
    ("tr", Reads::Always),
    ("true", Reads::Always),
    ("type", Reads::Always),
    ("uname", Reads::Always),
    (
        "uniq",
        Reads::With {
            letters: "cdDiuz",
            valued: "fsw",
            long: "--all-repeated --count --group --ignore-case --repeated --skip-chars --skip-fields \
                --unique --zero-terminated",
            operands: Operands::None,
        },
    ),
    ("wc", Reads::Always),
    ("which", Reads::Always),
    ("whoami", Reads::Always),
];

/// The operators of `test` that compare texts and look at files. Those that name a variable (`-v`) run the code in a subscript; those
/// that compare numbers do so in some shells.
const TEST: Reads =
    Reads::Test("-a -b -c -d -e -ef -f -g -G -h -k -L -n -N -nt -o -O -ot -p -r -s -S -u -w -x -z");
const FIND: &str = "-a -amin -and -atime -cmin -ctime -daystart -depth -empty -executable -false -follow -gid -group \
    -H -ilname -iname -inum -ipath -iregex -iwholename -L -links -lname -ls -maxdepth -mindepth \
    -mmin -mount -mtime -name -newer -newerct -newermt -nogroup -not -nouser -o -or -P -path -perm \
    -print -print0 -printf -prune -quit -readable -regex -regextype -samefile -size -true -type -uid \
    -user -wholename -writable -xdev -xtype";
const RG: &str = "--after-context --before-context --case-sensitive --color --colors --column --context --count \
    --count-matches --crlf --encoding --file --files --files-with-matches --files-without-match \
    --fixed-strings --follow --glob --heading --help --hidden --iglob --ignore-case --invert-match \
    --json --line-number --line-regexp --max-columns --max-count --max-depth --multiline \
    --multiline-dotall --no-config --no-filename --no-heading --no-ignore --no-ignore-vcs \
    --no-line-number --no-messages --null --only-matching --passthru --pcre2 --pretty --quiet \
    --regexp --replace --smart-case --sort --sortr --stats --text --trim --type --type-list \
    --type-not --unrestricted --version --vimgrep --with-filename --word-regexp";

/// The subcommands of git that only read. The flag is true if operands, or options outside `GIT`, keep it
/// read-only.
const GIT_READERS: &[(&str, bool)] = &[
    ("blame", true),
    ("branch", false),
    ("describe", true),
    ("diff", true),
    ("log", true),
    ("ls-files", true),
    ("ls-tree", true),
    ("merge-base", true),
    ("remote", false),
    ("rev-list", true),
    ("rev-parse", true),
    ("shortlog", true),
    ("show", true),
    ("status", true),
    ("tag", false),
];
const GIT: Reads = Reads::With {
    letters: "abcdeEfFghilmopPqrRstuvwzD0123456789",
    valued: "nULGSxXMCB",
    long: "--abbrev --abbrev-commit --abbrev-ref --absolute-git-dir --after --ahead-behind \
                --all --always --ancestry-path --author --author-date-order --before --binary \
                --boundary --branch --branches --cached --candidates --cc --check --cherry-mark \
                --cherry-pick --children --color --color-words --committer --contains --count --date \
                --date-order --decorate --decorate-refs --deleted --diff-algorithm --diff-filter \
                --dirty --email --eol --error-unmatch --exact-match --exclude --exclude-standard \
                --exit-code --find-copies --find-renames --first-parent --follow --fork-point \
                --format --full-index --full-name --full-tree --git-common-dir --git-dir --graph \
                --grep --histogram --ignore-all-space --ignore-blank-lines --ignore-space-at-eol \
                --ignore-space-change --ignored --incremental --is-ancestor --is-bare-repository \
                --is-inside-work-tree --left-right --line-porcelain --long --match --max-count \
                --merge-base --merges --minimal --modified --name-only --name-status --no-abbrev \
                --no-color --no-decorate --no-ext-diff --no-index --no-merges --no-notes --no-patch \
                --no-prefix --no-renames --no-textconv --no-walk --not --numbered --numstat \
                --objects --octopus --oneline --others --parents --patch --patience --pickaxe-regex \
                --porcelain --pretty --quiet --raw --relative --remotes --reverse --root --short \
                --shortstat --show-cdup --show-current --show-email --show-prefix --show-stash \
                --show-toplevel --simplify-by-decoration --since --skip --stage --staged --stat \
                --summary --symbolic --symbolic-full-name --tags --text --topo-order --unified \
                --until --untracked-files --verify --word-diff",
    operands: Operands::Read,
};
/// The part of a format that has a signature checked, by a program that the configuration names.
const GIT_SIGNATURE: &str = "%G";
/// Words with which a listing of branches, tags or remotes stays one.
const GIT_LISTS: &[&str] =
    &["-a", "-r", "-v", "-vv", "-l", "--all", "--list", "--show-current", "--remotes", "--verbose"];
const GIT_PLAIN: &[&str] = &["--no-pager", "--no-optional-locks", "-P"];

/// Programs that start the program named among their words.
const WRAPPERS: &[&str] = &[
    "builtin",
    "busybox",
    "chroot",
    "command",
    "coproc",
    "doas",
    "env",
    "exec",
    "find",
    "flock",
    "ionice",
    "nice",
    "nohup",
    "nsenter",
    "parallel",
    "pkexec",
    "rsync",
    "runuser",
    "script",
    "setsid",
    "ssh",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "tar",
    "time",
    "timeout",
    "unshare",
    "watch",
    "xargs",
];
/// Words before which a command has not begun yet.
const LEADING: &[&str] =
    &["!", "{", "}", "do", "elif", "else", "if", "then", "until", "while", "time", "fi", "done"];

/// Programs that nobody takes back, whatever they are given.
const DESTROYERS: &[&str] = &[
    "blkdiscard",
    "cfdisk",
    "cryptsetup",
    "dd",
    "fdisk",
    "groupdel",
    "halt",
    "mkswap",
    "parted",
    "poweroff",
    "reboot",
    "sfdisk",
    "sgdisk",
    "shred",
    "shutdown",
    "srm",
    "truncate",
    "userdel",
    "wipefs",
];
/// Programs that act as somebody else.
const AS_ANOTHER: &[&str] = &["doas", "pkexec", "runuser", "su", "sudo"];

/// A program with a word that makes it final; a word that ends with `*` stands for all that begin so.
const FINAL_WORDS: &[(&str, &[&str])] = &[
    ("aws", &["delete*", "terminate*", "rb", "rm", "deregister*", "purge*"]),
    ("az", &["delete*", "purge*", "deallocate"]),
    ("cargo", &["publish", "yank"]),
    ("chgrp", &["-R*", "--recursive"]),
    ("chmod", &["-R*", "--recursive"]),
    ("chown", &["-R*", "--recursive"]),
    ("crontab", &["-r*"]),
    ("docker", &["prune", "rm", "rmi", "--volumes", "push"]),
    ("dropdb", &["*"]),
    ("gcloud", &["delete*"]),
    ("gem", &["push", "yank"]),
    ("gh", &["delete*"]),
    ("gsutil", &["rm", "rb"]),
    ("helm", &["uninstall", "delete", "del", "un"]),
    ("iptables", &["-F*", "-X*", "--flush"]),
    ("kubectl", &["delete", "drain", "--force"]),
    ("lvremove", &["*"]),
    ("mc", &["rm", "rb"]),
    ("mysqladmin", &["drop"]),
    ("nft", &["flush", "delete"]),
    ("npm", &["publish", "unpublish"]),
    ("oc", &["delete", "drain", "--force"]),
    ("pnpm", &["publish", "unpublish"]),
    ("podman", &["prune", "rm", "rmi", "--volumes", "push"]),
    ("pulumi", &["destroy"]),
    ("redis-cli", &["flushall", "flushdb", "FLUSHALL", "FLUSHDB"]),
    ("rsync", &["--delete*", "--remove-source-files"]),
    ("terraform", &["destroy", "-destroy", "rm", "-auto-approve", "force-unlock"]),
    ("tofu", &["destroy", "-destroy", "rm", "-auto-approve", "force-unlock"]),
    ("twine", &["upload"]),
    ("vgremove", &["*"]),
    ("yarn", &["publish", "unpublish"]),
    ("zfs", &["destroy", "rollback"]),
    ("zpool", &["destroy"]),
];

/// The same of git.
const GIT_FINAL: &[(&str, &[&str])] = &[
    ("branch", &["-D*", "--delete", "-d*"]),
    ("clean", &["-f*", "-df", "-fd", "-xf", "-xdf", "-dxf", "-ffdx", "--force"]),
    ("filter-branch", &["*"]),
    ("filter-repo", &["*"]),
    ("gc", &["--prune*", "--aggressive"]),
    ("push", &["-f*", "--force*", "--mirror", "--delete", "-d*", "--prune", "+*", ":*"]),
    ("reflog", &["expire", "delete"]),
    ("reset", &["--hard"]),
    ("stash", &["drop", "clear"]),
    ("tag", &["-d*", "--delete"]),
    ("update-ref", &["-d*", "--delete"]),
];

/// Parts of words that start a program in a command that does not look like it: of any program …
const HIDDEN: &[&str] = &[
    "--checkpoint-action",
    "--to-command",
    "--use-compress-program",
    "--compress-program",
    "--rsh",
    "--rsync-path",
    "--upload-pack",
    "--receive-pack",
    "--ext-diff",
    "--unzip-command",
    "--pre=",
    "--hostname-bin",
    "--info-script",
    "--new-volume-script",
    "--rmt-command",
    "--rsh-command",
    "proxycommand",
    "localcommand",
    "knownhostscommand",
    "core.pager",
    "core.sshcommand",
    "core.fsmonitor",
    "core.editor",
    "core.hookspath",
    "core.askpass",
    "diff.external",
    "gpg.program",
    "sequence.editor",
    "credential.helper",
    "alias.",
    "--config-env",
    "ext::",
    "--exec-path=",
];
/// … and variables that do, for what is started with them.
const HIDDEN_VARIABLES: &[&str] = &[
    "BASH_ENV",
    "BROWSER",
    "EDITOR",
    "ENV",
    "GIT_ASKPASS",
    "GIT_CONFIG",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_TEMPLATE_DIR",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LESSOPEN",
    "MANPAGER",
    "NODE_OPTIONS",
    "PAGER",
    "PATH",
    "PERL5OPT",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYOPT",
    "RUSTC_WRAPPER",
    "SHELLOPTS",
    "SSH_ASKPASS",
    "TAR_OPTIONS",
    "VISUAL",
];

/// Statements that nobody takes back, in lower case with single blanks.
const FINAL_STATEMENTS: &[&str] = &[
    "drop table",
    "drop database",
    "drop schema",
    "drop view",
    "drop user",
    "drop role",
    "drop index",
    "drop column",
    "truncate table",
    "truncate only",
    "delete from",
    "dropdatabase(",
    ".drop()",
    "deletemany(",
    "rmtree(",
    "flushall",
    "flushdb",
];

/// One word, as the shell would hand it on.
#[derive(Clone, Debug, Default)]
struct Word {
    text: String,
    /// Something in it is put in by the shell: a variable, a pattern, a list in braces.
    expands: bool,
    /// That stands at its beginning.
    begins_expanded: bool,
}

/// A program and its words.
#[derive(Debug, Default)]
struct Simple {
    words: Vec<Word>,
    /// It reads what the one before it writes.
    is_fed: bool,
    /// It writes to a file.
    writes: bool,
}

impl Simple {
    /// Takes the word that has ended.
    fn end(&mut self, word: &mut Option<Word>) {
        self.words.extend(word.take());
    }
}

struct Judge {
    /// Every word so far was understood, and only reads.
    is_clear: bool,
    /// Why it is high.
    high: Option<String>,
    /// Bytes read so far.
    read: usize,
}

impl Judge {
    fn verdict(self) -> CommandRisk {
        match (self.high, self.is_clear) {
            (Some(why), _) => CommandRisk { risk: Risk::Irreversible, why },
            (None, true) => CommandRisk { risk: Risk::ReadOnly, why: String::new() },
            (None, false) => CommandRisk { risk: Risk::ExternallyReversible, why: String::new() },
        }
    }

    fn raise(&mut self, why: &str) {
        self.high.get_or_insert_with(|| why.to_owned());
    }

    fn script(&mut self, text: &str, depth: u32) {
        self.read += text.len() + SCRIPT_BYTES;
        if depth > DEPTH_MAX || self.read > READ_BYTES_MAX {
            return self.raise("it is too deep to be judged");
        }
        let plain = |c: char| c == '\n' || c == '\t' || !is_unseen(c);
        self.is_clear &= text.chars().all(plain) && !text.trim().is_empty();
        let all = self.split(text, depth);
        for simple in &all {
            self.command(simple, depth);
        }
        // Quotation marks in a text that is handed on hide nothing that comes after it.
        if text.contains("<<") && text.trim().contains('\n') {
            text.lines().for_each(|line| self.script(line, depth + 1));
        }
        let names: Vec<&str> = all.iter().map(|simple| name(&simple.words)).collect();
        // A change of the directory chooses whose configuration git reads.
        if names.contains(&"cd") && names.contains(&"git") {
            self.is_clear = false;
        }
        // What a shell reads from a pipe was written by the words before it.
        if all.iter().any(|simple| simple.is_fed && takes_code(&simple.words)) {
            if names.iter().any(|name| ["curl", "wget", "fetch", "nc", "ncat"].contains(name)) {
                self.raise("a shell runs what an address answers");
            }
            for word in all.iter().flat_map(|simple| &simple.words) {
                self.script(&word.text, depth + 1);
            }
        }
    }

    /// Commands of a script, each by itself. What is put in by another command is judged as one of its own.
    fn split(&mut self, text: &str, depth: u32) -> Vec<Simple> {
        let mut all = Vec::new();
        let mut now = Simple::default();
        let mut word: Option<Word> = None;
        let letters: Vec<char> = text.chars().collect();
        let mut at = 0;
        while let Some(letter) = letters.get(at).copied() {
            let next = letters.get(at + 1).copied();
            at += 1;
            match letter {
                '\\' if next == Some('\n') => at += 1,
                '\\' if next == Some('\n') => at += 1,
                '\\' | '\'' | '"' | '$' | '`' => {
                    at = self.letter(&letters, at - 1, word.get_or_insert_default(), depth);
                }
                ' ' | '\t' => now.end(&mut word),
                '#' if word.is_none() => {
                    at += letters[at..].iter().take_while(|c| **c != '\n').count();
                }
                '>' | '<' => at = self.redirected(&letters, at - 1, &mut now, &mut word, depth),
                '&' if next == Some('>') => now.end(&mut word),
                ';' | '&' | '|' | '\n' | '(' | ')' => {
                    now.end(&mut word);
                    self.is_clear &= !"()".contains(letter);
                    let is_pipe =
                        letter == '|' && next != Some('|') && letters.get(at.wrapping_sub(2)) != Some(&'|');
                    let is_fed = is_pipe || now.is_fed && now.words.is_empty();
                    all.push(std::mem::take(&mut now));
                    now.is_fed = is_fed;
                }
                '*' | '?' | '[' | '{' if letter != '[' || next.is_some_and(|c| c != ' ') => {
                    let word = word.get_or_insert_default();
                    // A list in braces may become any word, a pattern only a name that is there.
                    word.begins_expanded |=
                        letter == '{' && next != Some(' ') || word.text.is_empty() && letter != '{';
                    word.expands = true;
                    word.text.push(letter);
                }
                _ => word.get_or_insert_default().text.push(letter),
            }
        }
        now.end(&mut word);
        all.push(now);
        all.retain(|simple| !simple.words.is_empty() || simple.writes);
        all
    }

    /// Takes what stands in double quotes, and gives back where it ends.
    fn double_quoted(&mut self, letters: &[char], from: usize, word: &mut Word, depth: u32) -> usize {
        let mut at = from;
        while let Some(letter) = letters.get(at).copied() {
            match letter {
                '"' => return at + 1,
                '\\' => {
                    word.text.extend(letters.get(at + 1));
                    at += 2;
                }
                '$' | '`' => at = self.expansion(letters, at, word, depth),
                _ => {
                    word.text.push(letter);
                    at += 1;
                }
            }
        }
        self.unended(&letters[from.min(letters.len())..].iter().collect::<String>(), depth);
        at
    }

    /// A quotation mark without its second may be none: what follows it is judged as well.
    fn unended(&mut self, text: &str, depth: u32) {
        self.is_clear = false;
        self.script(text, depth + 1);
    }

    /// Takes what begins with `$` or a backtick, and gives back where it ends.
    fn expansion(&mut self, letters: &[char], at: usize, word: &mut Word, depth: u32) -> usize {
        let next = letters.get(at + 1).copied();
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        word.begins_expanded |= word.text.is_empty();
        word.expands = true;
        match (letters[at], next) {
            ('`', _) | ('$', Some('(')) => {
                self.is_clear = false;
                let from = if letters[at] == '`' { at + 1 } else { at + 2 };
                let mut open = 1;
                let end = letters[from..].iter().position(|c| {
                    open += match (letters[at], c) {
                        ('`', '`') | ('$', ')') => -1,
                        ('$', '(') => 1,
                        _ => 0,
                    };
                    open == 0
                });
                let end = end.map_or(letters.len(), |index| from + index);
                let inside: String = letters[from..end].iter().collect();
                self.script(&inside, depth + 1);
                end + 1
            }
            ('$', Some('{')) => {
                let inside: Vec<char> =
                    letters[at + 2..].iter().take_while(|c| **c != '}').copied().collect();
                // More than a name computes, assigns, or runs something.
                self.is_clear &= !inside.is_empty() && inside.iter().all(is_name);
                word.text.push('$');
                at + 3 + inside.len()
            }
            ('$', Some(c)) if is_name(&c) => {
                word.text.push('$');
                at + 1 + letters[at + 1..].iter().take_while(|letter| is_name(letter)).count()
            }
            ('$', Some('\'' | '"')) => {
                self.is_clear = false;
                let inside: String = letters[at + 2..].iter().take_while(|c| **c != '\'').collect();
                if ["\\x", "\\u", "\\U", "\\0", "\\1"].iter().any(|text| inside.contains(text)) {
                    self.raise("letters are written by their numbers");
                }
                at + 1
            }
            _ => {
                // `$[…]` computes, `$~x` and `$^x` are an expansion in some shells.
                self.is_clear &= next.is_none_or(|c| c.is_whitespace() || "?$!#@*-\"/.,;|&)".contains(c));
                word.text.push('$');
                at + 1
            }
        }
    }

    /// Takes a redirection with the word behind it, and gives back where it ends.
    fn redirected(
        &mut self,
        letters: &[char],
        mut at: usize,
        now: &mut Simple,
        word: &mut Option<Word>,
        depth: u32,
    ) -> usize {
        // A number before it is that of a descriptor.
        match word.take() {
            Some(word) if word.text.chars().all(|c| c.is_ascii_digit()) => {}
            other => now.words.extend(other),
        }
        let from = at;
        at += letters[at..].iter().take_while(|c| "<>&|".contains(**c)).count();
        let sign: String = letters[from..at].iter().collect();
        at += letters[at..].iter().take_while(|c| " \t".contains(**c)).count();
        let (target, end) = self.target(letters, at, depth);
        let bare = target.text.as_str();
        let is_descriptor = sign.ends_with('&') && bare.chars().all(|c| c.is_ascii_digit() || c == '-');
        let is_nothing = ["/dev/null", "/dev/stdout", "/dev/stderr"].contains(&bare);
        // A name that the shell makes up may be that of a device, or of an address.
        let reads = sign == "<" && !bare.is_empty() && !target.begins_expanded && !bare.starts_with("/dev/");
        if bare.starts_with("/dev/") && sign.contains('>') && !is_nothing && !bare.starts_with("/dev/tty") {
            self.raise("it writes to a device");
        }
        if !(is_descriptor || is_nothing || reads) {
            self.is_clear = false;
            now.writes = true;
        }
        // A here-document, a process, or a sign that no shell has: its words are read as words of the command as well.
        if sign == "<" || sign.contains('>') { end } else { at }
    }

    /// The word that a redirection opens, read like any other word, and the place where it ends.
    fn target(&mut self, letters: &[char], from: usize, depth: u32) -> (Word, usize) {
        let (mut word, mut at) = (Word::default(), from);
        while let Some(letter) = letters.get(at).copied() {
            match letter {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '*' | '?' | '[' | '{' => {
                    word.begins_expanded |= word.text.is_empty() || letter == '{';
                    word.expands = true;
                    word.text.push(letter);
                    at += 1;
                }
                _ => at = self.letter(letters, at, &mut word, depth),
            }
        }
        (word, at)
    }

    /// Takes a letter of a word with all that it quotes or expands, and gives back where that ends.
    fn letter(&mut self, letters: &[char], at: usize, word: &mut Word, depth: u32) -> usize {
        match letters[at] {
            '\\' => {
                word.text.extend(letters.get(at + 1).filter(|c| **c != '\n'));
                at + 2
            }
            '\'' => {
                let inside: String = letters[at + 1..].iter().take_while(|c| **c != '\'').collect();
                word.text.push_str(&inside);
                let end = at + inside.chars().count() + 2;
                if end > letters.len() {
                    self.unended(&inside, depth);
                }
                end
            }
            '"' => self.double_quoted(letters, at + 1, word, depth),
            '$' | '`' => self.expansion(letters, at, word, depth),
            letter => {
                word.text.push(letter);
                at + 1
            }
        }
    }

    fn command(&mut self, simple: &Simple, depth: u32) {
        self.is_clear &= !simple.writes;
        let mut words = simple.words.as_slice();
        while let Some(first) = words.first() {
            let variable = first.text.split_once('=').map(|halves| halves.0.trim_end_matches('+'));
            let is_name = |variable: &str| {
                !variable.is_empty() && variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            if let Some(variable) = variable.filter(|variable| is_name(variable)) {
                self.variable(variable);
            } else if !LEADING.contains(&first.text.as_str()) {
                break;
            }
            self.is_clear = false;
            words = &words[1..];
        }
        let Some(first) = words.first() else { return };
        self.is_clear &= !first.expands && only_reads(words);
        if first.expands && !first.begins_expanded && !first.text.starts_with('[') {
            self.raise("the name of the program is put together");
        }
        for word in words {
            self.parts(&word.text);
        }
        self.harm(words, depth);
        if WRAPPERS.contains(&name(words)) {
            for from in 1..words.len() {
                let word = &words[from].text;
                if let Some((variable, _)) = word.split_once('=') {
                    self.variable(variable);
                }
                // Some take the command as one word.
                if word.contains(char::is_whitespace) {
                    self.script(word, depth + 1);
                }
                self.harm(&words[from..], depth);
            }
        }
    }

    fn variable(&mut self, name: &str) {
        self.is_clear = false;
        if HIDDEN_VARIABLES.contains(&name) || name.starts_with("GIT_CONFIG") {
            self.raise(&format!("the variable {name} can start another program"));
        }
    }

    /// Raises words that start a program, and statements that are final, wherever they stand.
    fn parts(&mut self, word: &str) {
        let low = word.to_lowercase();
        if let Some(part) = HIDDEN.iter().find(|text| low.contains(**text)) {
            self.raise(&format!("{} can start another program", part.trim_end_matches(['=', '.', ':'])));
        }
        let flat = low.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(statement) =
            FINAL_STATEMENTS.iter().find(|final_statement| flat.contains(**final_statement))
        {
            self.raise(&format!("nobody takes back `{statement}`"));
        }
    }

    /// Raises what is known to be final.
    fn harm(&mut self, words: &[Word], depth: u32) {
        let name = name(words);
        let rest = &words[1.min(words.len())..];
        let has = |parts: &[&str]| rest.iter().find(|word| parts.iter().any(|part| fits(&word.text, part)));
        if AS_ANOTHER.contains(&name) {
            self.raise(&format!("{name} acts as another user"));
        }
        if DESTROYERS.contains(&name) || name.starts_with("mkfs") {
            self.raise(&format!("nobody takes back {name}"));
        }
        if ["rm", "unlink"].contains(&name) {
            let is_recursive = |word: &&Word| {
                let is_short = word.text.starts_with('-') && !word.text.starts_with("--");
                is_short && word.text.contains(['r', 'R'])
                    || word.text.len() > 2 && "--recursive".starts_with(word.text.as_str())
            };
            if rest.iter().any(|word| is_recursive(&word) || word.text.contains('*')) {
                self.raise("rm deletes more than it names");
            }
        }
        if name == "find" && has(&["-delete"]).is_some() {
            self.raise("find deletes what it finds");
        }
        let listed = FINAL_WORDS
            .iter()
            .find(|final_word| final_word.0 == name)
            .and_then(|final_word| has(final_word.1));
        if let Some(word) = listed {
            self.raise(&format!("nobody takes back {name} {}", word.text));
        }
        if name == "git" {
            let of = |pair: &&(&str, &[&str])| rest.iter().any(|word| word.text == pair.0);
            let found = GIT_FINAL.iter().filter(of).find_map(|pair| Some((pair.0, has(pair.1)?)));
            if let Some((act, word)) = found {
                self.raise(&format!("nobody takes back git {act} {}", word.text));
            }
        }
        if name == "tar" && has(&["-I*", "-F*"]).is_some() {
            self.raise("an option of tar starts another program");
        }
        let is_code = |word: &Word| {
            word.text.starts_with('-') && !word.text.starts_with("--") && word.text.ends_with('c')
        };
        if is_shell(name)
            || name == "eval"
            || name == "su"
            || name == "ssh"
            || name == "trap"
            || name == "alias"
        {
            let all: Vec<&str> = rest.iter().map(|word| word.text.as_str()).collect();
            if name == "eval" || name == "ssh" {
                self.script(&all.join(" "), depth + 1);
            }
            if name == "alias" {
                all.iter()
                    .filter_map(|text| text.split_once('='))
                    .for_each(|halves| self.script(halves.1, depth + 1));
            }
            if name == "trap" || rest.iter().any(is_code) {
                all.iter().for_each(|text| self.script(text, depth + 1));
            }
        }
    }
}

/// The name of the program that is started.
fn name(words: &[Word]) -> &str {
    words.first().map_or("", |word| word.text.rsplit('/').next().unwrap_or_default())
}

/// A shell, or an interpreter that reads a script from its input, also behind a program that starts it.
fn takes_code(words: &[Word]) -> bool {
    let reads = |at: usize| {
        let name = name(&words[at..]);
        is_shell(name)
            || ["python", "python3", "perl", "ruby", "node", "source", ".", "xargs"].contains(&name)
    };
    let starts = WRAPPERS.contains(&name(words));
    (0..words.len()).take(if starts { usize::MAX } else { 1 }).any(reads)
}

/// True if a word matches a pattern. A pattern that ends with `*` matches every word that begins with the
/// part before it.
fn fits(word: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(word == pattern, |rest| word.starts_with(rest))
}

/// A command that is known to change nothing, whatever stands in the files it reads.
fn only_reads(words: &[Word]) -> bool {
    let (Some(program), rest) = (words.first(), &words[1..]) else { return false };
    // A program may evaluate what the shell has left as it was.
    if words.iter().any(|word| word.text.contains('`') || word.text.contains("$(")) {
        return false;
    }
    // A path may lead to any program of that name.
    if program.text == "git" {
        return git_only_reads(rest);
    }
    READERS.iter().find(|reader| program.text == reader.0).is_some_and(|reader| reader.1.fit(rest))
}

fn git_only_reads(rest: &[Word]) -> bool {
    let rest: Vec<&Word> = rest.iter().skip_while(|word| GIT_PLAIN.contains(&word.text.as_str())).collect();
    let Some((act, rest)) = rest.split_first() else { return false };
    let Some((_, operands)) = GIT_READERS.iter().find(|git_reader| git_reader.0 == act.text) else {
        return false;
    };
    rest.iter().all(|word| {
        let fits = if *operands { GIT.fits(word) } else { GIT_LISTS.contains(&word.text.as_str()) };
        !word.begins_expanded && fits && !word.text.contains(GIT_SIGNATURE)
    })
}

impl Reads {
    /// True if the program only reads with these words. A word whose beginning comes from a shell expansion
    /// may be any option.
    fn fit(&self, rest: &[Word]) -> bool {
        matches!(self, Self::Always) || rest.iter().all(|word| !word.begins_expanded && self.fits(word))
    }

    fn fits(&self, word: &Word) -> bool {
        let text = word.text.as_str();
        match self {
            Self::Always => true,
            Self::Find(known) | Self::Test(known) => match text.strip_prefix('-') {
                Some(rest) => has(known, text) || rest.starts_with(|c: char| c.is_ascii_digit()),
                None => matches!(self, Self::Find(_)) || text == "]" || !text.contains('['),
            },
            Self::With { letters, valued, long, operands } => {
                let Some(short) = text.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
                    return match operands {
                        Operands::Read => true,
                        Operands::None => false,
                        Operands::Format => text.starts_with('+'),
                    };
                };
                if text == "--" {
                    // A word behind it is an operand, whatever it begins with.
                    return *operands == Operands::Read;
                }
                if text.starts_with("--") {
                    return has(long, text.split('=').next().unwrap_or(text));
                }
                let mut flags = short.chars().skip_while(|c| letters.contains(*c));
                flags.next().is_none_or(|c| valued.contains(c))
            }
        }
    }
}

/// True if `word` is in `list`, a list separated by whitespace.
fn has(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}
