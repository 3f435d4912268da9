//! Picks the files that matter for a piece of work, and makes them fit.
//!
//! A file matters by the words of the work in its path, by the outputs of other agents, by changes, and by
//! the kind of agent that asks. Files that do not fit are dropped in the order of their class, the last one
//! first.

use super::{
    git::{Recency, git_context},
    read::{open_root, read_below},
    scan::{Project, ProjectFile},
    shape::{
        AgentOutput, BuiltContext, ContextBody, GitContext, Metadata, Omitted, ProjectStructure,
        RelevantFile, Strategy,
    },
};
use crate::{Masker, credential_in};
use cuelight_base::{Digest, Span, Timestamp, Value, json_bytes};
use std::{cmp::Reverse, collections::BTreeSet, os::fd::OwnedFd};

/// Files of one context.
const FILES_MAX: usize = 50;
/// Bytes of a file; a larger one is left out.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Paths that are told of how a project is built.
const PATHS_MAX: usize = 5000;
/// Limit of omitted entries that are listed.
const OMITTED_MAX: usize = 200;
/// A file is cut only where so much of it stays.
const CUT_BYTES_MIN: usize = 2048;
/// Bytes of a file by which it is taken for text.
const FIRST_BYTES: usize = 8192;
/// Age up to which a change is recent.
const RECENT: Span = Span::seconds(24 * 3600);
/// Dependencies that are told.
const DEPENDENCIES_MAX: usize = 500;
/// A word of a piece of work that is shorter says nothing.
const WORD_CHARS_MIN: usize = 3;

/// The request for a context.
#[derive(Clone)]
pub struct ContextWish<'a> {
    /// The piece of work.
    pub issue: &'a str,
    /// The kind of agent.
    pub agent_type: &'a str,
    /// Outputs of other agents for this work, the newest first.
    pub outputs: Vec<AgentOutput>,
    /// As an agent measured it last.
    pub test_coverage: Option<Value>,
    /// As an agent saw it last.
    pub last_build_status: Option<String>,
    /// Bytes of the whole.
    pub bytes_max: usize,
    /// The current time; it decides which changes are recent.
    pub now: Timestamp,
    /// The mask for secrets.
    pub masker: &'a Masker,
}

/// Why there is no context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextTrouble {
    /// The files cannot be read: the end of a sentence.
    Unreadable(String),
    /// Even what is least does not fit.
    TooLarge,
}

/// Why a file is there: what goes last when not all of them fit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Task,
    Decisions,
    Changed,
    Tests,
    Configuration,
    Documentation,
    Rest,
}

/// A file that matters.
struct Candidate<'a> {
    file: &'a ProjectFile,
    class: Class,
    score: u32,
}

/// Makes a context of a project.
///
/// # Errors
/// When the project cannot be read, or nothing fits.
pub fn build_context(project: &Project, wish: &ContextWish<'_>) -> Result<BuiltContext, ContextTrouble> {
    let unreadable = |why: std::io::Error| ContextTrouble::Unreadable(why.to_string());
    let root = open_root(&project.root).map_err(unreadable)?;
    let (git, recency) = git_context(project, &root);
    let mut omitted = Vec::new();
    let body = ContextBody {
        project_structure: structure(project, wish.bytes_max / 4, &mut omitted),
        relevant_files: Vec::new(),
        git_context: fitting_git(git, wish, &mut omitted),
        previous_agent_outputs: fitting_outputs(wish, &mut omitted),
        metadata: metadata(project, &root, wish),
    };
    let mut left = wish.bytes_max.checked_sub(json_bytes(&body)).ok_or(ContextTrouble::TooLarge)?;
    let (candidates, is_sampled) = candidates(project, wish, &recency, &mut omitted);
    let mut built = BuiltContext { body, strategy: Strategy::None, omitted };
    if is_sampled {
        built.strategy = Strategy::FileSampling;
    }
    for candidate in in_order_of_class(candidates) {
        let Some(file) = read(&root, candidate.file, wish.masker, &mut built.omitted) else { continue };
        let bytes = json_bytes(&file) + 1;
        if bytes <= left {
            left -= bytes;
            built.body.relevant_files.push(file);
            continue;
        }
        let (path, size) = (file.path.clone(), file.size);
        let may_be_cut = candidate.class <= Class::Changed;
        match may_be_cut.then(|| cut(file, left)).flatten() {
            Some(part) => {
                left -= json_bytes(&part) + 1;
                built.strategy = built.strategy.max(Strategy::SemanticChunking);
                built.body.relevant_files.push(part);
            }
            None => {
                built.strategy = built.strategy.max(Strategy::Smart);
                omit(&mut built.omitted, &path, "there is no more room", size);
            }
        }
    }
    let is_short = built.body.project_structure.files.len() < project.files.len()
        || built.body.previous_agent_outputs.len() < wish.outputs.len();
    if is_short {
        built.strategy = built.strategy.max(Strategy::Smart);
    }
    Ok(built)
}

