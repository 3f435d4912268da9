//! A step that wants to answer at a gate: a table of ways to leave the step, times a table of ways to knock at the engine. Each try
//! reaches the engine, each is refused, and the same from a person's process is an answer.

use crate::program::{Place, bounded, until, until_else};
use cuelight_base::{Actor, Channel, Epoch, GateId, Proof};
use cuelight_engine::{Command, Decision, Verdict};
use cuelight_runtime::{Entropy, Request};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Ways in which a step leaves its own process tree: `$T` is the try. Each comes with the command that it
/// needs, if any.
const LEAVES: &[(&str, &[&str])] = &[
    ("sh $T", &[]),
    ("env -i sh $T", &[]),
    ("env -i CUELIGHT_OUTPUT=/elsewhere/1 CUELIGHT_ATTEMPT=r-9.0.1 sh $T", &[]),
    ("setsid sh $T", &[]),
    ("setsid env -i sh $T", &[]),
    ("setsid -f sh $T", &[]),
    ("setsid -f env -i sh $T", &[]),
    ("setsid -f env -i sh -c 'sleep 0.5; exec sh \"$@\"' - $T", &[]),
    ("(env -i sh $T &)", &[]),
    ("(setsid env -i nohup sh $T > /dev/null 2>&1 &)", &[]),
    ("((((setsid setsid env -i sh $T &) &) &) &)", &[]),
    ("setsid -f env -i setsid -f setsid -f sh $T", &[]),
    ("env -i bash -c 'exec -a sshd sh \"$@\"' - $T", &[]),
    ("echo $T | env -i xargs sh", &[]),
    ("env -i timeout 60 nice -n 1 sh $T", &[]),
    (
        "perl -MPOSIX -e 'fork and exit; setsid; fork and exit; chdir \"/\"; POSIX::close($_) for 3..9; %ENV = (); exec @ARGV' sh $T",
        &[],
    ),
    (
        "perl -e '$0 = \"systemd\"; %ENV = (); pipe(R, W); exec @ARGV if fork == 0; close W; <R>; wait' sh $T",
        &[],
    ),
    ("script -qec \"env -i sh $T\" /dev/null > /dev/null", &["script", "-qec", "true", "/dev/null"]),
    ("tmux -L \"way$$\" -f /dev/null new-session -d \"env -i sh $T\"", &["tmux", "-V"]),
    ("unshare -r env -i sh $T", &["unshare", "-r", "true"]),
    ("unshare -rpf --mount-proc env -i sh $T", &["unshare", "-rpf", "--mount-proc", "true"]),
    (
        "unshare -rpf env -i sh -c 'setsid -f sh \"$@\"; until [ -e \"${1%/*}/tries/$2\" ]; do sleep 0.02; done' - $T",
        &["unshare", "-rpf", "true"],
    ),
];
/// Ways in which it connects: a command of this program, or the bytes of an answer in perl.
const KNOCKS: &[&str] = &["command", "another-spelling", "direct", "reaped", "zombie", "orphaned"];

/// One try: its number, and how it knocks. What it is told is whole when the file has its last name.
const TRY: &str = r#"cd "$ROOT" || exit
case $2 in
  command) "$PROGRAM" approve g-1 ;;
  another-spelling) cd / && "$PROGRAM" approve g-1 --workspace "$LINK" ;;
  *) perl "$ROOT/knock.pl" "$ROOT/.cuelight/cuelight.sock" "$ROOT/frames" "$2" | cat ;;
esac > "$ROOT/tries/$1.new" 2>&1
mv "$ROOT/tries/$1.new" "$ROOT/tries/$1"
"#;

/// Connects in one of several ways, says what is in the file, and prints what comes until it is the answer.
const KNOCK: &str = r#"use Socket; use POSIX ();
my ($at, $file, $how) = @ARGV;
open F, "<", $file; local $/; my $said = <F>;
socket(S, PF_UNIX, SOCK_STREAM, 0);
my $connects = sub { connect(S, sockaddr_un($at)) or die "could not connect: $!" };
if ($how eq "direct") { $connects->() }
elsif ($how eq "orphaned") { $connects->(); my $us = $$; fork and POSIX::_exit(0); select undef, undef, undef, 0.01 while getppid == $us }
else { pipe R, W; if (!fork) { $connects->(); POSIX::_exit(0) } close W; <R>; wait if $how eq "reaped" }
$SIG{ALRM} = sub { print "no answer\n"; POSIX::_exit(1) }; alarm 60;
syswrite S, $said;
my $heard = "";
while (sysread S, my $more, 65536) { $heard .= $more; last if $heard =~ /"answer"/ }
$heard =~ s/[^ -~]/ /g;
print $heard, "\n";
"#;

