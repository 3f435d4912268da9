//! Several gates at once, and the answers that are neither yes nor no: handed on, sent back, given alone in an emergency;
//! what calls somebody, and what is shown for a gate as what it is.

use super::{
    Console,
    fixture::{Stage, actor},
    gates::{answer, carry_out, decision, frame, gates, press, typed},
    screens,
};
use cuelight_base::{DecisionId, FailureMode, Span, sha256};
use cuelight_console::{Message, Wish, parse_keys};
use cuelight_engine::{Changed, Command, Decision, Failure, Outcome, Verdict};

/// Three alike that nothing bad can come of.
const CACHES: &str = r#"
name: ops/caches
steps:
  - id: empty
    matrix: {of: [eu, us, asia], fail-fast: false}
    gate: {prompt: "Empty the cache of ${{ matrix.of }}?", risk: reversible}
"#;

/// One that is alike and not the same question.
const OTHER: &str =
    "name: ops/other\nsteps:\n  - {id: other, gate: {prompt: Something else?, risk: reversible}}\n";

/// One that nobody can take back.
const DROP: &str =
    "name: db/drop\nsteps:\n  - {id: drop, gate: {prompt: Drop the table?, risk: irreversible}}\n";

/// Two people, with a way back.
const SHIP: &str = "name: web/ship\nsteps:\n  - {id: build, run: make, undo: none}\n  \
    - {id: ok, needs: build, gate: {prompt: Ship it?, require: [{group: ops, count: 2}], send-back: build}}\n  \
    - {id: ship, needs: ok, run: ship}\n";

/// Evidence of each kind.
const KINDS: &str = r#"
name: pay/kinds
steps:
  - id: look
    gate:
      prompt: Pay out?
      evidence:
        - "${{ '[{\"id\":\"RF-1182\",\"amount\":310},{\"id\":\"RF-0990\",\"amount\":310}]' }}"
        - "${{ '{\"value\": 0.31, \"limit\": 0.70}' }}"
        - "${{ '{\"value\": 0.91, \"limit\": 0.70}' }}"
        - "${{ '{\"batch\": {\"id\": \"B-0612\"}}' }}"
        - "${{ format('- [x] totals checked{0}- [ ] bank told', fromJSON('\"\\n\"')) }}"
        - "${{ format('@@ -1 +1 @@{0}-amount 41300{0}+amount 48210', fromJSON('\"\\n\"')) }}"
        - "${{ 'https://example.test/OPS-771' }}"
        - "${{ 'as agreed by telephone' }}"
"#;

fn stage(workflows: &[&str]) -> Stage {
    let mut stage = Stage::at("12:00:00");
    for workflow in workflows {
        let run = stage.launch("jon", workflow);
        if *workflow == SHIP {
            stage.ok(run, "build");
        }
        stage.pass(20);
    }
    stage
}

fn at_sizes(name: &str, workflows: &[&str], groups: &[&str], keys: &str) {
    screens::everywhere(&format!("gates_{name}"), |width, height| {
        let mut console = seated(workflows, groups, (width, height));
        drop(answer(&mut console, keys));
        frame(&mut console);
        console
    });
}

/// Somebody with these groups sits here.
fn seated(workflows: &[&str], groups: &[&str], size: (u16, u16)) -> Console {
    let mut console = gates(stage(workflows), size);
    console.model.seat.actor.groups.extend(groups.iter().map(|group| (*group).to_owned()));
    console
}

#[test]
fn a_batch_lists_every_gate_with_its_own_ask() {
    at_sizes("batch", &[CACHES, DROP], &[], "j space V j space V j space V a");
}

#[test]
fn a_batch_decides_only_what_was_read_and_each_with_its_own_ask() {
    let mut console = seated(&[CACHES, DROP], &[], (160, 48));
    // One of the three was under the cursor, with what the others differ in; the one of high risk does not count.
    let asked = answer(&mut console, "j * a");
    assert!(asked.is_empty());
    let text = console.text();
    assert!(text.contains("Approve 3 gates of ops/caches?"), "{text}");
    let asks: Vec<(String, String)> = console
        .stage
        .board
        .open_gates()
        .map(|gate| (gate.id.to_string(), gate.hash.code()[..4].to_owned()))
        .collect();
    for (gate, ask) in &asks[..3] {
        assert!(text.contains(&format!("ask #{ask}")) && text.contains(gate), "{text}");
    }
    let asked = answer(&mut console, "y");
    assert_eq!(asked.len(), 3);
    for command in &asked {
        let one = decision(std::slice::from_ref(command));
        let shown = console.stage.board.gate(one.gate).expect("known");
        assert_eq!((one.ask, one.verdict, one.epoch), (shown.hash, Verdict::Approve, shown.epoch()));
        assert!(one.shown_for.is_some_and(|shown_for| shown_for > Span(0)), "{one:?}");
    }
    assert_ne!(decision(&asked[..1]).ask, decision(&asked[1..2]).ask);
    assert_eq!(console.stage.board.open_gates().filter(|gate| gate.votes.is_empty()).count(), 1);
}