fn omit(omitted: &mut Vec<Omitted>, what: &str, why: &str, bytes: u64) {
    if omitted.len() < OMITTED_MAX {
        omitted.push(Omitted { what: what.to_owned(), why: why.to_owned(), bytes });
    }
}

/// As many paths as fit.
fn structure(project: &Project, bytes_max: usize, omitted: &mut Vec<Omitted>) -> ProjectStructure {
    let name = project.root.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut left = bytes_max;
    let mut fits = |path: &&String| {
        let bytes = json_bytes(path.as_str()) + 1;
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    };
    let directories: Vec<String> =
        project.directories.iter().take(PATHS_MAX).take_while(&mut fits).cloned().collect();
    let paths = project.files.iter().map(|file| &file.path);
    let files: Vec<String> = paths.take(PATHS_MAX).take_while(fits).cloned().collect();
    let missing = project.files.len() + project.directories.len() - files.len() - directories.len();
    if missing > 0 {
        omit(omitted, "project_structure", &format!("{missing} more paths do not fit"), 0);
    }
    if project.left_out > 0 {
        let why = format!("{} of them have no readable name, or are too many or too deep", project.left_out);
        omit(omitted, "files", &why, 0);
    }
    ProjectStructure {
        root: name.unwrap_or_default(),
        files,
        directories,
        total_files: project.files.len() as u64,
        total_size_bytes: project.total_bytes,
    }
}

fn fitting_git(mut git: GitContext, wish: &ContextWish<'_>, omitted: &mut Vec<Omitted>) -> GitContext {
    let most = wish.bytes_max / 8;
    let mask = |text: &mut String| *text = wish.masker.mask(text);
    for commit in &mut git.recent_commits {
        mask(&mut commit.message);
        mask(&mut commit.author);
    }
    let before = git.recent_commits.len() + git.uncommitted_changes.len();
    while json_bytes(&git) > most && git.uncommitted_changes.pop().is_some() {}
    while json_bytes(&git) > most && git.recent_commits.pop().is_some() {}
    let gone = before - git.recent_commits.len() - git.uncommitted_changes.len();
    if gone > 0 {
        omit(omitted, "git_context", &format!("{gone} commits and changes do not fit"), 0);
    }
    git
}

fn fitting_outputs(wish: &ContextWish<'_>, omitted: &mut Vec<Omitted>) -> Vec<AgentOutput> {
    let mut left = wish.bytes_max / 4;
    let fits = |output: &&AgentOutput| {
        let bytes = json_bytes(output) + 1;
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    };
    let all: Vec<AgentOutput> = wish.outputs.iter().take_while(fits).cloned().collect();
    let gone = wish.outputs.len() - all.len();
    if gone > 0 {
        omit(omitted, "previous_agent_outputs", &format!("{gone} older ones do not fit"), 0);
    }
    all
}

/// The files that matter, most of all first, and whether there were more.
fn candidates<'a>(
    project: &'a Project,
    wish: &ContextWish<'_>,
    recency: &Recency,
    omitted: &mut Vec<Omitted>,
) -> (Vec<Candidate<'a>>, bool) {
    let words = words(wish.issue);
    let named: BTreeSet<&str> = wish
        .outputs
        .iter()
        .flat_map(|output| &output.files_affected)
        .map(|text| text.trim_start_matches("./"))
        .collect();
    let weigh = |file: &'a ProjectFile| weigh(file, wish, &words, &named, recency);
    let mut all: Vec<Candidate<'_>> = project.files.iter().filter_map(weigh).collect();
    all.sort_by(|one, other| {
        (Reverse(one.score), &one.file.path).cmp(&(Reverse(other.score), &other.file.path))
    });
    let large = |candidate: &Candidate<'_>| candidate.file.size > FILE_BYTES_MAX;
    for candidate in all.iter().filter(|candidate| large(candidate)).take(FILES_MAX) {
        omit(omitted, &candidate.file.path, "it is larger than 1 MB", candidate.file.size);
    }
    all.retain(|candidate| !large(candidate));
    let more = all.len().saturating_sub(FILES_MAX);
    if more > 0 {
        let bytes = all[FILES_MAX..].iter().map(|candidate| candidate.file.size).sum();
        omit(
            omitted,
            "relevant_files",
            &format!("{more} more files matter less than these {FILES_MAX}"),
            bytes,
        );
        all.truncate(FILES_MAX);
    }
    (all, more > 0)
}

