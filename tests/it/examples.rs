//! The examples are true: each is read without a finding, is in canonical form, makes a plan, and does its work when
//! the program runs it and a second process answers at its gates.

use crate::{
    docs::is_updating,
    program::{Place, until},
    run_and_answer::{Told, cuelight, run, say},
};
use cuelight_definition::Files;

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every workflow in `examples/`, the parts that others call included.
fn examples() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["examples", "examples/parts"]
        .iter()
        .flat_map(|dir| fs::read_dir(root().join(dir)).expect("the directory of examples"))
        .map(|entry| entry.expect("an entry of it").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    found.sort();
    found
}

struct Beside;

impl Files for Beside {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(path).map_err(|error| error.to_string())
    }

    fn tools(&self) -> Vec<(String, Result<String, String>)> {
        tools()
            .iter()
            .map(|tool| (name(tool), fs::read_to_string(tool).map_err(|error| error.to_string())))
            .collect()
    }

    fn models(&self) -> Vec<(String, Result<String, String>)> {
        let local = root().join("examples/models/local.yaml");
        vec![(name(&local), self.read(&local.display().to_string()))]
    }

    fn agents(&self) -> Vec<(String, Result<String, String>)> {
        let files = fs::read_dir(root().join("examples/agents")).expect("the agents of the examples");
        let mut files: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
        files.sort();
        files.iter().map(|file| (name(file), self.read(&file.display().to_string()))).collect()
    }
}

/// The tools that examples use and that are not built in, each in a file of its own.
fn tools() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root().join("examples/tools"))
        .expect("the directory of their tools")
        .map(|entry| entry.expect("an entry of it").path())
        .collect();
    found.sort();
    found
}

/// A directory whose workspace has those tools.
fn with_tools() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    let home = directory.path().join(".cuelight");
    fs::create_dir_all(home.join("tools")).expect("made");
    fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).expect("ours alone");
    for tool in tools() {
        fs::copy(&tool, home.join("tools").join(tool.file_name().expect("a name"))).expect("copied");
    }
    directory
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").display().to_string()
}

