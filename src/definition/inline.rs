//! Programs that read an argument as code in a language of their own: where in a command that code stands.
//!
//! The splitting of a command into words is told in `shell`.

/// A language, and how its interpreter is told that an argument is code.
struct Language {
    names: &'static [&'static str],
    /// Letters of a short option whose argument is code …
    letters: &'static str,
    /// … unless one of these stands before them, which takes the rest of the word for itself.
    ends: &'static str,
    /// The same, spelled out.
    long: &'static [&'static str],
    /// Options whose argument is the next word.
    with_value: &'static [&'static str],
    /// True if the first operand is the program.
    program_first: bool,
    /// The code with which this language reads the variable `VALUE`.
    reads: &'static str,
}

const FLAGGED: Language = Language {
    names: &[],
    letters: "e",
    ends: "",
    long: &[],
    with_value: &[],
    program_first: false,
    reads: "",
};

const LANGUAGES: &[Language] = &[
    Language {
        names: &["python", "pypy"],
        letters: "c",
        ends: "mWX",
        with_value: &["-W", "-X"],
        reads: "os.environ[\"VALUE\"]",
        ..FLAGGED
    },
    Language { names: &["perl"], letters: "eE", ends: "MmIFiDVxC", reads: "$ENV{VALUE}", ..FLAGGED },
    Language {
        names: &["ruby"],
        ends: "rICEFKTWxi",
        with_value: &["-r", "-I", "-C"],
        reads: "ENV[\"VALUE\"]",
        ..FLAGGED
    },
    Language {
        names: &["node", "nodejs", "bun", "deno"],
        letters: "ep",
        ends: "r",
        long: &["--eval", "--print", "eval"],
        with_value: &["-r", "--require"],
        reads: "process.env.VALUE",
        ..FLAGGED
    },
    Language { names: &["php"], letters: "rBRE", ends: "dczf", reads: "getenv(\"VALUE\")", ..FLAGGED },
    Language { names: &["lua", "luajit"], ends: "l", reads: "os.getenv(\"VALUE\")", ..FLAGGED },
    Language {
        names: &["awk", "gawk", "mawk", "nawk"],
        ends: "vFfil",
        long: &["--source"],
        with_value: &["-v", "-F", "-i", "-l", "--assign", "--field-separator"],
        program_first: true,
        reads: "ENVIRON[\"VALUE\"]",
        ..FLAGGED
    },
    Language {
        names: &["sed", "gsed"],
        ends: "fil",
        long: &["--expression"],
        with_value: &["-l", "--line-length"],
        program_first: true,
        reads: "\"${VALUE}\" in the shell or with awk: sed knows no variables",
        ..FLAGGED
    },
];

/// A command of such a program, as far as its words have been read.
pub(super) struct Inline {
    language: &'static Language,
    /// The next word is code.
    code_next: bool,
    /// The next word belongs to the option before it.
    value_next: bool,
    /// The next operand is the program.
    program_due: bool,
    /// The program comes from a file, or an operand names one.
    from_file: bool,
    /// The program is said to come by the standard input.
    from_input: bool,
    /// All that follows counts as code: arguments of the code are not told apart from it.
    all: bool,
}

/// The language of a program with this name. One whose first operand is code is only meant where a command may stand.
pub(super) fn called(name: &str, may_be_command: bool) -> Option<Inline> {
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let language = LANGUAGES.iter().find(|language| language.names.contains(&plain))?;
    (may_be_command || !language.program_first).then_some(Inline {
        language,
        code_next: false,
        value_next: false,
        program_due: language.program_first,
        from_file: false,
        from_input: false,
        all: false,
    })
}

impl Inline {
    /// True if the word that begins like this is code, or holds some.
    pub(super) fn reads(&self, word: &str) -> bool {
        if self.all || self.code_next {
            return true;
        }
        if self.value_next {
            return false;
        }
        if word.starts_with('-') && word != "-" { self.tells_of_code(word) } else { self.program_due }
    }

    /// True if the standard input is read as code.
    pub(super) fn reads_input(&self) -> bool {
        if self.language.program_first { self.from_file } else { self.from_input || !self.from_file }
    }

    pub(super) fn end_word(&mut self, word: &str) {
        if std::mem::take(&mut self.value_next) {
            return;
        }
        if std::mem::take(&mut self.code_next) {
            return;
        }
        if self.tells_of_code(word) {
            // Of awk and sed other operands are data; of the others the code is followed by its own arguments.
            self.code_next = self.language.program_first && !word.contains('=');
            self.all = !self.language.program_first;
            self.program_due = false;
        } else if self.language.with_value.contains(&word) {
            self.value_next = true;
        } else if self.language.program_first && (word == "-f" || word == "--file") {
            (self.value_next, self.from_file, self.program_due) = (true, true, false);
        } else if word == "-" {
            self.from_input |= !self.from_file;
        } else if !word.starts_with('-') {
            self.from_file |= !self.language.program_first;
            self.program_due = false;
        }
    }

    /// The advice that replaces the expression in the code: a variable under `env:`.
    pub(super) fn help(&self) -> String {
        format!("set a variable under `env:` to the expression and read that: {}", self.language.reads)
    }

    fn tells_of_code(&self, word: &str) -> bool {
        let language = self.language;
        let is_long = |prefix: &str| {
            let rest = word.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        if language.long.iter().any(|text| is_long(text)) {
            return true;
        }
        match word.strip_prefix('-') {
            Some(letters) if !letters.starts_with('-') => {
                let mut letters = letters.chars().take_while(|c| !language.ends.contains(*c));
                letters.any(|c| language.letters.contains(c))
            }
            Some(_) | None => false,
        }
    }
}
