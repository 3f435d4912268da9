//! A real file system of 64 MB that is filled to its last byte in the middle of a run, and freed, again and again. `CUELIGHT_FILLS=50`
//! fills it so often. Needs a kernel that lets us mount one (`unshare -rm`); else it says so and does nothing.

use crate::program::{Place, bounded};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// Default number of times that the disk is filled.
const FILLS: usize = 3;
/// Steps that are done between two fillings.
const STEPS: usize = 8;
/// Exit code of `unshare` or `mount` without permission.
const REFUSED: i32 = 77;

/// Runs in a place of its own, whose mounts end with it: `sh -c THIS PROGRAM PLACE OUTSIDE FILLS STEPS`. What happened is
/// written outside of the file system that is full.
const FULL: &str = r#"
cue=$0 place=$1 outside=$2 fills=$3 steps=$4
mount -t tmpfs -o size=64m,mode=700 cuelight "$place" || exit 77
cd "$place" && cp "$outside/w.yaml" . || exit 77
lines() { cat "$outside/$1" 2> /dev/null | wc -l; }
held() { grep -c 'waiting for room' "$outside/said"; }
"$cue" run w.yaml --headless --json > "$outside/told" 2> "$outside/said" &
n=0
while [ $n -lt "$fills" ]; do
  i=0
  while [ "$(lines ledger)" -lt $((n * steps + steps / 2)) ] && [ $i -lt 3000 ]; do i=$((i + 1)); sleep 0.02; done
  before=$(held) i=0
  while [ "$(held)" -le "$before" ] && [ $i -lt 3000 ]; do
    cat /dev/zero > "fill-$i" 2> /dev/null
    i=$((i + 1)); sleep 0.02
  done
  echo "$(lines ledger) $(held)" >> "$outside/full"
  rm -f fill-*
  n=$((n + 1))
done
wait $!
echo $? > "$outside/code"
"$cue" audit verify > "$outside/audit" 2>&1
"$cue" run events r-1 --json > "$outside/events" 2>&1
"#;

#[test]
fn a_file_system_that_is_really_full_loses_nothing_and_the_run_goes_on_when_it_is_freed() {
    let place = Place::new();
    let fills: usize =
        std::env::var("CUELIGHT_FILLS").ok().and_then(|value| value.parse().ok()).unwrap_or(FILLS);
    let outside = place.file("outside");
    fs::create_dir_all(place.file("place")).expect("made");
    fs::create_dir_all(&outside).expect("made");
    let ledger = outside.join("ledger").display().to_string();
    let steps: String = (0..fills * STEPS)
        .map(|at| format!("  - {{id: s{at}, run: 'echo s{at} >> {ledger}; seq 1 200; sleep 0.05'}}\n"))
        .collect();
    fs::write(outside.join("w.yaml"), format!("name: full\nmax-parallel: 2\nsteps:\n{steps}"))
        .expect("written");
    let (inner, outer) = (place.file("place").display().to_string(), outside.display().to_string());
    let (many, few) = (fills.to_string(), STEPS.to_string());
    let mut command = place.foreign(
        "unshare",
        &["-rm", "sh", "-c", FULL, env!("CARGO_BIN_EXE_cuelight"), &inner, &outer, &many, &few],
    );
    let said = bounded(&mut command);
    let read = |name: &str| fs::read_to_string(outside.join(name)).unwrap_or_default();
    if said.code == REFUSED || !outside.join("told").exists() {
        println!("skipped: could not mount a file system of its own (unshare -rm): {}", said.err.trim());
        return;
    }
    let full: Vec<String> = read("full").lines().map(str::to_owned).collect();
    assert_eq!(full.len(), fills);
    for (at, line) in full.iter().enumerate() {
        let held: usize = line.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a number");
        assert!(held > at, "it held at each filling: {full:?} {}", read("said"));
    }
    assert_eq!(read("code").trim(), "0", "the run went on to its end: {}", read("said"));
    assert!(read("audit").starts_with("holds"), "{}", read("audit"));
    let done: Vec<String> = read("ledger").lines().map(str::to_owned).collect();
    let once: BTreeSet<&String> = done.iter().collect();
    assert_eq!((done.len(), once.len()), (fills * STEPS, fills * STEPS), "each step happened once");
    // All that was told is there.
    let events = read("events");
    let kept: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    for kind in ["attempt.started", "attempt.ended", "step.completed"] {
        let told = read("told").lines().filter(|line| line.contains(&format!("\"type\":\"{kind}\""))).count();
        let kept = kept.iter().filter(|value| value["type"] == kind).count();
        assert_eq!((told, kept), (fills * STEPS, fills * STEPS), "{kind}");
    }
    println!("filled {fills} times: {full:?}");
}
