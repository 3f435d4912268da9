//! Programs, options and variables that are known to read, start or set something by the words of a call.

/// Programs that read files of their working directory by themselves, and these files.
pub(super) const RUNNERS: &[(&[&str], &[&str])] = &[
    (&["make", "gmake"], &["GNUmakefile", "makefile", "Makefile"]),
    (&["just"], &["justfile", "Justfile", ".justfile"]),
    (&["task", "go-task"], &["Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml"]),
    (
        &["npm", "npx", "yarn", "pnpm", "bun"],
        &[
            "package.json",
            "package-lock.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lockb",
            ".npmrc",
            ".pnpmfile.cjs",
            ".yarnrc",
            ".yarnrc.yml",
            "bunfig.toml",
            "pnpm-workspace.yaml",
        ],
    ),
    (
        &["pip", "pip3", "pipx", "uv", "poetry", "pytest"],
        &["setup.py", "setup.cfg", "pyproject.toml", "conftest.py", "pytest.ini", "pip.conf", "uv.toml"],
    ),
    (&["pre-commit"], &[".pre-commit-config.yaml"]),
    (&["deno"], &["deno.json", "deno.jsonc"]),
    (&["rake", "bundle"], &["Rakefile", "rakefile", "Rakefile.rb", "Gemfile", "Gemfile.lock"]),
    (
        &["gradle", "gradlew"],
        &["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradle.properties"],
    ),
    (&["mvn", "mvnw"], &["pom.xml"]),
    (&["ant"], &["build.xml"]),
    (&["cargo"], &["Cargo.toml", "Cargo.lock", "build.rs", ".cargo/config.toml"]),
    (&["cmake", "ctest"], &["CMakeLists.txt", "CMakePresets.json"]),
    (&["ninja"], &["build.ninja"]),
    (&["tox", "nox", "invoke", "fab"], &["tox.ini", "noxfile.py", "tasks.py", "fabfile.py"]),
    (
        &["docker", "docker-compose", "podman", "podman-compose", "buildah"],
        &[
            "Dockerfile",
            "Containerfile",
            "compose.yaml",
            "compose.yml",
            "docker-compose.yml",
            "docker-compose.yaml",
            ".dockerignore",
            ".env",
        ],
    ),
    (
        &["terraform", "tofu", "terragrunt"],
        &["*.tf", "*.tf.json", "*.tfvars", "terragrunt.hcl", ".terraform.lock.hcl"],
    ),
    (&["ansible", "ansible-playbook"], &["ansible.cfg"]),
    (
        &["helm", "kubectl", "kustomize"],
        &["kustomization.yaml", "kustomization.yml", "Chart.yaml", "values.yaml"],
    ),
    (&["packer", "nomad"], &["*.pkr.hcl"]),
    (&["pulumi"], &["Pulumi.yaml"]),
    (&["skaffold"], &["skaffold.yaml"]),
    (&["serverless", "sls"], &["serverless.yml"]),
    (&["vagrant"], &["Vagrantfile"]),
];
/// Words behind which the rest of a command may name the directory that it works in.
pub(super) const GOES: &[&str] = &[
    "cd",
    "pushd",
    "chroot",
    "-C",
    "-D",
    "--directory",
    "--dir",
    "--chdir",
    "-chdir",
    "--prefix",
    "--cwd",
    "--root",
    "--wd",
    "--workdir",
    "--working-directory",
    "--project-directory",
];
/// Programs beside the known interpreters that read a file which their first operand names.
pub(super) const READERS: &[&str] = &[
    ".",
    "source",
    "bun",
    "csh",
    "deno",
    "elixir",
    "escript",
    "expect",
    "fish",
    "groovy",
    "guile",
    "ipython",
    "julia",
    "ksh93",
    "mksh",
    "osascript",
    "pwsh",
    "racket",
    "rbash",
    "tclsh",
    "tcsh",
    "ts-node",
    "tsx",
    "wish",
    "yash",
];
/// Options of interpreters whose value, the next word, is a file that is read; short ones by their last
/// letter.
pub(super) const READS_VALUE: &[&str] = &["--require", "--import", "--loader", "--rcfile", "--init-file"];
pub(super) const READS_VALUE_LETTER: char = 'r';
/// Last letters of options behind which the next word is a value: of shells, and, for one or another, of
/// other interpreters.
pub(super) const VALUE_LETTERS_OF_SHELLS: &[char] = &['o', 'O'];
pub(super) const VALUE_LETTERS: &[char] = &['C', 'E', 'I', 'S', 'W', 'X', 'd', 'l'];
/// Programs that read their script from the file behind `-f`.
pub(super) const READS_F: &[&str] = &["awk", "gawk", "mawk", "nawk", "sed", "gsed"];
/// Programs that start every file of a directory.
pub(super) const STARTS_ALL: &[&str] = &["run-parts"];
/// Words of `find` behind which it starts what it finds.
pub(super) const STARTS_FOUND: &[&str] = &["-exec", "-execdir", "-ok", "-okdir"];
/// Commands that open and start nothing by their words.
pub(super) const INERT: &[&str] = &[
    ":", "[", "[[", "break", "case", "continue", "declare", "echo", "exit", "export", "expr", "false", "for",
    "kill", "local", "printf", "readonly", "return", "select", "seq", "set", "shift", "sleep", "test",
    "true", "type", "typeset", "umask", "unset", "wait", "which",
];
/// Words of a shell before which a command has not begun yet.
pub(super) const LEADING: &[&str] =
    &["!", "builtin", "do", "elif", "else", "if", "then", "until", "while", "time", "{"];
