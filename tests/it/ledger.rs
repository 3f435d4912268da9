//! An outside ledger: a workflow whose steps each write one line of what they really did, and what must hold between those
//! lines, the log, and what was told, however its engines died. How they die is for those who use it.

use crate::program::{Place, Running, Said, text, until};
use cuelight_base::Seq;
use cuelight_store::{Reader, Workspace, verify};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;

/// Steps of every class, three deep and side by side. Each writes one line into the ledger: run, step, attempt, key.
pub(crate) const EFFECTS: &str = r#"name: effects
inputs: {ledger: {type: string, required: true}}
env: {LEDGER: "${{ inputs.ledger }}"}
steps:
  - {id: pay, run: 'echo "$CUELIGHT_RUN pay $CUELIGHT_ATTEMPT $CUELIGHT_KEY" >> "$LEDGER"; sleep 0.02'}
  - {id: mail, run: 'sleep 0.01; echo "$CUELIGHT_RUN mail $CUELIGHT_ATTEMPT $CUELIGHT_KEY" >> "$LEDGER"'}
  - {id: upload, effect: idempotent, run: 'echo "$CUELIGHT_RUN upload $CUELIGHT_ATTEMPT $CUELIGHT_KEY" >> "$LEDGER"; sleep 0.01'}
  - {id: order, needs: [pay, upload], effect: keyed, run: 'echo "$CUELIGHT_RUN order $CUELIGHT_ATTEMPT $CUELIGHT_KEY" >> "$LEDGER"; sleep 0.01'}
  - {id: book, needs: [mail], effect: queryable, check: 'grep -q "^$CUELIGHT_RUN book " "$LEDGER"', run: 'echo "$CUELIGHT_RUN book $CUELIGHT_ATTEMPT $CUELIGHT_KEY" >> "$LEDGER"; sleep 0.02'}
  - {id: count, needs: [mail], effect: pure, run: 'echo "$CUELIGHT_RUN count $CUELIGHT_ATTEMPT $CUELIGHT_KEY" >> "$LEDGER"'}
  - {id: ship, needs: [order, book, count], run: 'echo "$CUELIGHT_RUN ship $CUELIGHT_ATTEMPT $CUELIGHT_KEY" >> "$LEDGER"; sleep 0.01'}
"#;

/// Steps whose end nobody can know after a crash.
pub(crate) const ONCE: [&str; 3] = ["pay", "mail", "ship"];

/// A workspace in which engines die, and what an outsider knows of it.
pub(crate) struct Drill {
    pub(crate) place: Place,
    /// Events that a console printed before it died.
    pub(crate) told: Vec<Value>,
    pub(crate) answers: usize,
}

impl Drill {
    pub(crate) fn new() -> Self {
        // Engines in the background leave at once when there is nothing to do.
        let place = Place::new().with("CUELIGHT_IDLE_AFTER", "20ms");
        place.write("effects.yaml", EFFECTS);
        Self { place, told: Vec::new(), answers: 0 }
    }

    pub(crate) fn ledger(&self) -> String {
        self.place.text("ledger")
    }

    /// Starts a run whose events are printed as they are recorded. The words in front are a program that starts it.
    pub(crate) fn run_under(&self, wrapper: &[&str]) -> Running {
        let ledger = format!("ledger={}", self.place.file("ledger").display());
        self.place.start_under(wrapper, &["run", "effects.yaml", "--json", "-i", &ledger])
    }

    /// Reads the rest of the output, which counts as reported, and returns how the process ended.
    pub(crate) fn listen_to_the_end(&mut self, console: Running) -> Said {
        let said = console.end();
        // A line that was cut in two was not told.
        let lines = said.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        self.told.extend(lines.filter(|line| line["seq"].as_u64().is_some_and(|seq| seq > 0)));
        said
    }

    /// A person looks into the ledger and says what they see.
    pub(crate) fn answer_doubts(&mut self) {
        if !self.place.file(".cuelight/cuelight.db").exists() {
            return;
        }
        let runs = self.place.runs();
        for run in runs.iter().filter(|run| run["ended_at"].is_null()).map(|run| text(&run["id"])) {
            let show = self.place.show(&run);
            let steps = show["steps"].as_array().expect("steps");
            for step in steps.iter().filter(|step| step["state"] == "in-doubt").map(|step| text(&step["id"]))
            {
                let happened = self.ledger().lines().any(|line| line.starts_with(&format!("{run} {step} ")));
                let answer = if happened { "happened" } else { "not-happened" };
                let said = self.place.cue(&["doubt", &run, &step, answer, "--reason", "seen in the ledger"]);
                assert_eq!(said.code, 0, "{said:?}");
                self.answers += 1;
            }
        }
    }

    /// Engines and answers, until nothing is open.
    pub(crate) fn come_to_rest(&mut self) {
        until("all runs rest", || {
            let engine = self.place.start(&["serve", "--until-idle"]);
            self.answer_doubts();
            let open = self.place.runs().iter().any(|run| run["ended_at"].is_null());
            let said = if open {
                engine.signal(Signal::TERM);
                engine.end()
            } else {
                engine.end()
            };
            // An answer has started an engine in the background, which has not left yet.
            let is_taken = said.err.contains("another cuelight");
            assert!(said.code == 0 || is_taken, "{said:?}");
            !open && !is_taken
        });
    }

    /// Checks the log against the ledger. Returns the number of runs.
    pub(crate) fn check(&self) -> usize {
        let reader = Reader::open(&Workspace::find(self.place.path()).expect("a workspace")).expect("a log");
        verify(&reader, Seq(1)).expect("the chain holds");
        let runs = self.place.runs();
        let mut recorded = BTreeMap::new();
        for run in &runs {
            assert_eq!(run["state"], "completed", "{run}");
            let events = self.place.events(&text(&run["id"]));
            recorded
                .extend(events.into_iter().map(|event| (event["seq"].as_u64().expect("a number"), event)));
        }
        for told in &self.told {
            let seq = told["seq"].as_u64().expect("a number");
            assert_eq!(recorded.get(&seq), Some(told), "what was told is on disk, word for word");
        }
        self.check_ledger(&recorded);
        runs.len()
    }

    fn check_ledger(&self, recorded: &BTreeMap<u64, Value>) {
        let started: BTreeMap<(String, String), String> = recorded
            .values()
            .filter(|value| value["type"] == "attempt.started" && value["data"]["purpose"] == "step")
            .map(|value| {
                (
                    (text(&value["run"]), format!("{} {}", text(&value["step"]), value["attempt"])),
                    text(&value["data"]["effect_key"]),
                )
            })
            .collect();
        let mut seen: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for line in self.ledger().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [run, step, attempt, key] = words[..] else { panic!("{line:?}") };
            let number = attempt.rsplit(['.', '#', '/']).next().expect("a number");
            let intent = started.get(&(run.to_owned(), format!("{step} {number}")));
            assert_eq!(intent.map(String::as_str), Some(key), "no effect without its record: {line}");
            seen.entry((run.to_owned(), step.to_owned())).or_default().push(key.to_owned());
        }
        for ((run, step), keys) in &seen {
            assert!(
                keys.windows(2).all(|pair| pair[0] == pair[1]),
                "{step} of {run} keeps its key: {keys:?}"
            );
            if ONCE.contains(&step.as_str()) || step == "book" {
                assert_eq!(keys.len(), 1, "{step} of {run} happened once");
            }
        }
        let runs = seen.keys().map(|(run, _)| run).collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(seen.len(), runs * 7, "every step of every run happened");
    }
}
