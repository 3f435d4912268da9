//! `drill`: does to a shadow workspace on the operator's own disk what crashes do, and shows what became of it.
//!
//! A console runs a workflow whose steps write into a ledger outside of the log, and is killed (`kill -9`) after a random
//! event. Another engine takes up what was left; steps whose end nobody can know are answered by what the ledger says.
//! At the end the three accounts are held against each other: what was shown, what is in the log, what really happened.
//! It goes through the same doors as everybody else: the program itself, its commands, their JSON.

use crate::{
    config::Config,
    exit::{FAILED, Outcome, Trouble},
    output::{Output, say},
};
use clap::Args;
use cuelight_base::Value;
use cuelight_runtime::{Clock as _, Entropy, SystemClock};
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    time::Duration,
};

#[derive(Debug, Args)]
pub(super) struct DrillArgs {
    /// Number of kills
    #[arg(long, default_value = "5", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) kills: u32,
    /// Leave the shadow workspace where it is
    #[arg(long)]
    pub(super) keep: bool,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

const WORKFLOW: &str = include_str!("drill.yaml");
/// Steps whose end nobody can know after a crash, or that are asked about by their own check: they happen once.
const ONCE: [&str; 4] = ["pay", "mail", "book", "ship"];
/// The number of steps in a run; each has an effect.
const STEPS: usize = 7;
/// As many events as a run has; the console is killed after a random number of them.
const EVENTS_MAX: u64 = 23;
/// Pause between two looks at a run, and the number of looks after which it counts as hung.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 2_400;

pub(super) async fn drill(config: &Config, out: Output, args: &DrillArgs) -> Outcome {
    let workspace = config.find_or_make()?;
    config.require_trust(&workspace)?;
    let name = format!("drill-{:08x}", Entropy.seed() & 0xffff_ffff);
    let root = workspace.root().join(".cuelight").join(name);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&root)
        .map_err(|error| could_not("make room for the drill", &error))?;
    let program = std::env::current_exe().map_err(|error| could_not("find this program", &error))?;
    let mut drill = Drill { program, root, seed: Entropy.seed(), shown: BTreeMap::new(), doubts: 0 };
    say(&format!("killing a shadow run in {}, {} times", drill.root.display(), args.kills));
    let before = SystemClock.now();
    for number in 1..=args.kills {
        let line = drill.strike().await?;
        say(&format!("kill {number} of {}: {line}", args.kills));
    }
    drill.come_to_rest().await?;
    let (proof, head) = drill.account()?;
    let took = SystemClock.now().since(before);
    if args.json {
        out.json_pretty(&proof.answer(args.kills, drill.doubts, &head));
    } else {
        out.raw(proof.text(args.kills, drill.doubts, &head, &took.to_string()).as_bytes());
    }
    if proof.holds() {
        if !args.keep {
            fs::remove_dir_all(&drill.root).map_err(|error| could_not("tidy up after the drill", &error))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("all of it is kept in {}; please report it with that directory", drill.root.display()));
    Ok(ExitCode::from(FAILED))
}

struct Drill {
    program: PathBuf,
    root: PathBuf,
    /// Seed of the random moments of the kills; its quality does not matter.
    seed: u64,
    /// Events that a console printed before it was killed, by number.
    shown: BTreeMap<u64, Value>,
    doubts: usize,
}

impl Drill {
    /// A console that has just shown something is killed; and, every other time, the engine that takes up what was left.
    async fn strike(&mut self) -> Result<String, Trouble> {
        let events = 1 + self.next() % EVENTS_MAX;
        let (workflow, ledger) = (self.root.join("drill.yaml"), self.root.join("ledger"));
        fs::write(&workflow, WORKFLOW)
            .map_err(|error| could_not("write the workflow of the drill", &error))?;
        let ledger = format!("ledger={}", ledger.display());
        let mut console = self.start(&["run", &workflow.display().to_string(), "--json", "-i", &ledger])?;
        let pid = console.id();
        let Some(output) = console.stdout.take() else { return Err(no_output()) };
        let mut lines = BufReader::new(output).lines();
        let mut last = "before its first event".to_owned();
        let mut heard = 0;
        while heard < events {
            let Some(Ok(line)) = lines.next() else { break };
            if let Some(event) = self.hear(&line) {
                last = event;
                heard += 1;
            }
        }
        end(&mut console)?;
        // What it had printed before it died was shown, too; a line that was cut in two was not.
        for line in lines.map_while(Result::ok) {
            if let Some(event) = self.hear(&line) {
                last = event;
                heard += 1;
            }
        }
        let mut told = format!("kill -9 of the console (pid {pid}) after {heard} events, the last {last}");
        if self.next() % 2 == 1 {
            let mut engine = self.start(&["serve", "--until-idle"])?;
            tokio::time::sleep(Duration::from_micros(self.next() % 150_000)).await;
            let pid = engine.id();
            end(&mut engine)?;
            told = format!("{told}; then of the engine that took it up (pid {pid})");
        }
        Ok(told)
    }