fn frame(message: &Value) -> Vec<u8> {
    let text = message.to_string();
    let length = u32::try_from(text.len()).expect("short").to_be_bytes();
    [&[0], length.as_slice(), text.as_bytes()].concat()
}

/// The bytes of a console that says hello and approves the one gate.
fn approval(place: &Place) -> Vec<u8> {
    let gate = &place.gates()[0];
    let decision = Decision {
        id: Entropy.decision_id(),
        gate: GateId(1),
        epoch: Epoch(1),
        ask: gate["ask_hash"].as_str().and_then(|ask_hash| ask_hash.parse().ok()).expect("a hash"),
        verdict: Verdict::Approve,
        reason: String::new(),
        by: Actor {
            name: "me".to_owned(),
            proof: Proof::OsUser(0),
            groups: Vec::new(),
            channel: Channel::Console,
        },
        shown_for: None,
        break_glass: false,
        overrides: false,
        form: cuelight_base::ValueMap::new(),
    };
    let request = Request { id: Entropy.request_id(), command: Command::Decide(Box::new(decision)) };
    let hello = json!({"hello": {"version": 4, "program": "perl", "seat": "console", "after": 0}});
    let question = json!({"question": {"number": 1, "question": {"submit": request}}});
    [frame(&hello), frame(&question)].concat()
}

fn put(place: &Place, name: &str, bytes: &[u8]) {
    fs::write(place.file("new"), bytes).expect("written");
    fs::rename(place.file("new"), place.file(name)).expect("whole");
}

/// A run that waits at a gate while a step of it does what a script says.
fn gated(place: &Place, script: &str) {
    place.write("ways.sh", script);
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - id: ok\n    gate: {prompt: 'Go on?', undo-window: 0s}\n  - {id: go, needs: [ok], run: touch passed}\n  \
         - {id: leaves, run: bash ways.sh}\n",
    );
}

#[test]
fn no_way_out_of_a_step_leads_to_an_answer_at_a_gate() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let root = place.path().display().to_string();
    let link = elsewhere.file("link");
    std::os::unix::fs::symlink(place.path(), &link).expect("a link");
    place.write("knock.pl", KNOCK);
    // Many ways clear the environment.
    let names = [("ROOT", &root), ("LINK", &link.display().to_string())];
    let names = names.map(|(name, value)| format!("{name}='{value}'\n")).concat();
    place.write("try.sh", &format!("{names}PROGRAM='{}'\n{TRY}", env!("CARGO_BIN_EXE_cuelight")));
    fs::create_dir(place.file("tries")).expect("made");
    let is_there = |tool: &[&str]| {
        tool.is_empty() || {
            let tried = bounded(&mut place.foreign(tool[0], &tool[1..]));
            if tried.code != 0 {
                println!("skipped: {}", tool.join(" "));
            }
            tried.code == 0
        }
    };
    let leaves = LEAVES.iter().filter(|leaf| is_there(leaf.1)).map(|leaf| leaf.0);
    let ways: Vec<(&str, &str)> =
        leaves.flat_map(|leaf| KNOCKS.iter().map(move |knock| (leaf, *knock))).collect();
    assert!(ways.len() >= 100, "{}", ways.len());
    let mut script = "until [ -e frames ]; do sleep 0.02; done\n".to_owned();
    for (number, (leave, knock)) in ways.iter().enumerate() {
        let one = leave.replace("$T", &format!("{root}/try.sh {number} {knock}"));
        // Several at once, and never all.
        script.push_str(&format!("{{ {one}\n}} &\n"));
        script.push_str("while [ $(jobs -pr | wc -l) -ge 4 ]; do sleep 0.01; done\n");
    }
    script.push_str("wait\nuntil [ -e enough ]; do sleep 0.02; done\n");
    gated(&place, &script);
    let console = place.start(&["run", "w.yaml", "--headless"]);
    until("it asks", || {
        place.file(".cuelight/lock").exists() && place.cue(&["gates", "--json"]).out.contains("g-1")
    });
    put(&place, "frames", &approval(&place));
    let heard = |number: usize| place.text(&format!("tries/{number}"));
    until_else(
        "every way has been tried",
        || (0..ways.len()).all(|index| place.file(&format!("tries/{index}")).exists()),
        || {
            (0..ways.len())
                .filter(|index| !place.file(&format!("tries/{index}")).exists())
                .map(|index| format!("{:?}\n", ways[index]))
                .collect()
        },
    );
    let through = |index: &usize| !heard(*index).contains("cuelight takes this program for a step");
    let through: Vec<_> = (0..ways.len()).filter(through).map(|index| (ways[index], heard(index))).collect();
    assert!(through.is_empty(), "{} of {}: {through:#?}", through.len(), ways.len());
    assert_eq!(place.gates()[0]["votes"], json!([]));
    assert!(!place.file("passed").exists());
    // The same, in a request of its own, from a process that no step has started.
    put(&place, "frames", &approval(&place));
    let path = |name: &str| place.file(name).display().to_string();
    let words = [path("knock.pl"), path(".cuelight/cuelight.sock"), path("frames"), "direct".to_owned()];
    let said = bounded(&mut place.foreign("perl", &words.each_ref().map(String::as_str)));
    assert!(said.out.contains("recorded"), "{said:?}");
    until("what was approved has run", || Path::new(&path("passed")).exists());
    place.write("enough", "");
    assert_eq!(console.end().code, 0);
}