#[test]
fn every_example_is_read_without_a_finding_and_can_be_planned() {
    let mut complaints = String::new();
    for path in examples() {
        let text = fs::read_to_string(&path).expect("an example");
        let (workflow, findings) = cuelight_definition::read(&path.display().to_string(), &text, &Beside);
        complaints.extend(findings.iter().map(|finding| finding.text(false)));
        let Some(workflow) = workflow else { continue };
        let given = workflow
            .inputs
            .iter()
            .filter(|input| input.required)
            .map(|input| (input.name.value.clone(), ".".to_owned()));
        let inputs = cuelight_definition::check_input_texts(&workflow, &given.collect::<Vec<_>>())
            .expect("its inputs");
        let plan =
            cuelight_plan::lower(&workflow, inputs).unwrap_or_else(|why| panic!("{}: {why:?}", name(&path)));
        assert!(!plan.description.is_empty(), "{} says what it is for", name(&path));
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn every_example_is_in_canonical_form() {
    for path in examples() {
        let text = fs::read_to_string(&path).expect("an example");
        let formatted =
            cuelight_definition::fmt(&text).unwrap_or_else(|_| panic!("{} can be read", name(&path)));
        if is_updating() {
            fs::write(&path, &formatted).expect("the example can be written");
        } else {
            assert!(formatted == text, "{0} is not in canonical form; run cuelight dev fmt {0}", name(&path));
        }
    }
}

#[test]
fn every_example_says_on_top_what_it_does_and_how_to_try_it() {
    for path in examples() {
        let text = fs::read_to_string(&path).expect("an example");
        let top: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(top.iter().any(|text| text.contains("cuelight ")), "{} says how to try it", name(&path));
        assert!(top.len() >= 3, "{} says what it does", name(&path));
    }
}

/// Runs an example in a directory of its own.
fn try_it(example: &str, words: &[&str], answers: &[&str]) -> (TempDir, Told) {
    let directory = TempDir::new().expect("a directory");
    let told = again(&directory, example, words, answers);
    (directory, told)
}

fn again(directory: &TempDir, example: &str, words: &[&str], answers: &[&str]) -> Told {
    run(directory.path(), &root().join("examples").join(example), words, answers)
}

fn files(directory: &TempDir, below: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory.path().join(below)) else { return Vec::new() };
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn read(directory: &TempDir, path: &str) -> String {
    fs::read_to_string(directory.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn hello_waits_for_its_answer() {
    let (_directory, told) = try_it("hello.yaml", &["-i", "name=Ada"], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(told.steps("step.completed"), ["greet", "ask", "part"]);

    let (_directory, told) = try_it("hello.yaml", &[], &["reject"]);
    assert_eq!((told.state(), told.code), ("rejected", Some(3)), "{told:?}");
    assert_eq!(told.steps("step.skipped"), ["part"]);
}

#[test]
fn the_demo_shows_a_retry_a_fallback_a_skip_models_that_ask_a_budget_that_is_too_small_and_two_gates() {
    let (directory, told) = try_it("demo.yaml", &[], &["approve"; 5]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(told.steps("step.skipped"), ["migrate"]);
    let tries = told
        .events
        .iter()
        .filter(|event| event["type"] == "attempt.started" && event["step"] == "integration");
    assert_eq!(tries.count(), 2);
    let scan = told.events.iter().find(|event| event["type"] == "step.completed" && event["step"] == "scan");
    assert_eq!(scan.expect("the scan")["data"]["fallback"], 1);
    assert_eq!(told.steps("gate.asked"), ["review", "notes/gate-1.2", "try-it", "release", "story"]);
    assert!(read(&directory, "notes.txt").starts_with("The shop, the cart"));
    assert_eq!(told.output("review", "answered-by"), "stand-in");
    assert_eq!(files(&directory, "live"), ["asia.txt", "eu.txt", "us.txt"]);
    assert!(read(&directory, "news.txt").contains("v1.4.0 is out, dear customers (see CHG-1042)"));
    assert!(
        told.output("story", "sentence").as_str().is_some_and(|output| output.starts_with("It is faster"))
    );
}

#[test]
fn a_no_at_the_budget_of_the_demo_costs_a_story_and_nothing_else() {
    let answers = ["approve", "approve", "approve", "approve", "reject"];
    let (directory, told) = try_it("demo.yaml", &[], &answers);
    assert_eq!((told.state(), told.code), ("partially-completed", Some(5)), "{told:?}");
    assert_eq!(told.steps("step.failed"), ["story"]);
    assert_eq!(read(&directory, "news.txt"), "v1.4.0 is out, dear customers (see CHG-1042)\n");
}

#[test]
fn a_no_at_the_last_gate_of_the_demo_takes_everything_back() {
    let (directory, told) = try_it("demo.yaml", &[], &["approve", "approve", "approve", "reject"]);
    assert_eq!(told.state(), "undone", "{told:?}");
    let undone = told.steps("undo.done");
    assert_eq!((undone.first(), undone.last()), (Some(&"canary"), Some(&"checkout")));
    assert_eq!(files(&directory, ""), [".cuelight"]);
}

#[test]
fn etl_reads_as_many_files_as_there_are_and_adds_them_up() {
    let source = root().join("examples/data/sales");
    let source = format!("source={}", source.display());
    let (directory, told) = try_it("etl.yaml", &["-i", &source], &[]);
    assert_eq!(told.state(), "completed", "{told:?}");
    assert_eq!(told.output("clean", "rows"), &serde_json::json!([8, 7, 7]));
    assert_eq!(told.output("load", "rows"), 22);
    let items = "item,pieces,cents\ncoffee,374,311190\ncups,19,22000\ntea,55,25020\n";
    assert_eq!(read(&directory, "etl-example/items.csv"), items);
    assert_eq!(read(&directory, "etl-example/broken/porto.csv"), "porto,9,2026-13-07,coffee,1,750\n");

    let told = again(&directory, "etl.yaml", &["-i", &source, "-i", "broken_max=5"], &[]);
    assert_eq!((told.state(), told.code), ("undone", Some(1)), "{told:?}");
    assert_eq!(files(&directory, "etl-example/clean"), [""; 0]);
}

#[test]
fn fanout_counts_in_two_hundred_steps() {
    let (_directory, told) = try_it("fanout.yaml", &[], &[]);
    assert_eq!(told.state(), "completed", "{told:?}");
    assert_eq!(told.steps("step.completed").len(), 202);
    assert_eq!(told.output("sum", "sum"), 17_984);
}

#[test]
fn digest_asks_for_more_when_its_budget_is_too_small_for_the_next_text() {
    let (directory, told) = try_it("digest.yaml", &[], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(told.steps("gate.asked").len(), 1, "{told:?}");
    let shown = String::from_utf8(say(directory.path(), &["show", "r-1"]).stdout).expect("text");
    assert!(
        shown.contains("\nbudget: 86 of 160 tokens, 86 at its end\nbudget: 0.043 of 0.05 USD"),
        "{shown}"
    );
    let shown = say(directory.path(), &["show", "r-1", "--json"]).stdout;
    let shown: serde_json::Value = serde_json::from_slice(&shown).expect("JSON");
    assert_eq!(shown["spent"], serde_json::json!({"calls": 5, "tokens": 86, "cost_usd": 0.043}));

    let (_directory, told) = try_it("digest.yaml", &[], &["reject"]);
    assert_eq!((told.state(), told.code), ("failed", Some(1)), "{told:?}");
}

#[test]
fn backup_verifies_its_copy_takes_back_a_bad_one_and_asks_before_it_deletes() {
    let copies = "backup-example/copies";
    let (directory, told) = try_it("backup.yaml", &[], &[]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(files(&directory, copies).len(), 1);

    let told = again(&directory, "backup.yaml", &["-i", "drill=true"], &[]);
    assert_eq!(told.state(), "undone", "{told:?}");
    assert_eq!((told.steps("step.failed"), told.steps("undo.done")), (vec!["verify"], vec!["copy"]));
    assert_eq!(files(&directory, copies).len(), 1, "the copy before it is untouched");

    let told = again(&directory, "backup.yaml", &["-i", "keep=1"], &["reject"]);
    assert_eq!((told.state(), told.code), ("partially-completed", Some(5)), "{told:?}");
    assert_eq!(files(&directory, copies).len(), 2);

    let told = again(&directory, "backup.yaml", &["-i", "keep=1"], &["approve"]);
    assert_eq!(told.state(), "completed", "{told:?}");
    assert_eq!(files(&directory, copies).len(), 1);
}

#[test]
fn an_untrusted_script_is_held_to_little_and_reaches_nothing() {
    if cuelight_tool::sandbox_weaknesses().is_err() {
        println!("skipped: this kernel has no Landlock");
        return;
    }
    let (directory, told) = try_it("untrusted.yaml", &[], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert!(read(&directory, "untrusted-example/result").contains("2 to\n"), "it counts words");

    let (_directory, told) = try_it("untrusted.yaml", &["-i", "script=head -c 2000000 /dev/zero"], &[]);
    assert_eq!((told.state(), told.code), ("failed", Some(1)), "{told:?}");
    let ended = told.events.iter().rfind(|event| event["type"] == "attempt.ended").expect("it ended");
    let why = ended["data"]["outcome"]["failure"]["message"].as_str().expect("a message");
    assert!(why.starts_with("wrote too much to one file: limit 1 MiB"), "{why}");

    let (directory, told) = try_it("untrusted.yaml", &["-i", "script=echo x > ../escaped"], &[]);
    assert_eq!((told.state(), told.code), ("failed", Some(1)), "{told:?}");
    assert_eq!(files(&directory, ""), [".cuelight", "untrusted-example"]);
}

#[test]
fn cleanup_asks_only_about_many_files_and_a_no_brings_them_back() {
    let (directory, told) = try_it("cleanup.yaml", &["-i", "unasked_max=2"], &["reject"]);
    assert_eq!(told.state(), "undone", "{told:?}");
    assert_eq!(files(&directory, "cleanup-example/reports").len(), 6);
    assert_eq!(files(&directory, "cleanup-example"), ["reports"]);

    let told = again(&directory, "cleanup.yaml", &[], &[]);
    assert_eq!(told.state(), "completed", "{told:?}");
    assert_eq!(files(&directory, "cleanup-example/reports"), ["5.txt", "6.txt"]);
}

#[test]
fn incident_treats_records_and_undoes_when_it_is_not_over() {
    let (directory, told) = try_it("incident.yaml", &[], &["approve", "approve"]);
    assert_eq!(told.state(), "completed", "{told:?}");
    assert_eq!(files(&directory, "incident-example/logs"), ["quiet.log", "shop.log", "shop.log.gz"]);
    assert_eq!(read(&directory, "incident-example/logs/shop.log"), "");
    assert!(read(&directory, "incident-example/r-1.md").contains("Severity: major."));

    let (directory, told) = try_it("incident.yaml", &[], &["approve", "reject"]);
    assert_eq!((told.state(), told.steps("undo.done")), ("undone", vec!["compress"]), "{told:?}");
    assert_eq!(files(&directory, "incident-example/logs"), ["quiet.log", "shop.log"]);
    assert_eq!(read(&directory, "incident-example/logs/shop.log").lines().count(), 20_000);
}

#[test]
fn deploy_goes_live_and_goes_back_in_reverse_order() {
    let (directory, told) = try_it("deploy.yaml", &["-i", "version=v1.0.0"], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    let current = directory.path().join("deploy-example/current");
    assert_eq!(fs::read_link(&current).expect("a link"), Path::new("releases/v1.0.0"));

    let told = again(&directory, "deploy.yaml", &["-i", "version=v1.1.0", "-i", "broken=true"], &["approve"]);
    assert_eq!(told.state(), "undone", "{told:?}");
    assert_eq!(told.steps("undo.done"), ["switch", "unpack", "pack"]);
    assert!(told.steps("step.completed").contains(&"aftermath"), "it says what is live, whatever happened");
    assert_eq!(fs::read_link(&current).expect("a link"), Path::new("releases/v1.0.0"));
    assert_eq!(files(&directory, "deploy-example/releases"), ["v1.0.0"]);
}

/// A program of the machine; none when it is not here.
#[expect(clippy::disallowed_methods, reason = "a checkout is made for the example")]
fn program(directory: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new(words[0]).args(&words[1..]).current_dir(directory).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn release_builds_tests_and_tags_and_an_undo_takes_the_tag_away() {
    let directory = TempDir::new().expect("a directory");
    let at = directory.path();
    if program(at, &["git", "init", "--quiet"]).is_none() {
        println!("skipped: git is not here");
        return;
    }
    fs::create_dir(at.join("src")).expect("a directory");
    let lib = "/// One more.\npub fn more(it: u32) -> u32 {\n    it + 1\n}\n\n#[test]\nfn one_is_more_than_none() {\n    assert_eq!(more(0), 1);\n}\n";
    fs::write(at.join("src/lib.rs"), lib).expect("a file");
    let manifest = "[package]\nname = \"small\"\nversion = \"0.3.1\"\nedition = \"2021\"\n\n[workspace]\n";
    fs::write(at.join("Cargo.toml"), manifest).expect("a file");
    program(at, &["git", "add", "."]).expect("git add");
    let author =
        ["git", "-c", "user.name=ann", "-c", "user.email=ann@localhost", "commit", "-qm", "a small crate"];
    program(at, &author).expect("git commit");

    let told = again(&directory, "release.yaml", &[], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(told.output("preflight", "tag"), "v0.3.1");
    let commit = program(at, &["git", "rev-parse", "HEAD"]);
    assert_eq!(program(at, &["git", "rev-parse", "v0.3.1^{commit}"]), commit);
    assert_eq!(
        program(at, &["git", "tag", "-n", "--list"]).as_deref(),
        Some("v0.3.1          Release v0.3.1")
    );
    assert!(
        at.join("target/release").is_dir() && at.join("target/debug").is_dir(),
        "it was built and tested"
    );

    let told = again(&directory, "release.yaml", &[], &[]);
    assert_eq!((told.state(), told.steps("step.failed")), ("failed", vec!["preflight"]), "{told:?}");

    let undone = say(at, &["undo", "r-1", "--reason", "too early"]);
    assert!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    say(at, &["logs", "r-1", "--follow"]);
    assert_eq!(program(at, &["git", "tag", "--list"]).as_deref(), Some(""));
}

#[test]
fn requests_ship_once_what_was_agreed_to() {
    let directory = TempDir::new().expect("a directory");
    if program(directory.path(), &["python3", "--version"]).is_none() {
        println!("skipped: python3 is not here, and the example's service is written in it");
        return;
    }
    let free =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let home = directory.path().join(".cuelight");
    fs::create_dir(&home).expect("made");
    fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).expect("ours alone");
    fs::write(home.join("config.toml"), format!("http-private = [\"{free}\"]\n")).expect("written");
    let told = again(&directory, "requests.yaml", &["-i", &format!("port={}", free.port())], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    let tries =
        told.events.iter().filter(|event| event["type"] == "attempt.started" && event["step"] == "ship");
    assert_eq!(tries.count(), 2, "the service was busy once");
    let shipped = told.output("shipped", "json").as_array().expect("a list");
    assert_eq!((shipped.len(), &shipped[0]["version"]), (1, &serde_json::json!("v1")), "{shipped:?}");
}

#[test]
fn review_asks_a_person_only_where_the_model_is_not_sure() {
    let (directory, told) = try_it("review.yaml", &[], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(told.steps("gate.asked"), ["review"], "it is not sure enough");
    assert_eq!(told.output("review", "answered-by"), "stand-in");
    assert!(read(&directory, "review.txt").contains("\nScore 0.6 by stand-in: Sound as far"));
    let (directory, told) = try_it("review.yaml", &[], &["reject"]);
    assert_eq!(told.steps("step.completed"), [""; 0], "{told:?}");
    assert_eq!(files(&directory, ""), [".cuelight"]);
}

#[test]
fn mend_writes_what_its_model_wants_to_write_only_after_a_yes() {
    let (directory, told) = try_it("mend.yaml", &[], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(told.steps("gate.asked"), ["mend/gate-1.2"], "reading asks nobody");
    assert_eq!(read(&directory, "prices.txt"), "coffee 3.20\ntea 2.00\n");
    let (directory, told) = try_it("mend.yaml", &[], &["reject"]);
    assert_eq!(told.steps("step.failed"), ["check"], "a no is told to the model, and the list is as it was");
    assert_eq!(read(&directory, "prices.txt"), "coffee 3.20\ntea two\n");
}

#[test]
fn second_opinion_says_before_it_starts_that_it_needs_a_key() {
    let directory = TempDir::new().expect("a directory");
    let mut command = cuelight(directory.path());
    for name in ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"] {
        command.env_remove(name);
    }
    let output = command.arg("run").arg(root().join("examples/second-opinion.yaml")).output();
    let output = output.expect("it can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("none of the secrets ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY is set"),
        "{said}"
    );
}

#[test]
fn tools_ask_check_and_seal_a_report() {
    let (directory, told) = try_it("tools.yaml", &[], &[]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(read(&directory, "tools-example/report.txt"), "Sold in all: 42\nThe best: south\n");
    let (_directory, told) = try_it("tools.yaml", &["-i", "least=100"], &[]);
    assert_eq!(told.state(), "failed");
    assert_eq!(told.steps("step.failed"), ["check"], "what does not fit stops here");
}

#[test]
fn agents_are_chosen_ask_where_they_are_not_sure_and_have_a_fallback() {
    let agents = || {
        let directory = TempDir::new().expect("a directory");
        let home = directory.path().join(".cuelight");
        fs::create_dir_all(home.join("agents")).expect("made");
        fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).expect("ours alone");
        for (file, text) in Beside.agents() {
            let file = Path::new(&file).file_name().expect("a name").to_owned();
            fs::write(home.join("agents").join(file), text.expect("text")).expect("written");
        }
        directory
    };
    let long = agents();
    let told = again(&long, "agents.yaml", &[], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(told.steps("gate.asked"), ["review"], "it is not sure enough");
    let chosen = told.events.iter().find(|event| event["type"] == "step.routed").expect("chosen");
    assert_eq!(chosen["data"]["choice"]["chosen"], "agent:skimmer@1.0.0");
    assert_eq!(told.output("second", "result"), "1 words stand twice");
    let told = again(&long, "agents.yaml", &["-i", "text=A short note"], &[]);
    assert_eq!((told.state(), told.steps("gate.asked").len()), ("completed", 0), "{told:?}");
    let told = again(&long, "agents.yaml", &["-i", "text="], &[]);
    assert_eq!(told.state(), "completed", "{told:?}");
    assert_eq!(told.output("review", "result"), "nobody has read it");
}

#[test]
fn remote_is_done_by_an_agent_that_comes_for_it() {
    let place = Place::new();
    if program(place.path(), &["python3", "--version"]).is_none() {
        println!("skipped: python3 is not here, and the example's agent is written in it");
        return;
    }
    fs::create_dir_all(place.file(".cuelight/agents")).expect("made");
    fs::set_permissions(place.file(".cuelight"), PermissionsExt::from_mode(0o700)).expect("ours alone");
    let shouter = root().join("examples/agents/shouter.yaml");
    fs::copy(shouter, place.file(".cuelight/agents/shouter.yaml")).expect("copied");
    let at =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let _engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    let token = place.cue(&["token", "--agent", "shouter-1", "--type", "shouter"]).ok();
    let place = place
        .with("JWT_TOKEN", token.out.trim())
        .with("SIDECAR_URL", &format!("http://{at}"))
        .with("AGENT_ID", "shouter-1");
    let script = root().join("examples/shouter.py");
    let mut agent = place.start_foreign("python3", &[script.to_str().expect("UTF-8")]);
    agent.until("shouter-1 is there");
    let example = root().join("examples/remote.yaml");
    let told = place.cue(&["run", example.to_str().expect("UTF-8"), "-i", "words=hear me"]);
    assert_eq!((told.code, place.state("r-1").as_str()), (0, "completed"), "{told:?}");
    assert_eq!(place.step("r-1", "shout")["outputs"]["result"], "HEAR ME!");
    assert!(agent.until("r-1.0.1").contains("Say it so that everybody hears it"));
    agent.signal(rustix::process::Signal::KILL);
}

#[test]
fn debate_weighs_what_was_proposed_and_asks_about_the_best() {
    let (_directory, told) = try_it("debate.yaml", &[], &["approve"]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert!(format!("{told:?}").contains("Do it? roll out to one region first"), "{told:?}");
    assert_eq!(told.steps("step.completed").last(), Some(&"done"));
}

#[test]
fn mirrors_leaves_alone_who_does_not_answer_and_asks_nobody_more_often_than_agreed() {
    let directory = with_tools();
    let told = again(&directory, "mirrors.yaml", &[], &[]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    let chosen: Vec<&str> = told
        .events
        .iter()
        .filter(|event| event["type"] == "step.routed")
        .filter_map(|event| event["data"]["choice"]["chosen"].as_str())
        .collect();
    let (berlin, lisbon, oslo) = ("fetch-berlin@1.0.0", "fetch-lisbon@1.0.0", "fetch-oslo@1.0.0");
    assert_eq!(chosen, [berlin, berlin, lisbon, lisbon, oslo, oslo]);
    let from = told.output("get", "from");
    assert_eq!(*from, serde_json::json!(["Oslo", "Oslo", "Lisbon", "Lisbon", "Oslo", "Oslo"]));
    assert_eq!(files(&directory, "mirrors-example/got").len(), 6);
    // Each choice says why nobody better was taken.
    let why = |at: usize| {
        let routed =
            told.events.iter().filter(|event| event["type"] == "step.routed").nth(at).expect("a choice");
        routed["data"]["choice"]["alternatives"].to_string()
    };
    assert!(why(2).contains("the circuit of fetch-berlin@1.0.0 is open until"), "{}", why(2));
    assert!(why(4).contains("fetch-lisbon@1.0.0 takes no more calls on this day"), "{}", why(4));
}

#[test]
fn rates_are_asked_for_once_and_stand_for_the_day() {
    let directory = with_tools();
    for run in 0..2 {
        let told = again(&directory, "rates.yaml", &["-i", "base=USD"], &[]);
        assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
        let called =
            |event: &&serde_json::Value| event["type"] == "attempt.started" && event["step"] == "ask";
        assert_eq!(told.events.iter().filter(called).count(), 1 - run, "{told:?}");
        let rates = serde_json::json!({"CHF": 0.81, "JPY": 147.6, "SEK": 9.51});
        assert_eq!(*told.output("ask", "rates"), rates);
    }
    assert_eq!(read(&directory, "rates-example/asked.txt"), "asked for USD\n");
    let kept = String::from_utf8(say(directory.path(), &["cache", "list"]).stdout).expect("text");
    assert!(kept.contains("rates-USD"), "{kept}");
}
