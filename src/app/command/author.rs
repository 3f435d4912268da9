//! Commands for those who write workflows: eval, check, fmt, plan, graph, import. They need no workspace; the
//! checker looks for the people of one, where there is one.

use crate::{
    args::key_value,
    config::Config,
    exit::{FAILED, Outcome, Trouble, USAGE},
    output::{Output, say, without_numbers},
};
use clap::{Args, ValueEnum};
use cuelight_base::{FILE_BYTES_MAX, Value, ValueMap, counted};
use cuelight_definition::{
    CONTEXTS, Diagnostic, Files, FindingAnswer, KnownPeople, Severity, Workflow, check_input_texts,
    findings_text, sarif, summary,
};
use cuelight_expression::{ExprErrorKind, MapLookup, Names};
use cuelight_import::{ImportAs, Imported, import_argo, import_dagu, import_github, import_wfformat};
use cuelight_plan::{GraphFormat, Plan, PlanAnswer, graph as draw, outline, show};
use std::{
    fs,
    io::{Read, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// The expression, with or without ${{ }}
    #[arg(allow_hyphen_values = true)]
    pub(super) expression: String,
    /// Contexts: a JSON object
    #[arg(long, value_name = "FILE.json")]
    pub(super) context: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Workflow files
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Format of the findings
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Findings,
    /// As JSON, the same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
    /// Warnings count as errors
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Findings {
    Text,
    Json,
    Sarif,
}

#[derive(Debug, Args)]
pub(super) struct FmtArgs {
    /// Workflow files; - reads standard input and prints the result
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Change nothing; exit 1 when a file is not in canonical form
    #[arg(long)]
    pub(super) check: bool,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The workflow file
    pub(super) file: PathBuf,
    /// An input
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) inputs: Vec<(String, String)>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct GraphArgs {
    /// The workflow file
    pub(super) file: PathBuf,
    /// An input
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) inputs: Vec<(String, String)>,
    /// Format of the graph
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Graph,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Graph {
    Text,
    Mermaid,
    Dot,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Format of the file
    #[arg(value_enum)]
    pub(super) format: ImportFormat,
    /// The file
    pub(super) file: PathBuf,
    /// Step that a recorded task becomes (wfformat)
    #[arg(long = "as", value_enum, default_value = "noop")]
    pub(super) task: Task,
    /// Sleep of such a step, as a share of the recorded time: 0.001
    #[arg(long, default_value = "1")]
    pub(super) scale: String,
    /// The directory for the file and those that it calls; without it, standard output
    #[arg(long, value_name = "DIR")]
    pub(super) to: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ImportFormat {
    /// A workflow of GitHub Actions
    Github,
    /// A workflow of Argo
    Argo,
    /// A workflow of Dagu
    Dagu,
    /// Recorded executions of scientific workflows (`WfCommons`)
    Wfformat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Task {
    /// Nothing
    Noop,
    /// A wait as long as the task took
    Sleep,
}

impl CheckArgs {
    /// True when a finding of this severity makes the check fail.
    pub(super) fn fails_at(&self, severity: Severity) -> bool {
        severity == Severity::Error || self.strict && severity == Severity::Warning
    }
}

/// Files as they are on the disk, with the tools, agents and models of the workspace around us, if there is one.
pub(super) struct Disk {
    tools: Vec<PathBuf>,
    agents: Vec<PathBuf>,
    models: Vec<PathBuf>,
    timezone: Option<String>,
}

impl Disk {
    pub(super) fn of(config: &Config) -> Result<Self, Trouble> {
        let workspace = config.find()?;
        let tools = workspace.as_ref().map(|workspace| workspace.tool_files()).unwrap_or_default();
        let agents = workspace.as_ref().map(|workspace| workspace.agent_files()).unwrap_or_default();
        let models = workspace.as_ref().map(|workspace| workspace.model_files()).unwrap_or_default();
        Ok(Self { tools, agents, models, timezone: workspace.map(|workspace| workspace.timezone()) })
    }
}

impl Files for Disk {
    fn read(&self, path: &str) -> Result<String, String> {
        read_plain(Path::new(path))
    }

    fn tools(&self) -> Vec<(String, Result<String, String>)> {
        self.tools.iter().map(|tool| (tool.display().to_string(), read_plain(tool))).collect()
    }

    fn agents(&self) -> Vec<(String, Result<String, String>)> {
        self.agents.iter().map(|agent| (agent.display().to_string(), read_plain(agent))).collect()
    }

    fn models(&self) -> Vec<(String, Result<String, String>)> {
        self.models.iter().map(|model| (model.display().to_string(), read_plain(model))).collect()
    }

    fn timezone(&self) -> String {
        self.timezone.clone().unwrap_or_else(|| "UTC".to_owned())
    }
}

/// The text of a file that a workflow or a directory names: no look waits for a pipe in its place.
fn read_plain(path: &Path) -> Result<String, String> {
    cuelight_tool::read_text(path, FILE_BYTES_MAX)
}

/// The text of the file that the user has named on the command line, or the end of a sentence that begins with "could not read". It may
/// be a pipe, as in `check <(make-it)`; below `.cuelight`, where a pattern of the shell names whatever lies there, it is none.
fn read_named(path: &Path) -> Result<String, String> {
    if path.components().any(|component| component.as_os_str() == ".cuelight") {
        return read_plain(path);
    }
    let limit = FILE_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    String::from_utf8(bytes)
        .map_err(|error| format!("it is no UTF-8 (byte {})", error.utf8_error().valid_up_to()))
}

pub(super) fn read(path: &Path) -> Result<String, Trouble> {
    read_named(path).map_err(|why| Trouble::usage(format!("could not read {}: {why}", path.display())))
}

pub(super) fn eval(args: &EvalArgs, out: Output) -> Outcome {
    let contexts = match &args.context {
        None => ValueMap::new(),
        Some(path) => match cuelight_base::read_json::<Value>(read(path)?) {
            Ok(Value::Object(map)) => map,
            Ok(_) => {
                return Err(Trouble::usage(format!(
                    "could not use {}: it is no JSON object",
                    path.display()
                )));
            }
            Err(error) => {
                return Err(Trouble::usage(format!("could not read {} as JSON: {error}", path.display())));
            }
        },
    };
    let text = args.expression.trim();
    if text.is_empty() {
        out.json(&Value::String(String::new()));
        return Ok(ExitCode::SUCCESS);
    }
    let bare = text.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(text);
    let usage = |message: String| Trouble::usage(format!("could not evaluate: {message}"));
    let names = Names::contexts(CONTEXTS.iter().copied().chain(contexts.keys().map(String::as_str)));
    let expr = cuelight_expression::parse_with(bare, &names).map_err(|error| match error.kind {
        ExprErrorKind::UnrecognizedNamedValue => {
            usage(format!("{error}; the contexts are {}, give others with --context", CONTEXTS.join(", ")))
        }
        _ => usage(error.to_string()),
    })?;
    let value = cuelight_expression::evaluate(&expr, &MapLookup::new(contexts))
        .map_err(|error| usage(error.to_string()))?;
    out.json(&value);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn check(config: &Config, args: &CheckArgs, out: Output) -> Outcome {
    let workspace = config.find()?;
    let secrets = config.secrets_at(workspace.as_ref().map_or(&config.here, |workspace| workspace.root()));
    let people = match workspace {
        Some(workspace) => config.people(&workspace)?.known(rustix::process::geteuid().as_raw()),
        None => KnownPeople::default(),
    };
    let mut all: Vec<Diagnostic> = Vec::new();
    let disk = Disk::of(config)?;
    for path in &args.files {
        let name = path.display().to_string();
        match read_named(path) {
            Ok(text) => {
                let (workflow, findings) = cuelight_definition::read(&name, &text, &disk);
                all.extend(findings);
                if let Some(workflow) = workflow {
                    all.extend(cuelight_definition::check_people(&workflow, &text, &people, &disk));
                    all.extend(cuelight_definition::check_secrets(&workflow, &text, &|text| {
                        secrets.trouble(text)
                    }));
                }
            }
            Err(why) => {
                all.push(Diagnostic::whole_file(
                    "unreadable",
                    &name,
                    without_numbers(&format!("could not read {name}: {why}")),
                ));
            }
        }
    }
    match if args.json { Findings::Json } else { args.format } {
        Findings::Text => {
            out.raw(findings_text(&all, out.colour).as_bytes());
            let files = counted(args.files.len(), "file", "files");
            let found = summary(&all);
            say(&if found.is_empty() {
                format!("{files}: no problems")
            } else {
                format!("{files}: {found}")
            });
        }
        Findings::Json => out.json_pretty(&all.iter().map(FindingAnswer::of).collect::<Vec<_>>()),
        Findings::Sarif => out.json_pretty(&sarif(&all)),
    }
    let bad = all.iter().any(|diagnostic| args.fails_at(diagnostic.severity));
    Ok(ExitCode::from(if bad { USAGE } else { 0 }))
}

pub(super) fn fmt(args: &FmtArgs, out: Output) -> Outcome {
    let mut unlike = false;
    for path in &args.files {
        let name = path.display().to_string();
        let from_input = name == "-";
        let text = if from_input {
            std::io::read_to_string(std::io::stdin())
                .map_err(|error| Trouble::usage(format!("could not read: {error}")))?
        } else {
            read(path)?
        };
        let formatted = cuelight_definition::fmt(&text).map_err(|findings| report(&findings, out))?;
        match (from_input, formatted == text) {
            (true, _) if !args.check => out.foreign(&formatted),
            (_, true) => {}
            (_, false) if args.check => {
                unlike = true;
                say(&format!("{name}: not in canonical form; `cuelight dev fmt {name}` rewrites it"));
            }
            (_, false) => {
                replace(path, &formatted)
                    .map_err(|error| Trouble::failed(format!("could not write {name}: {error}")))?;
                say(&format!("{name}: rewritten"));
            }
        }
    }
    Ok(ExitCode::from(if unlike { FAILED } else { 0 }))
}

/// Writes beside the file and renames: a full disk leaves the old text as it was.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_added_extension("cuelight-fmt");
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, fs::metadata(path)?.permissions())?;
    fs::rename(&beside, path)
}

/// All findings on standard output, and the sentence that ends the command.
fn report(findings: &[Diagnostic], out: Output) -> Trouble {
    out.raw(findings_text(findings, out.colour).as_bytes());
    Trouble::usage(format!("could not use the file: {}", summary(findings)))
}

fn workflow(config: &Config, path: &Path, out: Output) -> Result<Workflow, Trouble> {
    let text = read(path)?;
    let (workflow, findings) =
        cuelight_definition::read(&path.display().to_string(), &text, &Disk::of(config)?);
    workflow.ok_or_else(|| report(&findings, out))
}

fn outlined(config: &Config, file: &Path, inputs: &[(String, String)], out: Output) -> Result<Plan, Trouble> {
    let workflow = workflow(config, file, out)?;
    let several = |problems: Vec<String>| Trouble::usage(problems.join("\n"));
    let given = check_input_texts(&workflow, inputs).map_err(several)?;
    outline(&workflow, given).map_err(several)
}

pub(super) fn plan(config: &Config, args: &PlanArgs, out: Output) -> Outcome {
    let plan = outlined(config, &args.file, &args.inputs, out)?;
    if args.json {
        out.json_pretty(&PlanAnswer::of(&plan));
    } else {
        out.raw(show(&plan).as_bytes());
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn graph(config: &Config, args: &GraphArgs, out: Output) -> Outcome {
    let plan = outlined(config, &args.file, &args.inputs, out)?;
    let format = match args.format {
        Graph::Text => GraphFormat::Text,
        Graph::Mermaid => GraphFormat::Mermaid,
        Graph::Dot => GraphFormat::Dot,
        Graph::Json => GraphFormat::Json,
    };
    out.raw(draw(&plan, format).as_bytes());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn import(args: &ImportArgs, out: Output) -> Outcome {
    let text = fs::read_to_string(&args.file)
        .map_err(|error| Trouble::usage(format!("could not read {}: {error}", args.file.display())))?;
    let made = match args.format {
        ImportFormat::Github => import_github(&text).map_err(Trouble::usage)?,
        ImportFormat::Argo => import_argo(&text).map_err(Trouble::usage)?,
        ImportFormat::Dagu => import_dagu(&text).map_err(Trouble::usage)?,
        ImportFormat::Wfformat => {
            let task = match args.task {
                Task::Noop => ImportAs::Noop,
                Task::Sleep => ImportAs::Sleep { scale_millionths: millionths(&args.scale)? },
            };
            import_wfformat(&text, task).map_err(Trouble::usage)?
        }
    };
    match &args.to {
        Some(to) => write_imported(to, &args.file, &made)?,
        None if made.others.is_empty() => out.foreign(&made.text),
        None => {
            let files = counted(made.others.len() + 1, "workflow", "workflows");
            return Err(Trouble::usage(format!(
                "could not write {files} to standard output; name a directory for them with --to DIR"
            )));
        }
    }
    tell_of_import(&args.file, &made);
    Ok(ExitCode::SUCCESS)
}

/// Writes new files; one that is there already stays.
fn write_imported(to: &Path, from: &Path, made: &Imported) -> Result<(), Trouble> {
    fs::create_dir_all(to)
        .map_err(|error| Trouble::usage(format!("could not make {}: {error}", to.display())))?;
    let stem = from.file_stem().unwrap_or_default().to_string_lossy();
    let own = (format!("{stem}.yaml"), made.text.clone());
    for (name, text) in std::iter::once(&own).chain(&made.others) {
        let path = to.join(name);
        let written = fs::OpenOptions::new().write(true).create_new(true).open(&path);
        written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
            Trouble::usage(format!(
                "could not write {}: {error}; name another directory with --to",
                path.display()
            ))
        })?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// Prints the parts of an imported file that still need a person's attention.
fn tell_of_import(file: &Path, made: &Imported) {
    for line in &made.left_out {
        say(&format!("{}: could not carry over: {line}", file.display()));
    }
    let left_out = made.left_out.len();
    if left_out > 0 {
        let things = counted(left_out, "thing", "things");
        say(&format!("{things} could not be carried over; what, stands at the top of the file"));
    }
}

/// `0.001` as 1,000 millionths.
fn millionths(text: &str) -> Result<u64, Trouble> {
    let wrong = || Trouble::usage(format!("could not read --scale {text:?}; write a number such as 0.001"));
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |head: &str| head.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return Err(wrong());
    }
    let padded = format!("{decimals:0<6}");
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = padded.parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000).and_then(|number| number.checked_add(part)).ok_or_else(wrong)
}