#[test]
fn whoever_is_in_another_pid_namespace_than_the_engine_looks_and_decides_nothing() {
    let place = Place::new();
    let alone = ["unshare", "-rpf", "--mount-proc"];
    let tried = bounded(&mut place.foreign(alone[0], &[alone[1], alone[2], "true"]));
    if tried.code != 0 {
        println!("skipped: could not make a pid namespace ({}): {}", alone.join(" "), tried.err.trim());
        return;
    }
    gated(&place, "until [ -e enough ]; do sleep 0.02; done\n");
    let console = place.start_under(&alone, &["run", "w.yaml", "--headless"]);
    until("it asks", || {
        place.file(".cuelight/lock").exists() && place.cue(&["gates", "--json"]).out.contains("g-1")
    });
    let said = place.cue(&["approve", "g-1"]);
    assert!(said.code != 0 && said.err.contains("a container"), "{said:?}");
    assert_eq!(place.gates()[0]["votes"], json!([]));
    place.cue(&["cancel", "r-1", "--reason", "enough"]).ok();
    place.write("enough", "");
    drop(console.end());
}

#[test]
fn a_step_that_holds_all_its_places_keeps_no_person_from_a_no() {
    let place = Place::new();
    place.write("knock.pl", KNOCK);
    // Some say hello, some half of it, some nothing; then ten thousand come and go.
    let holds = "use Socket; $SIG{PIPE} = 'IGNORE'; my @all;\n\
        sub knock { socket(my $s, PF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un('.cuelight/cuelight.sock')) or return; $s }\n\
        open F, '<', 'hello'; local $/; my $hello = <F>;\n\
        for my $i (1..200) { my $s = knock() or next; push @all, $s; syswrite $s, $i <= 100 ? $hello : $i % 2 ? substr($hello, 0, 9) : '' }\n\
        open D, '>', 'held'; close D;\n\
        for (1..10000) { knock() }\n\
        open D, '>', 'came'; close D;\n\
        sleep 1 until -e 'enough';\n";
    place.write("hold.pl", holds);
    let hello = json!({"hello": {"version": 4, "program": "perl", "seat": "console", "after": 0}});
    fs::write(place.file("hello"), frame(&hello)).expect("written");
    gated(&place, "perl hold.pl\n");
    let console = place.start(&["run", "w.yaml", "--headless"]);
    until("it holds what it can get", || place.file("held").exists());
    place.cue(&["comment", "g-1", "still here"]).ok();
    until("all have come", || place.file("came").exists());
    place.cue(&["reject", "g-1", "--reason", "no"]).ok();
    place.write("enough", "");
    drop(console.end());
}
