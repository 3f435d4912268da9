//! Exactly the approved files run (`reliability.md` 4), tested with real files and real processes. A script
//! that is replaced or written over at any moment does not run.

use crate::program::Place;
use cuelight_base::{Launch, Span, TextPart};
use cuelight_tool::{Call, Executed, Host, SecretStore, run_process};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const APPROVED: &str = "#!/bin/sh\necho approved \"$@\" >> ran\n";

fn script(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

/// A workspace with a script, and a host for it.
struct Bench {
    dir: TempDir,
    host: Host,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory for the test");
        let env = vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())];
        let secrets = SecretStore::new(BTreeMap::new(), dir.path());
        let host = Host::new(dir.path().to_owned(), env, secrets, Span(300));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { dir, host, runtime }
    }

    fn looked_at(&self, launch: &Launch) -> Vec<Executed> {
        self.host.open(&launch.program(), None).files().to_vec()
    }

    /// As an engine does it: what was opened is compared, and then it is what runs. False: nothing was started.
    fn launch(&self, launch: &Launch, approved: &[Executed]) -> bool {
        let opened = self.host.open(&launch.program(), None);
        if opened.files() != approved {
            return false;
        }
        let call = Call {
            tree: None,
            attempt_dir: self.dir.path().join(".cuelight/spool/a"),
            run: "r-1".to_owned(),
            step: "0".to_owned(),
            attempt: "r-1.0.1".to_owned(),
            effect_key: "key".to_owned(),
            traceparent: None,
        };
        let cancel = CancellationToken::new();
        let answer = run_process(&self.host, launch, Some(&opened), &call, &cancel, |_| ());
        let answer = self.runtime.block_on(answer);
        assert!(answer.is_ok(), "{answer:?}");
        true
    }

    fn ran(&self) -> String {
        fs::read_to_string(self.dir.path().join("ran")).unwrap_or_default()
    }
}

fn bash(script: &str) -> Launch {
    let env = vec![("CUE_1".to_owned(), vec![TextPart::Text("a  b".to_owned())])];
    Launch { env, ..Launch::of(["bash", "-euo", "pipefail", "-c", script]) }
}

