//! The doors of `fuzz/`, with its seeds and some thousand inputs that were made from them by chance: what a run of libFuzzer
//! finds and keeps as a seed is tried on every change. `fuzz/run` looks for more.

use crate::crash::next;
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is the surface of a crate of its own, too")]
mod doors;

/// Number of inputs made from each seed.
const CHANGED: usize = 60;
/// Larger ones are as good in fewer bytes.
const BYTES_MAX: usize = 4_000;

#[test]
fn no_door_breaks_at_what_was_made_from_its_seeds_by_chance() {
    let doors: [(&str, &str, fn(&[u8])); 21] = [
        ("api", "fuzz/seeds/api", doors::api),
        ("chain", "fuzz/seeds/chain", doors::chain),
        ("cron", "fuzz/seeds/cron", doors::cron),
        ("event", "fuzz/seeds/event", doors::event),
        ("expression", "fuzz/seeds/expression", doors::expression),
        ("format", "examples", doors::format),
        ("heads", "fuzz/seeds/heads", doors::heads),
        ("import", "tests/fixtures/import", doors::import),
        ("keymap", "fuzz/seeds/keymap", doors::keymap),
        ("keys", "fuzz/seeds/keys", doors::keys),
        ("lifeline", "fuzz/seeds/lifeline", doors::lifeline),
        ("mcp", "fuzz/seeds/mcp", doors::mcp),
        ("outputs", "fuzz/seeds/outputs", doors::outputs),
        ("query", "fuzz/seeds/query", doors::query),
        ("safe_text", "fuzz/seeds/safe_text", doors::safe_text),
        ("schema", "fuzz/seeds/schema", doors::schema),
        ("spool", "fuzz/seeds/spool", doors::spool),
        ("theme", "themes", doors::theme),
        ("token", "fuzz/seeds/token", doors::token),
        ("webhook", "fuzz/seeds/webhook", doors::webhook),
        ("workflow", "examples", doors::workflow),
    ];
    let mut seed = 5;
    for (name, dir, door) in doors {
        for input in seeds(dir) {
            attempt(name, door, &input);
            for _ in 0..CHANGED {
                attempt(name, door, &changed(&input, &mut seed));
            }
        }
    }
    doors::end_api();
}

fn attempt(name: &str, door: fn(&[u8]), input: &[u8]) {
    let held = catch_unwind(AssertUnwindSafe(|| door(input)));
    assert!(held.is_ok(), "{name} broke at {:?}", String::from_utf8_lossy(input));
}

fn seeds(dir: &str) -> Vec<Vec<u8>> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).expect("seeds").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let files = paths.into_iter().filter(|path| path.is_file());
    let seeds: Vec<Vec<u8>> =
        files.map(|file| fs::read(file).expect("a seed")).filter(|bytes| bytes.len() <= BYTES_MAX).collect();
    assert!(!seeds.is_empty(), "a door has a seed");
    seeds
}

/// A few bytes turned, taken out, put in twice, or replaced by what such texts are made of.
fn changed(input: &[u8], seed: &mut u64) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "${{",
        "}}",
        ": ",
        "\n",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "\u{202e}",
        "\u{0}",
        "99999999999999999999",
        "-1",
        "&a *a",
    ];
    let mut bytes = input.to_vec();
    let mut below = |max: usize| usize::try_from(next(seed)).unwrap_or(0) % max.max(1);
    for _ in 0..=below(4) {
        let at = below(bytes.len());
        let end = (at + below(12)).min(bytes.len());
        match below(4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let twice = bytes[at..end].to_vec();
                bytes.splice(at..at, twice);
            }
            _ => drop(bytes.splice(at..end, WORDS[below(WORDS.len())].bytes())),
        }
    }
    bytes
}