fn in_order_of_class(mut candidates: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    candidates.sort_by_key(|candidate| (candidate.class, Reverse(candidate.score)));
    candidates
}

/// Returns a file's weight and the reason; `None` if the file does not matter.
fn weigh<'a>(
    file: &'a ProjectFile,
    wish: &ContextWish<'_>,
    words: &[String],
    named: &BTreeSet<&str>,
    recency: &Recency,
) -> Option<Candidate<'a>> {
    let path = file.path.to_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let extension = name.rsplit_once('.').map_or(name, |halves| halves.1);
    let of_the_work =
        u32::try_from(words.iter().filter(|word| path.contains(word.as_str())).count()).unwrap_or(0);
    let is_named = named.contains(file.path.as_str());
    let is_uncommitted = recency.is_known && recency.uncommitted.contains(&file.path);
    let committed = recency.committed.get(&file.path);
    let is_recent = match (recency.is_known, committed) {
        (true, Some(at)) => wish.now.since(*at) <= RECENT,
        (true, None) => false,
        // Without a repository the time of the file is all there is.
        (false, _) => wish.now.since(file.modified) <= RECENT,
    };
    let is_test = path
        .split('/')
        .any(|part| part == "tests" || part == "test" || part == "spec" || part == "__tests__")
        || name.starts_with("test_")
        || name.contains("_test.")
        || name.contains(".test.")
        || name.contains(".spec.");
    let is_configuration =
        CONFIGURATION.contains(&name) || ["toml", "yaml", "yml", "ini", "cfg"].contains(&extension);
    let is_documentation =
        ["md", "rst", "adoc"].contains(&extension) || extension == "txt" && !is_configuration;
    let is_own =
        extensions(wish.agent_type).contains(&extension) || extensions(wish.agent_type).contains(&name);
    let mut score = of_the_work.min(3) * 40;
    for (holds, weight) in [
        (is_named, 100),
        (is_uncommitted, 60),
        (is_recent, 40),
        (committed.is_some(), 20),
        (is_own, 30),
        (name == "readme.md", 25),
        (CONFIGURATION.contains(&name), 20),
        (is_test && is_own, 5),
    ] {
        score += if holds { weight } else { 0 };
    }
    // What lies deep matters less, all else being equal.
    let depth = u32::try_from(path.matches('/').count()).unwrap_or(0);
    let class = if of_the_work > 0 {
        Class::Task
    } else if is_named {
        Class::Decisions
    } else if is_uncommitted || is_recent {
        Class::Changed
    } else if is_test {
        Class::Tests
    } else if is_configuration {
        Class::Configuration
    } else if is_documentation {
        Class::Documentation
    } else {
        Class::Rest
    };
    (score > 0 && may_be_text(extension)).then(|| Candidate {
        file,
        class,
        score: score * 16 + 15 - depth.min(15),
    })
}

/// The words of a piece of work by which files are told: `SHOP-12-cart-totals` has `shop`, `cart` and `totals`.
fn words(issue: &str) -> Vec<String> {
    let parts = issue.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase);
    let said = ["issue", "task", "the", "fix", "bug", "feature", "feat", "and", "for", "add", "test", "src"];
    parts.filter(|part| part.len() >= WORD_CHARS_MIN && !said.contains(&part.as_str())).collect()
}

/// Files that say how a project is built.
const CONFIGURATION: &[&str] = &[
    "cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "go.mod",
    "pubspec.yaml",
    "tsconfig.json",
    "makefile",
    "dockerfile",
    "docker-compose.yml",
    "justfile",
    "pom.xml",
    "build.gradle",
    "cmakelists.txt",
];
const CODE: &[&str] = &[
    "rs", "py", "pyi", "go", "ts", "tsx", "js", "jsx", "java", "kt", "swift", "dart", "c", "h", "cpp", "hpp",
    "cs", "rb", "php", "ex", "exs", "scala", "sql", "sh", "vue", "svelte",
];