#[test]
fn thirty_gates_that_ask_the_same_are_read_together_and_approved_in_six_keys() {
    let sites: Vec<String> = (1..=30).map(|site| format!("site-{site}")).collect();
    let workflow = format!(
        "name: ops/caches\nsteps:\n  - id: empty\n    matrix: {{of: [{}], fail-fast: false}}\n    \
         gate: {{prompt: 'Empty the cache of ${{{{ matrix.of }}}}?', risk: reversible}}\n",
        sites.join(", ")
    );
    let mut console = seated(&[&workflow, DROP], &[], (160, 48));
    drop(answer(&mut console, "j"));
    frame(&mut console);
    for part in ["29 more gates ask the same", "g-30 of r-1  + low Empty the cache of site-30?"] {
        let mut whole = seated(&[&workflow, DROP], &[], (160, 100));
        drop(answer(&mut whole, "j"));
        assert!(whole.text().contains(part), "{part}: {}", whole.text());
    }
    assert!(answer(&mut console, "* a").is_empty(), "nothing of the others was read yet");
    frame(&mut console);
    let decisions = answer(&mut console, "esc space space * a y");
    assert_eq!(decisions.len(), 30, "{}", console.text());
    for command in &decisions {
        let Command::Decide(decision) = command else { panic!("{command:?}") };
        let gate = console.stage.board.gate(decision.gate).expect("open");
        assert_eq!((decision.ask, decision.verdict), (gate.hash, Verdict::Approve));
        assert!(gate.ask.prompt.starts_with("Empty the cache"), "the other one is of risk");
    }
}

#[test]
fn what_was_not_read_and_what_is_of_risk_is_not_marked_and_it_is_said_why() {
    let mut console = seated(&[CACHES, DROP], &[], (160, 48));
    drop(answer(&mut console, "*"));
    let text = console.text();
    assert!(text.contains("g-4 is not marked: its risk is not low, and 3 more"), "{text}");
    let mut low = seated(&[CACHES], &[], (80, 18));
    drop(answer(&mut low, "*"));
    assert!(low.text().contains("g-1 is not marked: it was not read to its end"), "{}", low.text());
    drop(answer(&mut console, "j V G V"));
    assert!(console.text().contains("3 marked"), "{}", console.text());
    drop(answer(&mut console, "esc"));
    assert!(!console.text().contains("3 marked"), "{}", console.text());
}

#[test]
fn different_questions_are_not_answered_together() {
    let mut console = seated(&[CACHES, OTHER], &[], (160, 48));
    assert!(answer(&mut console, "j j j * k k k * a y").is_empty());
    assert!(console.text().contains("the marked gates ask different things"), "{}", console.text());
}

#[test]
fn when_one_of_them_is_decided_elsewhere_nothing_is() {
    let mut console = seated(&[CACHES], &[], (160, 48));
    drop(answer(&mut console, "space j space a"));
    let (gate, hash, epoch) = {
        let gate = console.stage.board.open_gates().next().expect("a gate");
        (gate.id, gate.hash, gate.epoch())
    };
    console.stage.command(Command::Decide(Box::new(Decision {
        id: DecisionId("other".to_owned()),
        gate,
        epoch,
        ask: hash,
        verdict: Verdict::Reject,
        reason: "no".to_owned(),
        by: actor("jon"),
        shown_for: None,
        break_glass: false,
        overrides: false,
        form: cuelight_base::ValueMap::new(),
    })));
    drop(console.see());
    assert!(
        console.text().contains("nothing was done: meanwhile one of the marked gates has changed"),
        "{}",
        console.text()
    );
    assert!(answer(&mut console, "y").is_empty());
    assert!(!console.text().contains("2 marked"), "{}", console.text());
}

#[test]
fn a_batch_never_comes_from_a_paste_or_a_held_key() {
    let mut console = seated(&[CACHES], &[], (160, 48));
    drop(answer(&mut console, "space j space a"));
    frame(&mut console);
    let _ = console.send(Message::Paste { text: "y".to_owned(), at: console.at + Span(900) });
    let held = parse_keys("y").expect("a key")[0];
    let wishes = console.send(Message::Key { press: held, repeat: true, at: console.at + Span(900) });
    assert!(carry_out(&mut console, &wishes).is_empty());
}

