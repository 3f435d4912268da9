//! Programs that change nothing, and the words with which they only read.

use super::script::Word;

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

/// A command that is known to change nothing, whatever stands in the files it reads.
pub(super) fn only_reads(words: &[Word]) -> bool {
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