/// File extensions that an agent of a type works on.
fn extensions(agent_type: &str) -> &'static [&'static str] {
    const BY_WORD: &[(&str, &[&str])] = &[
        ("python", &["py", "pyx", "pyi", "toml"]),
        ("rust", &["rs", "toml"]),
        ("golang", &["go", "mod", "sum"]),
        ("typescript", &["ts", "tsx", "js", "jsx", "json"]),
        ("javascript", &["ts", "tsx", "js", "jsx", "json"]),
        ("frontend", &["ts", "tsx", "js", "jsx", "json", "css", "html", "vue", "svelte"]),
        ("swift", &["swift"]),
        ("flutter", &["dart"]),
        ("architect", &["md", "txt", "toml", "yaml", "yml", "json", "rs", "py", "go", "ts", "js"]),
        ("devops", &["yml", "yaml", "toml", "tf", "sh", "dockerfile", "makefile", "justfile"]),
        ("deploy", &["yml", "yaml", "toml", "tf", "sh", "dockerfile", "makefile", "justfile"]),
        ("doc", &["md", "txt", "rst", "adoc"]),
        ("support", &["md", "txt", "rst", "adoc"]),
        ("api", &["json", "yaml", "yml", "proto", "graphql", "rs", "py", "go", "ts", "js"]),
    ];
    let by_word = BY_WORD.iter().find(|pair| agent_type.contains(pair.0));
    if agent_type == "go" || agent_type.starts_with("go-") || agent_type.ends_with("-go") {
        return &["go", "mod", "sum"];
    }
    by_word.map_or(CODE, |by_word| by_word.1)
}

/// True if a file may be text, by its extension.
fn may_be_text(extension: &str) -> bool {
    const NONE: &[&str] = &[
        "png", "jpg", "jpeg", "gif", "webp", "ico", "bmp", "pdf", "zip", "gz", "xz", "zst", "bz2", "tar",
        "7z", "jar", "class", "so", "dylib", "dll", "exe", "bin", "o", "a", "rlib", "wasm", "woff", "woff2",
        "ttf", "otf", "mp3", "mp4", "mov", "avi", "db", "sqlite", "pyc", "lock", "parquet", "snap",
    ];
    !NONE.contains(&extension)
}

fn language(path: &str) -> Option<&'static str> {
    const BY_EXTENSION: &[(&str, &str)] = &[
        ("rs", "rust"),
        ("py", "python"),
        ("pyi", "python"),
        ("go", "go"),
        ("ts", "typescript"),
        ("tsx", "typescript"),
        ("js", "javascript"),
        ("jsx", "javascript"),
        ("java", "java"),
        ("kt", "kotlin"),
        ("swift", "swift"),
        ("dart", "dart"),
        ("c", "c"),
        ("h", "c"),
        ("cpp", "cpp"),
        ("hpp", "cpp"),
        ("cs", "csharp"),
        ("rb", "ruby"),
        ("php", "php"),
        ("sh", "shell"),
        ("sql", "sql"),
        ("md", "markdown"),
        ("toml", "toml"),
        ("yaml", "yaml"),
        ("yml", "yaml"),
        ("json", "json"),
        ("html", "html"),
        ("css", "css"),
        ("tf", "terraform"),
        ("proto", "protobuf"),
        ("ex", "elixir"),
        ("scala", "scala"),
    ];
    let extension = path.rsplit_once('.')?.1.to_lowercase();
    BY_EXTENSION.iter().find(|pair| pair.0 == extension).map(|pair| pair.1)
}