#[test]
fn an_answer_is_handed_to_somebody_who_is_known() {
    at_sizes("delegate", &[SHIP], &[], &format!("D {}", typed("jon")));
    let mut console = seated(&[SHIP], &[], (160, 48));
    let keys = format!("D {} enter {} enter enter tab y", typed("nobody"), typed("4h"));
    assert!(answer(&mut console, &keys).is_empty(), "nobody is called that");
    let keys = format!("esc D {} enter {} enter enter y", typed("ops-lead"), typed("4h"));
    let asked = answer(&mut console, &keys);
    assert!(
        matches!(&asked[..], [Command::Delegate { to, lasts: Some(lasts), .. }]
            if to == "ops-lead" && *lasts == Span::seconds(4 * 3600)),
        "{asked:?}"
    );
    assert!(console.text().contains("you delegated to ops-lead until"), "{}", console.text());
    let asked = answer(&mut console, "u y");
    assert!(matches!(&asked[..], [Command::Withdraw { .. }]), "{asked:?}");
}

#[test]
fn what_is_sent_back_says_what_is_done_again() {
    at_sizes("send_back", &[SHIP], &[], "space space space b");
    let mut console = seated(&[SHIP], &[], (160, 48));
    let asked = answer(&mut console, &format!("space space b {} enter y", typed("wrong branch")));
    assert_eq!(
        (decision(&asked).verdict, decision(&asked).reason.as_str()),
        (Verdict::SendBack, "wrong branch")
    );
    assert!(console.stage.board.open_gates().next().is_none(), "its steps run again");
}

#[test]
fn an_emergency_wants_the_group_the_id_and_a_long_reason() {
    at_sizes("break_glass", &[SHIP], &["break-glass"], "space space space !");
    let mut console = seated(&[SHIP], &[], (160, 48));
    assert!(answer(&mut console, "space space !").is_empty());
    assert!(console.text().contains("is not in the group break-glass"), "{}", console.text());
    let reason = "the shop is down and nobody answers";
    let keys = |reason: &str, id: &str| format!("space space ! {} tab {} enter", typed(reason), typed(id));
    for (reason, id) in [("too short", "g-1"), (reason, "g-7")] {
        let mut console = seated(&[SHIP], &["break-glass"], (160, 48));
        assert!(answer(&mut console, &keys(reason, id)).is_empty());
    }
    let mut console = seated(&[SHIP], &["break-glass"], (160, 48));
    let asked = answer(&mut console, &keys(reason, "g-1"));
    assert!(decision(&asked).break_glass && decision(&asked).reason == reason, "{asked:?}");
    assert_eq!(
        console.stage.board.gates().next().and_then(|gate| gate.closed_by.clone()).as_deref(),
        Some("break-glass")
    );
}

/// Somebody else approves alone; nobody looks at the screen.
fn overridden(groups: &[&str], size: (u16, u16)) -> Console {
    let mut console = seated(&[SHIP], groups, size);
    let _ = console.send(Message::Focus(false));
    let gate = console.stage.board.open_gates().next().expect("a gate waits").clone();
    let mut by = actor("ops-lead");
    by.groups.push("break-glass".to_owned());
    console.stage.command(Command::Decide(Box::new(Decision {
        id: DecisionId("alone".to_owned()),
        gate: gate.id,
        epoch: gate.epoch(),
        ask: gate.hash,
        verdict: Verdict::Approve,
        reason: "the shop is down and nobody answers".to_owned(),
        by,
        shown_for: None,
        break_glass: true,
        overrides: false,
        form: cuelight_base::ValueMap::new(),
    })));
    console
}

#[test]
fn an_emergency_calls_at_once_and_stands_everywhere_until_somebody_else_has_looked_at_it() {
    screens::everywhere("gates_review", |width, height| {
        let mut console = overridden(&[], (width, height));
        drop(console.see());
        frame(&mut console);
        console
    });
    let mut console = overridden(&[], (160, 48));
    let wishes = console.see();
    let told =
        Wish::Notify("cuelight PROD: EMERGENCY: g-1 ok has an emergency approval; review it".to_owned());
    assert!(wishes.contains(&Wish::Bell) && wishes.contains(&told), "{wishes:?}");
    frame(&mut console);
    assert!(console.text().contains("1 to review"), "{}", console.text());
    drop(answer(&mut console, "5"));
    let text = console.text();
    assert!(text.contains("1 emergency approval nobody has reviewed"), "{text}");
    drop(answer(&mut console, "1"));
    assert!(console.text().contains("1 to review"), "{}", console.text());
    let asked = answer(&mut console, &format!("3 O {} enter y", typed("the roll-back was right")));
    assert!(
        matches!(&asked[..], [Command::ReviewGlass { reason, .. }] if reason == "the roll-back was right"),
        "{asked:?}"
    );
    frame(&mut console);
    assert!(!console.text().contains("to review"), "{}", console.text());
}