    /// Keeps what was shown; what it was, where it was an event.
    fn hear(&mut self, line: &str) -> Option<String> {
        let event: Value = serde_json::from_str(line).ok()?;
        let seq = event["seq"].as_u64().filter(|seq| *seq > 0)?;
        let step = event["step"].as_str().map_or_else(String::new, |step| format!(" of {step}"));
        let told = format!("{}{step}", event["type"].as_str().unwrap_or_default());
        self.shown.insert(seq, event);
        Some(told)
    }

    /// Engines, and answers from the ledger, until nothing is open.
    async fn come_to_rest(&mut self) -> Result<(), Trouble> {
        let mut engine: Option<Child> = None;
        for _ in 0..LOOKS_MAX {
            let alive = engine.as_mut().is_some_and(|engine| matches!(engine.try_wait(), Ok(None)));
            if !alive {
                engine = Some(self.start(&["serve", "--until-idle", "--idle-after", "1s"])?);
            }
            let runs = self.ask(&["runs", "--json"])?;
            let open = runs.as_array().is_some_and(|runs| runs.iter().any(|run| run["ended_at"].is_null()));
            if !open {
                return engine
                    .as_mut()
                    .map_or(Ok(()), |engine| engine.wait().map(drop))
                    .map_err(|error| could_not("wait", &error));
            }
            for run in names(&runs, |value| value["ended_at"].is_null()) {
                self.answer_doubts(&run)?;
            }
            tokio::time::sleep(LOOK).await;
        }
        if let Some(engine) = &mut engine {
            end(engine)?;
        }
        Err(Trouble::failed(format!(
            "could not end the drill; look at it with `cuelight --workspace {}`",
            self.root.display()
        )))
    }

    /// Resolves steps in doubt as a person would: reads the ledger and answers with its facts.
    fn answer_doubts(&mut self, run: &str) -> Result<(), Trouble> {
        let show = self.ask(&["show", run, "--json"])?;
        for step in names(&show["steps"], |value| value["state"] == "in-doubt") {
            let line = format!("{run} {step} ");
            let happened = self.ledger().lines().any(|text| text.starts_with(&line));
            let answer = if happened { "happened" } else { "not-happened" };
            let answered =
                self.call(&["run", "doubt", run, &step, answer, "--reason", "seen in the ledger"])?;
            self.doubts += usize::from(answered.0);
        }
        Ok(())
    }

    /// The three accounts, held against each other; and the head of the log.
    fn account(&self) -> Result<(Proof, String), Trouble> {
        let runs = self.ask(&["runs", "--json"])?;
        let mut recorded = BTreeMap::new();
        for run in names(&runs, |_| true) {
            let (_, events) = self.call(&["run", "events", &run, "--json"])?;
            let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            recorded.extend(events.filter_map(|event| Some((event["seq"].as_u64()?, event))));
        }
        let rested = names(&runs, |value| value["state"] == "completed").len();
        let (verified, head) = self.call(&["audit", "verify"])?;
        let mut proof = compare(&self.shown, &recorded, &self.ledger(), rested);
        proof.runs = names(&runs, |_| true).len();
        if !verified {
            proof.broken.push(format!("the chain of records does not hold: {}", head.trim()));
        }
        Ok((proof, head.lines().next().unwrap_or_default().to_owned()))
    }

    fn ledger(&self) -> String {
        fs::read_to_string(self.root.join("ledger")).unwrap_or_default()
    }

    fn next(&mut self) -> u64 {
        // Knuth's MMIX.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.seed >> 33
    }

    #[expect(clippy::disallowed_methods, reason = "the program itself, not a step, is started here")]
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--workspace").arg(&self.root).args(args).current_dir(&self.root).stdin(Stdio::null());
        command
    }