#[test]
fn a_swap_at_any_moment_of_a_launch_does_not_run() {
    let swaps = std::env::var("CUELIGHT_SWAPS").ok().and_then(|value| value.parse().ok()).unwrap_or(50);
    let bench = Bench::new();
    let (path, aside) = (bench.dir.path().join("deploy.sh"), bench.dir.path().join("aside"));
    script(&path, APPROVED);
    let launch = bash("./deploy.sh \"${CUE_1}\" c");
    let approved = bench.looked_at(&launch);
    let (done, swapped) = (AtomicBool::new(false), AtomicU32::new(0));
    let (mut ran, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // By renaming and by writing in place, as quickly as the disk lets it.
            for number in 0_u32.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let evil = format!("#!/bin/sh\necho evil {number} >> ran\n");
                let text = if number % 4 < 2 { evil.as_str() } else { APPROVED };
                if number % 2 == 0 {
                    script(&aside, text);
                    fs::rename(&aside, &path).expect("swapped");
                } else {
                    fs::write(&path, text).expect("written over");
                }
                swapped.fetch_add(1, Ordering::Relaxed);
            }
        });
        while swapped.load(Ordering::Relaxed) < swaps || ran == 0 || refused == 0 {
            if bench.launch(&launch, &approved) {
                ran += 1;
            } else {
                refused += 1;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let told = bench.ran();
    assert!(!told.contains("evil"), "{told}");
    assert_eq!(told, "approved a  b c\n".repeat(ran), "{ran} ran, {refused} refused");
    println!("{} swaps, {ran} launches ran, {refused} were refused", swapped.into_inner());
}

#[test]
fn what_was_opened_runs_although_another_file_stands_in_its_place() {
    let cases: [(&str, &str, &str); 7] = [
        ("deploy.sh", "./deploy.sh", "#!/bin/sh\necho approved >> ran\n"),
        ("deploy.sh", "bash deploy.sh", "echo approved >> ran\n"),
        ("deploy.sh", "./deploy.sh", "echo approved >> ran\n"),
        ("deploy.sh", "./deploy.sh", "#!/usr/bin/env -S sh -e\necho approved >> ran\n"),
        ("deploy.sh", "./deploy.sh", "#!/usr/bin/env sh\necho approved >> ran\n"),
        ("deploy.sh", "./deploy.sh", "#!/usr/bin/env -S A=1 sh\necho approved >> ran\n"),
        ("deploy.awk", "./deploy.awk", "#!/usr/bin/awk -f\nBEGIN { print \"approved\" >> \"ran\" }\n"),
    ];
    for (name, run, text) in cases {
        let bench = Bench::new();
        let path = bench.dir.path().join(name);
        script(&path, text);
        let launch = bash(run);
        let opened = bench.host.open(&launch.program(), None);
        for swap in ["rename", "in place"] {
            if swap == "rename" {
                fs::remove_file(&path).expect("removed");
            }
            script(&path, "#!/bin/sh\necho evil >> ran\n");
            let call = Call {
                tree: None,
                attempt_dir: bench.dir.path().join(".cuelight/spool/a"),
                run: String::new(),
                step: String::new(),
                attempt: String::new(),
                effect_key: String::new(),
                traceparent: None,
            };
            let cancel = CancellationToken::new();
            let answer = run_process(&bench.host, &launch, Some(&opened), &call, &cancel, |_| ());
            let answer = bench.runtime.block_on(answer);
            assert!(answer.is_ok(), "{run}, {text:?}: {answer:?}");
        }
        assert_eq!(bench.ran(), "approved\napproved\n", "{run}, {text:?}");
        assert!(opened.files().iter().any(|file| file.path == name), "{:?}", opened.files());
        assert!(opened.files().iter().all(|file| file.digest.is_some()), "{:?}", opened.files());
    }
}

#[test]
fn a_program_of_the_workspace_and_an_installed_one_run_by_their_descriptors() {
    let bench = Bench::new();
    let own = bench.dir.path().join("own");
    fs::copy("/bin/sh", &own).expect("a program");
    let launch = Launch::of([
        "./own",
        "-c",
        "echo own $0 >> ran; test -z \"$(readlink /proc/$$/exe | grep workspace)\"",
        "me",
    ]);
    let files = bench.looked_at(&launch);
    // `/proc` is told.
    let bound = files.iter().filter(|file| file.is_bound()).count();
    assert_eq!((bound, files[0].path.as_str()), (1, "own"));
    assert!(bench.launch(&launch, &files));
    let launch = Launch::of(["sh", "-c", "echo installed >> ran"]);
    let files = bench.looked_at(&launch);
    assert!(files[0].path.starts_with('/') && files[0].digest.is_some(), "{files:?}");
    assert!(bench.launch(&launch, &files) && bench.launch(&launch, &files));
    assert_eq!(bench.ran(), "own me\ninstalled\ninstalled\n");
    fs::write(&own, "#!/bin/sh\necho evil >> ran\n").expect("written over");
    assert!(!bench.launch(&Launch::of(["./own", "-c", ":"]), &files));
}

#[test]
fn what_is_missing_is_told_and_compared_like_anything_else() {
    let bench = Bench::new();
    let launch = bash("./deploy.sh");
    let missing = bench.looked_at(&launch);
    assert!(
        missing[0].digest.is_none()
            && missing[0].problem.as_ref().is_some_and(|problem| problem.contains("No such file"))
    );
    script(&bench.dir.path().join("deploy.sh"), "#!/bin/sh\necho evil >> ran\n");
    assert!(!bench.launch(&launch, &missing), "it was not there when it was approved");
    assert_eq!(bench.ran(), "");
}

/// Calls that name a script or a recipe somewhere in their words, and the file that is swapped.
#[test]
fn a_file_that_any_word_of_a_call_has_executed_is_approved_with_the_call() {
    let sh = |words: &[&str]| Launch::of(words.iter().copied());
    let with = |launch: Launch, name: &str, value: &str| {
        let value = vec![TextPart::Text(value.to_owned())];
        Launch { env: vec![(name.to_owned(), value)], ..launch }
    };
    let cases = [
        (sh(&["bash", "-eu", "./w.sh"]), "w.sh"),
        (sh(&["bash", "-euo", "pipefail", "plain", "data.txt"]), "plain"),
        (sh(&["timeout", "5", "./w.sh"]), "w.sh"),
        (sh(&["nice", "-n", "5", "env", "A=1", "sh", "plain"]), "plain"),
        (bash("env A=1 ./w.sh"), "w.sh"),
        (bash("cd . && ./w.sh"), "w.sh"),
        (bash("cd sub && ./in.sh"), "sub/in.sh"),
        (bash("for f in sub/*.sh; do sh $f; done"), "sub/in.sh"),
        (bash("set -e\n. ./plain"), "plain"),
        (bash("echo $(./w.sh)"), "w.sh"),
        (bash("sh -c 'exec ./w.sh'"), "w.sh"),
        (bash("true --hook=./w.sh"), "w.sh"),
        (with(bash("$TOOL now"), "TOOL", "sub/in.sh"), "sub/in.sh"),
        (with(bash("in.sh; true"), "PATH", "sub:/usr/bin:/bin"), "sub/in.sh"),
        (bash("make ship || true"), "Makefile"),
        (bash("make -C sub ship || true"), "sub/Makefile"),
        (bash("npm --prefix sub run x || true"), "sub/package.json"),
        (bash("terraform plan || true"), "main.tf"),
        (bash("ansible-playbook -i hosts plain || true"), "hosts"),
        (with(bash("./by-env.sh"), "PATH", "./sub:/usr/bin:/bin"), "sub/shiv"),
        (with(bash("true; ./by-env.sh"), "PATH", "./sub:/usr/bin:/bin"), "sub/shiv"),
    ];
    for (launch, swapped) in cases {
        let bench = Bench::new();
        let root = bench.dir.path();
        fs::create_dir(root.join("sub")).expect("a directory");
        for name in ["w.sh", "sub/in.sh", "sub/shiv"] {
            script(&root.join(name), "#!/bin/sh\ntrue\n");
        }
        script(&root.join("by-env.sh"), "#!/usr/bin/env shiv\n");
        for name in ["plain", "hosts", "main.tf", "Makefile", "sub/Makefile", "sub/package.json", "data.txt"]
        {
            fs::write(root.join(name), "true\n").expect("written");
        }
        let approved = bench.looked_at(&launch);
        let is_shown = approved.iter().any(|executed| executed.path == swapped && executed.digest.is_some());
        assert!(is_shown, "{swapped} of {:?}: {approved:#?}", launch.argv);
        assert_eq!(bench.looked_at(&launch), approved, "{:?}: the same files", launch.argv);
        fs::write(root.join(swapped), "#!/bin/sh\necho evil >> ran\n").expect("swapped");
        assert!(!bench.launch(&launch, &approved), "{swapped} of {:?} was swapped", launch.argv);
        fs::remove_file(root.join(swapped)).expect("removed");
        assert!(!bench.launch(&launch, &approved), "{swapped} of {:?} is gone", launch.argv);
        assert_eq!(bench.ran(), "");
    }
}

/// A text, the files that it binds, and a part of what the ask says is not bound: a dash where it says nothing of the kind.
type NamedRow = (&'static str, &'static [&'static str], &'static str);

const LATER: &str = "known only when it runs";
const CODE: &str = "loads by a computed name";
const INPUT: &str = "reads from its input";

const NAMED: &[NamedRow] = &[
    // Directories.
    ("cd ~; ./w.sh", &["home/w.sh"], "-"),
    ("cd ~/; ./w.sh", &["home/w.sh"], "-"),
    ("cd \"$HOME\"; ./w.sh", &["home/w.sh"], "-"),
    ("cd ${HOME}/deep && ./w.sh", &["home/deep/w.sh"], "-"),
    ("cd; ./w.sh", &["home/w.sh"], "-"),
    ("cd && ./w.sh", &["home/w.sh"], "-"),
    ("cd --; ./w.sh", &["home/w.sh"], "-"),
    ("cd -P 2> /dev/null; ./w.sh", &["home/w.sh"], "-"),
    ("builtin cd; ./w.sh", &["home/w.sh"], "-"),
    ("(cd ~ && ./deep/w.sh)", &["home/deep/w.sh"], "-"),
    ("HOME=sub; cd; ./w.sh", &["sub/w.sh"], "-"),
    ("HOME=sub; ~/w.sh", &["sub/w.sh"], "-"),
    ("env HOME=sub bash -c 'cd; ./w.sh'", &["sub/w.sh"], "-"),
    ("pushd ~ > /dev/null; ./w.sh", &["home/w.sh"], "-"),
    ("make -C ~", &["home/Makefile"], "-"),
    ("~/*.sh", &["home/w.sh"], "-"),
    ("d=~; \"$d\"/w.sh", &["home/w.sh"], "-"),
    ("cd ~root; ./w.sh", &[], "another user"),
    ("sudo bash -c 'cd ~; ./w.sh'", &[], "another user"),
    ("cd \"$(git rev-parse --show-toplevel)\"; ./w.sh", &["w.sh"], LATER),
    ("cd \"$X\"; ./w.sh", &["w.sh"], LATER),
    ("cd \"$(pwd)/sub\" && ./w.sh", &["sub/w.sh"], "-"),
    ("cd .; /proc/self/cwd/w.sh", &["w.sh"], "the kernel makes it"),
    ("cd .; /dev/fd/../cwd/w.sh", &["w.sh"], "open there"),
    ("cd .; /tmp/../proc/self/cwd/w.sh", &[], "the kernel makes its path"),
    ("cd /proc/self/cwd/sub; ./w.sh", &["w.sh"], "kernel"),
    ("exec 3< sub; /dev/fd/3/w.sh", &[], "open there"),
    // Variables.
    (": ${N:=w.sh}; ./sub/$N", &["sub/w.sh"], LATER),
    ("./sub/${N:-w.sh}", &["sub/w.sh"], LATER),
    ("N=w.sh; ./sub/${N:-x}", &["sub/w.sh"], "-"),
    ("M=w; ./sub/${N-$M.sh}", &["sub/w.sh"], LATER),
    ("N=w.sh.old; ./sub/${N%.old}", &[], LATER),
    ("N=W.SH; ./sub/${N,,}", &[], LATER),
    ("read N < list; ./sub/$N", &[], LATER),
    ("while read -r N; do ./sub/$N; done < list", &[], LATER),
    ("printf -v N w.sh; ./sub/$N", &[], LATER),
    ("N=x; read N < list; ./sub/$N", &[], LATER),
    ("N=x; declare -n N=M; M=w.sh; ./sub/$N", &[], LATER),
    ("N=x; . ./env; ./sub/$N", &["env"], LATER),
    ("N=x; source <(cat env); ./sub/$N", &[], LATER),
    ("[ -n \"$N\" ] || N=x; ./sub/$N.sh", &[], LATER),
    ("for N in $(ls sub); do ./sub/$N; done", &[], LATER),
    ("for N in w x; do ./sub/$N.sh; done", &["sub/w.sh"], "-"),
    ("export $(cat env); N=x; ./sub/$N", &[], LATER),
    ("n=0; ((n++)); ./sub/$n.sh", &[], "not read for certain"),
    ("./sub/$(echo w).sh", &[], LATER),
    ("./sub/`echo w`.sh", &[], LATER),
    ("\"./sub/${!N}\"", &[], LATER),
    ("bash -c \"./sub/$X\"", &[], LATER),
    ("eval \"./sub/$X\"", &[], LATER),
    ("bash -c -e './sub/$X'", &[], LATER),
    ("bash -c -- './sub/$X'", &[], LATER),
    ("sh -ec 'cd sub; ./w.sh'", &["sub/w.sh"], "-"),
    ("sh -c -e -- 'cd sub; ./w.sh'", &["sub/w.sh"], "-"),
    ("PATH=$X:$PATH; dep", &[], LATER),
    ("BASH_ENV=$X bash w.sh", &["w.sh"], LATER),
    ("cp \"$X\" y", &[], LATER),
    ("echo \"$X\" \"$(date)\"", &[], "-"),
    ("exit $?", &[], "-"),
    // Words of functions and scripts, and arrays.
    ("f() { ./sub/$1; }; f w.sh", &["sub/w.sh"], "-"),
    ("f() { ./sub/\"$@\"; }; f w.sh", &["sub/w.sh"], "-"),
    ("function f { ./sub/${1}; }; f w.sh", &["sub/w.sh"], "-"),
    ("f() { shift; ./sub/$1; }; f x w.sh", &[], LATER),
    ("f() { ./sub/$1; }; f $(echo w.sh)", &[], LATER),
    ("set -- w.sh; ./sub/$1", &["sub/w.sh"], "not read for certain"),
    ("bash -c './sub/$1' x w.sh", &["sub/w.sh"], "-"),
    ("a=(w.sh); ./sub/\"${a[@]}\"", &[], LATER),
    ("a=(bash w.sh); \"${a[@]}\"", &["w.sh"], LATER),
    ("declare -A a; a[k]=w.sh; ./sub/${a[k]}", &[], LATER),
    ("mapfile -t a < list; ./sub/${a[0]}", &[], LATER),
    // Commands and words from elsewhere.
    ("cat list | bash", &[], INPUT),
    ("bash <<< true; bash", &[], INPUT),
    ("bash -s x < list", &["list"], INPUT),
    ("bash <<E\n./sub/$X\nE", &[], LATER),
    ("cat <<E | sh\n./sub/$X\nE", &[], LATER),
    ("bash <<E\n./sub/w.sh\nE", &["sub/w.sh"], "-"),
    ("cat <<E\n$X\nE", &[], "-"),
    ("ls | xargs -n1 sh", &[], "xargs"),
    ("find . -name w.sh -exec {} \\;", &["w.sh"], "more than one directory"),
    ("shopt -s nocaseglob; ./W*.sh", &[], "shopt"),
    ("./w.sh 'x", &["w.sh"], "no end"),
    // Code of other interpreters.
    ("python3 -c 'import shop'", &["shop/__init__.py", "json.py"], CODE),
    ("python3 -c 'import os, shop.ship'", &["shop/__init__.py", "shop/ship.py"], CODE),
    ("python3 -c 'from shop import ship'", &["shop/ship.py"], CODE),
    ("python3 -c 'import json'", &["json.py"], CODE),
    ("python3 - <<'E'\nfrom shop import (\n  ship)\nE", &["shop/ship.py"], CODE),
    ("python3 <<< 'import shop.ship'", &["shop/ship.py"], CODE),
    ("echo 'import shop.ship' | python3", &["shop/ship.py"], CODE),
    ("C='import shop.ship'; python3 -c \"$C\"", &["shop/ship.py"], CODE),
    ("python3 -c \"$X\"", &["json.py"], LATER),
    ("python3 -W ignore -c 'import shop.ship'", &["shop/ship.py"], CODE),
    ("python3 -c '__import__(\"shop.ship\")'", &["shop/ship.py"], CODE),
    ("python3 -m shop.ship", &["shop/ship.py"], CODE),
    ("PYTHONPATH=lib python3 -c 'import deep.mod'", &["lib/deep/mod.py"], CODE),
    ("python3 -c 'import sys; sys.path.insert(0, \"lib\"); import deep.mod'", &["lib/deep/mod.py"], CODE),
    ("node -e 'require(\"./tool\")'", &["tool.js"], CODE),
    ("node -e 'require(\"kit\")'", &["node_modules/kit/index.js"], CODE),
    ("node <<'E'\nimport('./tool')\nE", &["tool.js"], CODE),
    ("node --input-type=module -e 'import \"./tool.js\"'", &["tool.js"], CODE),
    ("perl -Ilib -e 'use Deep::W'", &["lib/Deep/W.pm"], CODE),
    ("perl -e 'use lib \"lib\"; use Deep::W'", &["lib/Deep/W.pm"], CODE),
    ("ruby -e 'require \"./gem\"'", &["gem.rb"], CODE),
    ("awk 'BEGIN { system(\"./\" \"w.sh\") }'", &[], "code for awk"),
    ("awk '{ print $1 }' list", &[], "-"),
    ("python3 --version", &[], "-"),
    ("./w.sh prod", &["w.sh"], "-"),
    ("bash -eu w.sh", &["w.sh"], "-"),
    ("make ship", &["Makefile"], "-"),
];

#[test]
fn each_word_of_a_command_binds_its_file_or_the_ask_says_that_it_does_not() {
    let bench = Bench::new();
    let root = bench.dir.path();
    for file in [
        "w.sh",
        "sub/w.sh",
        "home/w.sh",
        "home/deep/w.sh",
        "home/Makefile",
        "Makefile",
        "env",
        "list",
        "json.py",
        "shop/__init__.py",
        "shop/ship.py",
        "lib/deep/mod.py",
        "tool.js",
        "node_modules/kit/index.js",
        "lib/Deep/W.pm",
        "gem.rb",
    ] {
        fs::create_dir_all(root.join(file).parent().expect("a place")).expect("made");
        script(&root.join(file), "echo\n");
    }
    let env = ["PATH=/usr/bin:/bin".to_owned(), format!("HOME={}/home", root.display())];
    let env = env.iter().filter_map(|word| word.split_once('='));
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let host = Host::new(root.to_owned(), env, SecretStore::new(BTreeMap::new(), root), Span(300));
    let mut wrong = Vec::new();
    for (text, bound, not_bound) in NAMED {
        let opened = host.open(&bash(text).program(), None);
        let files = opened.files();
        for file in *bound {
            if !files.iter().any(|found| found.path == *file && found.digest.is_some()) {
                wrong.push(format!("{text:?} does not bind {file}: {files:#?}"));
            }
        }
        let told: Vec<_> = files.iter().filter(|file| !file.is_bound()).collect();
        let is_told =
            |part: &str| told.iter().any(|file| file.problem.as_ref().is_some_and(|why| why.contains(part)));
        let limits: Vec<_> = told.iter().filter(|file| file.path == "… and more").collect();
        if *not_bound == "-" && !limits.is_empty() || *not_bound != "-" && !is_told(not_bound) {
            wrong.push(format!("{text:?} is to say {not_bound:?}: {told:#?}"));
        }
    }
    assert!(NAMED.len() > 60 && wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn files_whose_names_are_no_text_are_told_apart() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let bench = Bench::new();
    let path = |name: &[u8]| bench.dir.path().join(OsStr::from_bytes(name));
    for name in [&b"a\xff.sh"[..], b"a\xfe.sh", "a\u{fffd}.sh".as_bytes(), b"a\\xff.sh"] {
        script(&path(name), "echo\n");
    }
    let launch = bash("for f in *.sh; do bash \"$f\"; done");
    let before = bench.looked_at(&launch);
    let mut found: Vec<&str> = before.iter().map(|file| file.path.as_str()).collect();
    found.retain(|path| path.strip_suffix(".sh").is_some());
    found.sort_unstable();
    assert_eq!(found, ["a\\\\xff.sh", "a\\xfe.sh", "a\\xff.sh", "a\u{fffd}.sh"]);
    for name in [&b"a\xff.sh"[..], b"a\xfe.sh"] {
        script(&path(name), "echo evil\n");
        assert_ne!(bench.looked_at(&launch), before, "{name:?}");
        script(&path(name), "echo\n");
        assert_eq!(bench.looked_at(&launch), before);
    }
}

#[test]
fn data_that_a_call_names_is_listed_and_nobody_is_bound_to_it() {
    let bench = Bench::new();
    let root = bench.dir.path();
    for name in ["data.csv", "out.txt", "a b.txt"] {
        fs::write(root.join(name), "one").expect("written");
    }
    fs::create_dir(root.join("dir")).expect("a directory");
    let launch = bash("cat data.csv --config=data.csv 'a b.txt' missing.txt > out.txt || ls dir");
    let approved = bench.looked_at(&launch);
    let named: Vec<_> = approved
        .iter()
        .filter(|executed| !executed.is_bound())
        .map(|executed| executed.path.as_str())
        .collect();
    assert_eq!(named, ["a b.txt", "data.csv", "dir"], "{approved:#?}");
    assert!(
        approved.iter().all(|executed| executed.is_bound() || executed.digest.is_none()),
        "{approved:#?}"
    );
    fs::write(root.join("data.csv"), "two").expect("written");
    assert!(bench.launch(&launch, &approved), "data may change");
    // What was data and can be executed now is no data.
    script(&root.join("data.csv"), "#!/bin/sh\n");
    assert!(!bench.launch(&launch, &approved));
}

#[test]
fn a_working_directory_is_the_one_that_was_approved_whatever_its_name_means_now() {
    use std::os::unix::fs::symlink;
    let bench = Bench::new();
    let root = bench.dir.path();
    for name in ["good", "evil"] {
        fs::create_dir(root.join(name)).expect("a directory");
        fs::write(root.join(name).join("word"), name).expect("written");
    }
    symlink("good", root.join("current")).expect("a link");
    let launch = Launch { dir: Some("current".to_owned()), ..bash("cat word >> ../ran") };
    let approved = bench.looked_at(&launch);
    assert!(
        approved.iter().any(|executed| executed.path == "good/" && executed.digest.is_some()),
        "{approved:#?}"
    );
    fs::remove_file(root.join("current")).expect("removed");
    symlink("evil", root.join("current")).expect("a link");
    assert!(!bench.launch(&launch, &approved), "the link was turned");
    fs::remove_file(root.join("current")).expect("removed");
    symlink("good", root.join("current")).expect("a link");
    assert!(bench.launch(&launch, &approved));
    // Its number may be given out again.
    fs::remove_dir_all(root.join("good")).expect("removed");
    fs::create_dir(root.join("good")).expect("a directory");
    fs::write(root.join("good/word"), "evil").expect("written");
    assert!(!bench.launch(&launch, &approved), "another directory stands there");
    assert_eq!(bench.ran(), "good");
}

const WORKFLOW: &str = "name: w
steps:
  - {id: g, gate: {prompt: go?, evidence: [plan.txt], undo-window: 0s}}
  - {id: ship, needs: g, run: ./deploy.sh}
";

fn asked(place: &Place) -> Value {
    place.gates().into_iter().find(|gate| gate["id"] == "g-1").expect("a gate")
}

fn why(place: &Place, epoch: u64) -> String {
    let events = place.events("r-1");
    let asked = events.iter().filter(|event| event["type"] == "gate.asked");
    let event = asked
        .into_iter()
        .find(|event| event["data"]["ask"]["epoch"] == epoch || event["data"]["epoch"] == epoch);
    event.map_or_else(|| panic!("{events:#?}"), ToString::to_string)
}

#[test]
fn a_script_or_a_file_that_was_swapped_is_asked_about_again_and_the_old_yes_counts_for_nothing() {
    let place = Place::new();
    place.write("w.yaml", WORKFLOW);
    place.write("plan.txt", "one");
    script(&place.file("deploy.sh"), "#!/bin/sh\necho approved >> ran\n");
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    let shown = place.cue(&["gates", "--show", "g-1"]).ok().out;
    assert!(shown.contains("  executes deploy.sh ") && shown.contains("  executes /"), "{shown}");

    // A file that was shown, between the question and the yes.
    place.write("plan.txt", "two");
    let said = place.cue(&["approve", "g-1"]);
    assert!(
        said.code == 1 && said.err.contains("could not approve g-1: what it shows has changed"),
        "{said:?}"
    );
    console.until("gate.asked");
    assert_eq!(asked(&place)["epoch"], 2);
    let said = why(&place, 2);
    assert!(said.contains("plan.txt (7692c3ad3540 → 3fc4ccfe7458)"), "{said}");

    // The script itself, between the question and the launch.
    script(&place.file("deploy.sh"), "#!/bin/sh\necho evil >> ran\n");
    place.cue(&["approve", "g-1"]).ok();
    console.until("gate.asked");
    assert_eq!(asked(&place)["epoch"], 3);
    assert!(why(&place, 3).contains("deploy.sh ("), "{}", why(&place, 3));
    assert_eq!(place.text("ran"), "", "nothing ran");
    script(&place.file("deploy.sh"), "#!/bin/sh\necho approved >> ran\n");
    place.cue(&["approve", "g-1"]).ok();
    console.until("gate.asked");
    place.cue(&["approve", "g-1"]).ok();
    let said = console.end();
    assert_eq!((said.code, place.text("ran").as_str()), (0, "approved\n"), "{said:?}");
}

#[test]
fn a_step_further_on_is_bound_to_the_scripts_that_its_text_names() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w
steps:
  - {id: g, gate: {prompt: go?, undo-window: 0s}}
  - {id: a, needs: g, run: cp new.sh late.sh; cp new.sh made.sh}
  - {id: made, needs: a, run: cd . && ./made.sh}
  - {id: late, needs: made, run: cd . && ./late.sh}
",
    );
    for name in ["late.sh", "new.sh"] {
        script(&place.file(name), &format!("#!/bin/sh\necho {name} >> ran\n"));
    }
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    let shown = place.cue(&["gates", "--show", "g-1"]).ok().out;
    assert!(shown.contains("  executes late.sh ") && !shown.contains("executes made.sh"), "{shown}");
    place.cue(&["approve", "g-1"]).ok();
    console.until("gate.asked");
    assert!(why(&place, 2).contains("late.sh ("), "{}", why(&place, 2));
    // A file that a step before it has yet to write is not bound.
    assert_eq!(place.text("ran"), "new.sh\n");
    place.cue(&["approve", "g-1"]).ok();
    let said = console.end();
    assert_eq!((said.code, place.text("ran").as_str()), (0, "new.sh\nnew.sh\n"), "{said:?}");
}

#[test]
fn a_workflow_that_is_changed_or_deleted_while_its_run_waits_changes_nothing_in_that_run() {
    let text = "name: w\nsteps:\n  - {id: g, gate: {prompt: go?, undo-window: 0s}}\n  - {id: ship, needs: g, run: echo approved >> ran}\n";
    for change in ["changed", "deleted"] {
        let place = Place::new();
        place.write("w.yaml", text);
        let mut console = place.start(&["run", "w.yaml", "--headless"]);
        console.until("gate.asked");
        let shown = asked(&place)["ask_hash"].clone();
        if change == "changed" {
            place.write("w.yaml", &text.replace("approved", "evil"));
        } else {
            fs::remove_file(place.file("w.yaml")).expect("removed");
        }
        assert_eq!(asked(&place)["ask_hash"], shown);
        place.cue(&["approve", "g-1"]).ok();
        let said = console.end();
        assert_eq!((said.code, place.text("ran").as_str()), (0, "approved\n"), "{change}: {said:?}");
    }
}