/// A run whose approved file has changed before it began, so that the gate opens again.
fn overtaken(size: (u16, u16)) -> Console {
    let mut console = overridden(&[], size);
    let hash = |of: &str| sha256("test", &[of.as_bytes()]).to_string();
    let (before, now) = (hash("before"), hash("now"));
    let failure = Failure {
        mode: FailureMode::PolicySecurity,
        message: "what was approved has changed".to_owned(),
        tail: String::new(),
        not_started: true,
    };
    let changed = vec![Changed { what: "ship.sh".to_owned(), before, now }];
    let run = console.stage.board.summaries().next().expect("a run").id;
    console.stage.pass(10);
    console.stage.end(run, "ship", Outcome { changed, failure: Some(failure), ..Outcome::default() });
    console
}

#[test]
fn an_emergency_stays_in_the_inbox_as_it_was_when_its_gate_asks_anew() {
    let mut console = overtaken((160, 48));
    drop(console.see());
    drop(answer(&mut console, "5"));
    let text = console.text();
    assert!(text.contains("1 emergency approval nobody has reviewed"), "{text}");
    drop(answer(&mut console, "3"));
    let text = console.text();
    for part in ["2 waiting", "g-1  ", "g-1!", "1 to review", "1 gate"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    drop(answer(&mut console, "K"));
    let text = console.text();
    for part in ["g-1 ok · r-1 · emergency approval in epoch 1, review it", "ops-lead  EMERGENCY", "1 of 2"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let asked = answer(&mut console, &format!("O {} enter y", typed("the roll-back was right")));
    let is_of_then =
        |command: &Command| matches!(command, Command::ReviewGlass { epoch, .. } if epoch.0 == 1);
    assert!(asked.len() == 1 && asked.iter().all(is_of_then), "{asked:?}");
    frame(&mut console);
    let text = console.text();
    assert!(!text.contains("to review") && text.contains("1 waiting") && text.contains("1 gate"), "{text}");
}

#[test]
fn who_approved_alone_does_not_review_it() {
    let mut console = seated(&[SHIP], &["break-glass"], (160, 48));
    let reason = "the shop is down and nobody answers";
    drop(answer(&mut console, &format!("space space ! {} tab {} enter", typed(reason), typed("g-1"))));
    assert!(answer(&mut console, &format!("O {} enter y", typed("fine"))).is_empty());
    assert!(
        console.text().contains("gave this approval; another person must review it"),
        "{}",
        console.text()
    );
}

#[test]
fn every_kind_of_evidence_is_shown_as_what_it_is() {
    at_sizes("evidence", &[KINDS], &[], "v");
}

#[test]
fn each_change_rings_once_and_calls_somebody_who_does_not_look() {
    let mut console = seated(&[CACHES], &[], (80, 24));
    let rings = |wishes: Vec<Wish>| {
        let bells = wishes.iter().filter(|wish| **wish == Wish::Bell).count();
        let calls = wishes.into_iter().filter_map(|wish| match wish {
            Wish::Notify(text) => Some(text),
            _ => None,
        });
        (bells, calls.collect::<Vec<_>>())
    };
    assert_eq!(rings(console.see()), (0, vec![]), "nothing is new");
    console.stage.launch("jon", DROP);
    assert_eq!(rings(console.see()), (1, vec![]));
    assert_eq!(rings(console.see()), (0, vec![]));
    let _ = console.send(Message::Focus(false));
    console.stage.launch("jon", OTHER);
    assert_eq!(rings(console.see()), (1, vec!["cuelight PROD: g-5 other waits".to_owned()]));
}

#[test]
fn how_long_asks_were_read_is_told_to_the_one_who_answers() {
    let mut console = seated(&[CACHES], &[], (160, 48));
    drop(answer(&mut console, "a y"));
    drop(press(&mut console, parse_keys("j").expect("a key")[0]));
    frame(&mut console);
    let text = console.text();
    assert!(text.contains("you approved 1 before"), "{text}");
}