    fn start(&self, args: &[&str]) -> Result<Child, Trouble> {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map_err(|error| could_not("start this program", &error))
    }

    /// Runs this program; returns true if it succeeded, and its standard output.
    fn call(&self, args: &[&str]) -> Result<(bool, String), Trouble> {
        let output = self.command(args).output().map_err(|error| could_not("start this program", &error))?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    fn ask(&self, args: &[&str]) -> Result<Value, Trouble> {
        let (_, text) = self.call(args)?;
        serde_json::from_str(&text).map_err(|error| {
            Trouble::failed(format!("could not read what `cuelight {}` says: {error}", args.join(" ")))
        })
    }
}

/// The result of a drill, as `dev drill --json` tells it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Drill")]
pub(super) struct ProofAnswer {
    kills: u32,
    runs: usize,
    events_shown: usize,
    events_recorded: usize,
    effects: usize,
    /// Effects that must not happen twice.
    effects_once: usize,
    doubts_answered: usize,
    /// The end of the log in words.
    log: String,
    holds: bool,
    /// Promises that did not hold, in sentences.
    broken: Vec<String>,
}

/// The result of a drill: counts, and contradictions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Proof {
    runs: usize,
    shown: usize,
    recorded: usize,
    effects: usize,
    once: usize,
    /// Promises that did not hold, in sentences.
    broken: Vec<String>,
}

impl Proof {
    fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    fn answer(&self, kills: u32, doubts: usize, head: &str) -> ProofAnswer {
        ProofAnswer {
            kills,
            runs: self.runs,
            events_shown: self.shown,
            events_recorded: self.recorded,
            effects: self.effects,
            effects_once: self.once,
            doubts_answered: doubts,
            log: head.to_owned(),
            holds: self.holds(),
            broken: self.broken.clone(),
        }
    }

    fn text(&self, kills: u32, doubts: usize, head: &str, took: &str) -> String {
        let mut text = format!(
            "{kills} kills, {} runs, {took}\n\
             \u{20} {} events had been shown when something was killed: every one of them is in the log, word for word\n\
             \u{20} {} effects happened outside: each has its record from before it began, and keeps its key\n\
             \u{20} {} of them must not happen twice: each happened once ({doubts} cut off, and answered before anything was repeated)\n\
             \u{20} all runs went on to their end: {} events. {head}\n",
            self.runs, self.shown, self.effects, self.once, self.recorded,
        );
        if !self.holds() {
            text = format!("{kills} kills, {} runs, {took}: NOT all promises held\n", self.runs);
            text.extend(self.broken.iter().map(|text| format!("  {text}\n")));
        }
        text
    }
}

/// Compares the events that were shown, those in the log, the effects in the ledger, and the number of
/// completed runs.
fn compare(
    shown: &BTreeMap<u64, Value>,
    recorded: &BTreeMap<u64, Value>,
    ledger: &str,
    completed: usize,
) -> Proof {
    let mut broken = Vec::new();
    for (seq, event) in shown.iter().filter(|(seq, event)| recorded.get(seq) != Some(event)) {
        broken.push(format!("event {seq} was shown and is not in the log as it was: {event}"));
    }
    let began = |event: &&Value| event["type"] == "attempt.started" && event["data"]["purpose"] == "step";
    let intents: BTreeMap<[String; 3], String> = recorded.values().filter(began).map(intent).collect();
    let mut keys: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for line in ledger.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [run, step, attempt, key] = words[..] else {
            broken.push(format!("the ledger holds what no step writes: {line:?}"));
            continue;
        };
        let number = attempt.rsplit(['.', '#', '/']).next().unwrap_or_default();
        if intents.get(&[run, step, number].map(str::to_owned)).map(String::as_str) != Some(key) {
            broken.push(format!("{step} of {run} happened with no record from before it began: {line:?}"));
        }
        keys.entry((run, step)).or_default().push(key);
    }
    for ((run, step), keys) in &keys {
        if keys.iter().collect::<BTreeSet<_>>().len() > 1 {
            broken.push(format!("{step} of {run} was repeated with another key"));
        }
        if ONCE.contains(step) && keys.len() > 1 {
            broken.push(format!("{step} of {run} happened {} times", keys.len()));
        }
    }
    let runs: BTreeSet<&str> = keys.keys().map(|(run, _)| *run).collect();
    if completed < runs.len() || keys.len() != runs.len() * STEPS {
        broken.push(format!(
            "not every run went on to its end: {completed} completed, {} steps happened",
            keys.len()
        ));
    }
    let once = keys.keys().filter(|(_, step)| ONCE.contains(step)).count();
    Proof {
        runs: 0,
        shown: shown.len(),
        recorded: recorded.len(),
        effects: ledger.lines().count(),
        once,
        broken,
    }
}

