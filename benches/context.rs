//! Measures the time until an agent gets its context: built anew after a file has changed, and from the
//! cache, in a repository of some thousand files. `cargo bench --bench context`.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints what a clock says")]

use cuelight_base::{Actor, Channel, Proof};
use cuelight_runtime::{ContextQuery, Engine, Setup};
use cuelight_store::Trusted;
use cuelight_tool::{HttpPolicy, SecretStore};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const FILES: usize = 4000;
const ROUNDS: usize = 200;

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    fill(dir.path());
    let actor = Actor {
        name: "b".to_owned(),
        proof: Proof::OsUser(0),
        groups: Vec::new(),
        channel: Channel::Console,
    };
    let engine = Engine::start(Setup {
        trees: None,
        workspace: Trusted::make(dir.path()).expect("a workspace"),
        actor,
        environment: vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())],
        secrets: SecretStore::new(BTreeMap::new(), dir.path()),
        program: None,
        http: HttpPolicy::default(),
        traced: false,
        guard: None,
    })
    .await
    .expect("it starts");
    let desk = engine.desk();
    let query = || ContextQuery {
        project: None,
        issue: "SHOP-12-part7".to_owned(),
        agent_type: "rust-specialist".to_owned(),
        bytes_max: u32::MAX,
    };
    let (mut cold, mut kept) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for round in 0..ROUNDS {
        fs::write(dir.path().join("src/m0/part0.rs"), format!("// {round}\n")).expect("written");
        let start = Instant::now();
        bytes = desk.context(query()).await.expect("a context").len();
        cold.push(start.elapsed());
        let start = Instant::now();
        assert!(desk.context(query()).await.expect("a context").contains("\"cache_hit\":true"));
        kept.push(start.elapsed());
    }
    println!("a context of {bytes} bytes out of {FILES} files:");
    print(&mut cold, "made anew after a change");
    print(&mut kept, "kept, and looked at");
    engine.close().await;
}

fn print(took: &mut [Duration], what: &str) {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{what:<28} median {:>6.2} ms  p99 {:>6.2} ms", at(50), at(99));
}

fn fill(root: &Path) {
    for number in 0..FILES {
        let dir = root.join(format!("src/m{}", number % 100));
        fs::create_dir_all(&dir).expect("made");
        let text = format!("// part {number}\n{}", "fn nothing() {}\n".repeat(100));
        fs::write(dir.join(format!("part{number}.rs")), text).expect("written");
    }
    fs::write(root.join(".gitignore"), ".cuelight\n*.log\n/out/\n").expect("written");
    for words in [
        vec!["init", "-q"],
        vec!["add", "-A"],
        vec!["-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "-q", "-m", "all of it"],
    ] {
        let done = Command::new("git").args(&words).current_dir(root).status().expect("git");
        assert!(done.success(), "{words:?}");
    }
}