/// A file as it is shown; nothing where it is no text, or gives something away.
fn read(
    root: &OwnedFd,
    file: &ProjectFile,
    masker: &Masker,
    omitted: &mut Vec<Omitted>,
) -> Option<RelevantFile> {
    let mut refused = |why: &str| {
        omit(omitted, &file.path, why, file.size);
        None
    };
    let Ok(bytes) = read_below(root, &file.path, FILE_BYTES_MAX) else { return refused("it cannot be read") };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return refused("it is larger than 1 MB");
    }
    if bytes.iter().take(FIRST_BYTES).any(|byte| *byte == 0) {
        return refused("it is no text");
    }
    let checksum: String = Digest::of(&bytes).to_string();
    let size = bytes.len() as u64;
    let Ok(text) = String::from_utf8(bytes) else { return refused("it is no UTF-8") };
    let content = masker.mask(&text);
    if let Some(what) = credential_in(&content) {
        return refused(&format!("it seems to hold {what}"));
    }
    Some(RelevantFile {
        path: file.path.clone(),
        content,
        last_modified: file.modified.to_string(),
        size,
        language: language(&file.path).map(str::to_owned),
        checksum: format!("sha256:{checksum}"),
    })
}

/// The beginning of a file, as far as it fits, to where a paragraph or a line ends.
fn cut(mut file: RelevantFile, bytes_max: usize) -> Option<RelevantFile> {
    let whole = std::mem::take(&mut file.content);
    let around = json_bytes(&file) + 64;
    // An escape makes more of some bytes: what fits is found by halves.
    let (mut fits, mut most) = (0, whole.len());
    while fits < most {
        let middle = whole.floor_char_boundary(fits + (most - fits).div_ceil(2));
        if middle > fits && json_bytes(&whole[..middle]) + around <= bytes_max {
            fits = middle;
        } else {
            most = middle.saturating_sub(1).max(fits);
        }
    }
    let part = &whole[..whole.floor_char_boundary(fits)];
    let end = part
        .rfind("\n\n")
        .filter(|index| *index >= CUT_BYTES_MIN)
        .or_else(|| part.rfind('\n'))
        .unwrap_or(part.len());
    if end < CUT_BYTES_MIN {
        return None;
    }
    file.content = format!("{}\n[truncated: {} bytes omitted]", &part[..end], whole.len() - end);
    Some(file)
}

/// The type of the project, and its dependencies.
fn metadata(project: &Project, root: &OwnedFd, wish: &ContextWish<'_>) -> Metadata {
    let has = |name: &str| project.files.binary_search_by(|file| file.path.as_str().cmp(name)).is_ok();
    let text = |name: &str| {
        let bytes = has(name).then(|| read_below(root, name, FILE_BYTES_MAX).ok()).flatten()?;
        String::from_utf8(bytes).ok()
    };
    let (project_type, dependencies) = if has("Cargo.toml") {
        ("rust", text("Cargo.toml").map(|text| of_table(&text, &["dependencies", "dev-dependencies"])))
    } else if has("pubspec.yaml") {
        ("flutter", None)
    } else if has("go.mod") {
        ("go", text("go.mod").map(|text| of_go(&text)))
    } else if has("pyproject.toml") || has("setup.py") || has("requirements.txt") {
        ("python", text("requirements.txt").map(|text| of_requirements(&text)))
    } else if has("package.json") {
        ("javascript", text("package.json").map(|text| of_package(&text)))
    } else {
        ("unknown", None)
    };
    let mut dependencies = dependencies.unwrap_or_default();
    dependencies.truncate(DEPENDENCIES_MAX);
    Metadata {
        project_type: project_type.to_owned(),
        dependencies,
        test_coverage: wish.test_coverage.clone(),
        last_build_status: wish.last_build_status.clone(),
    }
}

fn of_table(text: &str, tables: &[&str]) -> Vec<String> {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let named = tables.iter().filter_map(|key| table.get(*key)?.as_table());
    named.flat_map(|table| table.keys().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn of_package(text: &str) -> Vec<String> {
    let package: Value = serde_json::from_str(text).unwrap_or_default();
    let tables =
        ["dependencies", "devDependencies"].map(|key| package[key].as_object().cloned().unwrap_or_default());
    let names = tables.into_iter().flat_map(|table| table.into_iter().map(|entry| entry.0));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

fn of_requirements(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let name: String =
            line.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
        (!name.is_empty() && !name.starts_with('-')).then_some(name)
    };
    text.lines().filter_map(name).collect::<BTreeSet<_>>().into_iter().collect()
}

fn of_go(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.trim().trim_start_matches("require ");
        let (name, version) = line.split_once(' ')?;
        (version.starts_with('v') && name.contains('/')).then(|| name.to_owned())
    };
    text.lines().filter_map(name).collect::<BTreeSet<_>>().into_iter().collect()
}
