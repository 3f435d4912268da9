//! Words that destroy, publish, act as another user, or start a hidden program.

use super::script::Word;
use super::{Judge, fits, name};
use cuelight_base::is_shell;

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

impl Judge {
    pub(super) fn variable(&mut self, name: &str) {
        self.is_clear = false;
        if HIDDEN_VARIABLES.contains(&name) || name.starts_with("GIT_CONFIG") {
            self.raise(&format!("the variable {name} can start another program"));
        }
    }

    /// Raises words that start a program, and statements that are final, wherever they stand.
    pub(super) fn parts(&mut self, word: &str) {
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
    pub(super) fn harm(&mut self, words: &[Word], depth: u32) {
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