/// Run, step and number of an attempt, and its key.
fn intent(event: &Value) -> ([String; 3], String) {
    let text = |run: &Value| run.as_str().map_or_else(|| run.to_string(), str::to_owned);
    ([&event["run"], &event["step"], &event["attempt"]].map(text), text(&event["data"]["effect_key"]))
}

/// The ids in a list, of those that `which` picks.
fn names(list: &Value, which: impl Fn(&Value) -> bool) -> Vec<String> {
    let picked = list.as_array().into_iter().flatten().filter(|item| which(item));
    picked.filter_map(|item| item["id"].as_str().map(str::to_owned)).collect()
}

/// `kill -9`, and waits until it is gone.
fn end(child: &mut Child) -> Result<(), Trouble> {
    // It may have been faster than we.
    drop(child.kill());
    child.wait().map(drop).map_err(|error| could_not("wait for what was killed", &error))
}

fn could_not(what: &str, error: &std::io::Error) -> Trouble {
    Trouble::failed(format!("could not {what}: {error}; `cuelight doctor` says what is wrong here"))
}

fn no_output() -> Trouble {
    Trouble::failed("could not read what the console shows; try again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(seq: u64, step: &str, attempt: u64) -> (u64, Value) {
        let data = json!({"purpose": "step", "effect_key": format!("k-{step}")});
        (
            seq,
            json!({"seq": seq, "run": "r-1", "type": "attempt.started", "step": step, "attempt": attempt, "data": data}),
        )
    }

    const ALL: [&str; STEPS] = ["pay", "mail", "upload", "order", "book", "count", "ship"];

    fn world() -> (BTreeMap<u64, Value>, String) {
        let recorded = (1..).zip(ALL).map(|(seq, step)| event(seq, step, 1)).collect();
        (recorded, ALL.map(|all| format!("r-1 {all} r-1.{all}.1 k-{all}\n")).concat())
    }

    #[test]
    fn what_was_shown_recorded_and_done_agrees() {
        let (recorded, ledger) = world();
        let proof = compare(&recorded, &recorded, &ledger, 1);
        assert_eq!((proof.broken.clone(), proof.effects, proof.once), (Vec::new(), 7, 4));
        let again = format!("{ledger}r-1 upload r-1.upload.1 k-upload\n");
        assert!(compare(&recorded, &recorded, &again, 1).holds(), "what may be repeated may be repeated");
    }

    #[test]
    fn every_promise_that_does_not_hold_is_named() {
        let (recorded, ledger) = world();
        let mut shown = recorded.clone();
        shown.extend([event(99, "ship", 2)]);
        let lost: BTreeMap<u64, Value> = recorded.clone().into_iter().skip(1).collect();
        for (shown, recorded, ledger, completed, part) in [
            (&shown, &recorded, ledger.clone(), 1, "event 99 was shown"),
            (&lost, &lost, ledger.clone(), 1, "pay of r-1 happened with no record"),
            (
                &recorded,
                &recorded,
                format!("{ledger}r-1 pay r-1.pay.1 k-pay\n"),
                1,
                "pay of r-1 happened 2 times",
            ),
            (
                &recorded,
                &recorded,
                ledger.replace("k-upload", "k-other"),
                1,
                "upload of r-1 happened with no record",
            ),
            (&recorded, &recorded, format!("{ledger}r-1 upload r-1.upload.1 k-2\n"), 1, "another key"),
            (&recorded, &recorded, format!("{ledger}half a li\n"), 1, "what no step writes"),
            (&recorded, &recorded, ledger.replace("r-1 ship r-1.ship.1 k-ship\n", ""), 1, "not every run"),
            (&recorded, &recorded, ledger, 0, "0 completed"),
        ] {
            let proof = compare(shown, recorded, &ledger, completed);
            assert!(proof.broken.iter().any(|text| text.contains(part)), "{part}: {proof:?}");
            assert!(proof.text(1, 0, "", "1s").contains("NOT all promises held"));
        }
    }
}