/// Commands that read a word as a shell does, or start it as a command.
pub(super) const READS_TEXT: &[&str] = &[
    "alias", "coproc", "env", "eval", "exec", "find", "flock", "nohup", "parallel", "script", "ssh", "su",
    "sudo", "timeout", "trap", "watch", "xargs",
];
/// Commands that set the variables which their words name.
pub(super) const SETS: &[&str] = &["getopts", "let", "mapfile", "read", "readarray", "unset"];
/// Commands that take options for the variables which their words name.
pub(super) const DECLARES: &[&str] = &["declare", "local", "typeset"];
/// Commands that add words of their input to a command.
pub(super) const ADDS_WORDS: &[&str] = &["parallel", "xargs"];
/// Options of interpreters for a version or a help.
pub(super) const TELLS: &[&str] = &["--help", "--version", "-V", "-h", "-v"];
/// Commands behind which a home may be that of somebody else.
pub(super) const OTHER_HOMES: &[&str] = &["doas", "login", "pkexec", "runuser", "su", "sudo"];
/// Names of the words of a function or a script.
pub(super) const POSITIONS: &[&str] = &["1", "2", "3", "4", "5", "6", "7", "8", "9"];
/// Signs behind a name for which a value is not taken as it is.
pub(super) const CHANGES: &[char] = &['#', '%', '/', '^', ',', '@', '!', '[', '~'];
/// Files that an interpreter reads of a directory or a module that is its script.
pub(super) const OF_SCRIPT_DIR: &[&str] = &["__main__.py", "index.js", "package.json"];
/// Endings that an interpreter adds to the name of its script.
pub(super) const SCRIPT_ENDINGS: &[&str] = &["js", "cjs", "mjs", "json", "ts", "rb", "pyc"];
/// Files of the working directory that Python takes for modules of any name, also of its own library.
pub(super) const PYTHON_MODULES: &[&str] = &["*.py", "*.pyc", "*.so", "*/__init__.py"];
/// Variables whose value is a list of directories in which interpreters find modules.
pub(super) const MODULE_VARIABLES: &[&str] =
    &["CLASSPATH", "LD_LIBRARY_PATH", "NODE_PATH", "PERL5LIB", "PERLLIB", "PYTHONPATH", "RUBYLIB"];
/// Variables whose value is a list of directories in which programs, or directories, are looked for.
pub(super) const SEARCH_VARIABLES: &[&str] = &["PATH", "CDPATH"];
/// Directories of the system: their programs are not the workspace's.
pub(super) const OF_SYSTEM: &[&str] =
    &["/bin", "/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/usr/sbin"];
/// Variables whose value programs read as code, or start as a program; `*` for any end.
const READ_VARIABLES: &[&str] = &[
    "ANSIBLE_*",
    "BASH_ENV",
    "BASH_FUNC_*",
    "BROWSER",
    "BUNDLE_GEMFILE",
    "CARGO_*",
    "CC",
    "CXX",
    "DOCKER_CONFIG",
    "EDITOR",
    "ENV",
    "GIT_ASKPASS",
    "GIT_CONFIG*",
    "GIT_DIR",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH*",
    "GIT_TEMPLATE_DIR",
    "GOFLAGS",
    "GREP_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "KUBECONFIG",
    "LD_AUDIT",
    "LD_PRELOAD",
    "LESS*",
    "MAKEFILES",
    "MAKEFLAGS",
    "MANPAGER",
    "MAVEN_OPTS",
    "NODE_OPTIONS",
    "NPM_CONFIG_*",
    "npm_config_*",
    "OPENSSL_*",
    "PAGER",
    "PERL5DB",
    "PERL5OPT",
    "PIP_*",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "RSYNC_RSH",
    "RUBYOPT",
    "RUSTC*",
    "SHELL",
    "SHELLOPTS",
    "BASHOPTS",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "TAR_OPTIONS",
    "VIMINIT",
    "VISUAL",
    "ZDOTDIR",
];
/// Variables whose value a shell reads as a text, or which change how it reads one.
const CODE_VARIABLES: &[&str] = &["BASHOPTS", "BASH_FUNC_*", "PROMPT_COMMAND", "PS4", "SHELLOPTS"];
/// Files of a repository that git starts by itself.
pub(super) const GIT_HOOKS: &[&str] = &[
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
    "reference-transaction",
    "sendemail-validate",
];
/// Programs that start the command in their words.
pub(super) const WRAPPERS: &[&str] = &[
    "builtin",
    "busybox",
    "chroot",
    "chrt",
    "command",
    "doas",
    "fakeroot",
    "ionice",
    "nice",
    "nsenter",
    "numactl",
    "runuser",
    "setsid",
    "stdbuf",
    "strace",
    "systemd-run",
    "taskset",
    "time",
    "unshare",
];
/// Programs that write the files which their words name.
pub(super) const WRITERS: &[&str] = &[
    "cp", "curl", "dd", "install", "ln", "mv", "patch", "perl", "rsync", "scp", "sed", "sponge", "tee",
    "wget",
];
/// Programs that write files which no word names, and their words for that.
pub(super) const WRITES_ANY: &[(&str, &[&str])] = &[
    (
        "git",
        &[
            "am", "apply", "checkout", "clone", "merge", "pull", "rebase", "reset", "restore", "stash",
            "switch",
        ],
    ),
    ("patch", &[]),
    ("unzip", &[]),
];

pub(super) fn is_read_variable(name: &str) -> bool {
    is_of(READ_VARIABLES, name)
}

pub(super) fn is_code_variable(name: &str) -> bool {
    is_of(CODE_VARIABLES, name)
}

fn is_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.strip_suffix('*').map_or(*known == name, |begin| name.starts_with(begin)))
}
