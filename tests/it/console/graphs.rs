//! The graph of a run as it is pressed and seen: what an answer would do, search, trees of lines, boxes of copies, and
//! what is left when a run is gone.

use super::{Console, Stage, screens};
use crate::console::fixture::{actor, afternoon};
use cuelight_base::{FailureMode, RunId, Span};
use cuelight_console::{Message, Scene, Wish, parse_keys, update};
use cuelight_engine::Command;

/// 200 copies in mid course: some are done, four run, one has failed.
fn fan() -> Console {
    let parts: Vec<String> = (1..=200).map(|index| index.to_string()).collect();
    let workflow = format!(
        "name: etl/orders-daily\nmax-parallel: 4\nsteps:\n  \
         - {{id: plan_day, run: plan, effect: pure}}\n  \
         - {{id: src_shop, needs: plan_day, run: shop, effect: pure}}\n  \
         - {{id: src_app, needs: plan_day, run: app, effect: pure}}\n  \
         - {{id: merge_raw, needs: [src_shop, src_app], run: merge, effect: idempotent}}\n  \
         - {{id: load, needs: merge_raw, run: load, matrix: {{part: [{}], fail-fast: false}}, effect: idempotent}}\n  \
         - {{id: check_totals, needs: load, run: totals, if: always(), effect: pure}}\n  \
         - {{id: publish, needs: check_totals, run: publish}}\n",
        parts.join(", ")
    );
    let mut stage = Stage::at("11:00:00");
    let run = stage.launch("cron", &workflow);
    stage.pass(5);
    stage.ok(run, "plan_day");
    stage.pass(40);
    stage.ok(run, "src_shop src_app");
    stage.pass(70);
    stage.ok(run, "merge_raw");
    stage.pass(3);
    stage.drain(run, 93);
    stage.fail(run, "load[94]", FailureMode::AgentValidation, "UNIQUE order_id=77120");
    stage.pass(2);
    Console::new(stage, 160, 48)
}

/// A chain of matrices: more steps than a picture of nodes can show.
fn long(steps: usize) -> Console {
    let mut workflow = "name: etl/long\nsteps:\n".to_owned();
    for step in 0..steps {
        let needs = match step {
            0 => String::new(),
            _ if step % 10 == 0 => format!(", needs: s{}", step - 1),
            _ => format!(", needs: s{}", step / 10 * 10),
        };
        workflow.push_str(&format!("  - {{id: s{step}{needs}, run: work, effect: pure}}\n"));
    }
    let mut stage = Stage::at("11:00:00");
    let run = stage.launch("cron", &workflow);
    stage.pass(2);
    stage.drain(run, steps / 2);
    Console::new(stage, 160, 48)
}

#[test]
fn copies_that_go_on_are_a_box_of_signs_where_there_is_room() {
    screens::everywhere("dag_fan", |width, height| {
        let mut console = fan();
        drop(console.send(Message::Resize { width, height }));
        drop(console.press("enter"));
        console
    });
}

#[test]
fn a_long_run_is_a_tree_of_lines_and_what_stands_around_the_cursor() {
    screens::everywhere("dag_tree", |width, height| {
        let mut console = long(400);
        drop(console.send(Message::Resize { width, height }));
        drop(console.press("enter t"));
        console
    });
}

#[test]
fn what_yes_and_no_lead_to_is_seen_before_anything_is_pressed() {
    for (width, height) in [(80, 24), (160, 48)] {
        let mut console = Console::of_afternoon(width, height);
        let wishes = console.press("j enter");
        assert!(!wishes.iter().any(|wish| matches!(wish, Wish::Submit { .. })), "looking asks for nothing");
        let text = console.text();
        assert!(text.contains("approve") && text.contains("pay_out"), "{text}");
        assert!(text.contains("reject") && text.contains("skips pay_out"), "{text}");
        assert!(!text.contains("what if: "), "no sign lies over the steps before it is asked for: {text}");
        drop(console.press("v"));
        let text = console.text();
        assert!(text.contains("what if: approve") && text.contains("► starts"), "{text}");
        drop(console.press("v"));
        let text = console.text();
        assert!(text.contains("what if: reject") && text.contains("⊘ skips"), "{text}");
        drop(console.press("esc"));
        assert!(!console.text().contains("what if: "), "{}", console.text());
    }
    screens::everywhere("dag_what_if_reject", |width, height| {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("j enter v v"));
        console
    });
}

/// Steps end, and time passes without a key.
fn time_passes(console: &mut Console) {
    let run = console.model.run().expect("selected");
    for _ in 0..3 {
        console.stage.drain(run, 2);
        drop(console.see());
        console.at = console.at + Span(10_000);
        let at = console.at;
        drop(console.send(Message::Tick(at)));
    }
}

#[test]
fn following_leaves_the_cursor_where_somebody_put_it() {
    let mut console = fan();
    drop(console.press("enter"));
    time_passes(&mut console);
    assert!(console.step_id().starts_with("load"), "{}", console.step_id());
    drop(console.press("g g"));
    assert_eq!(console.step_id(), "plan_day");
    assert!(console.text().contains("follow off"), "{}", console.text());
    time_passes(&mut console);
    assert_eq!(console.step_id(), "plan_day");
    drop(console.press("f"));
    assert!(console.text().contains("follow on"), "{}", console.text());
    time_passes(&mut console);
    assert!(console.step_id().starts_with("load"), "{}", console.step_id());
}

#[test]
fn following_stays_on_a_gate_that_waits() {
    let workflow = "name: ship\nsteps:\n  - {id: ask, gate: {prompt: Ship?}}\n  \
         - {id: pack, run: pack, effect: pure}\n  - {id: seal, needs: pack, run: seal, effect: pure}\n";
    let mut stage = Stage::at("11:00:00");
    let run = stage.launch("cron", workflow);
    let mut console = Console::new(stage, 160, 48);
    drop(console.press("enter"));
    assert_eq!(console.step_id(), "ask");
    console.stage.pass(3);
    console.stage.drain(run, 1);
    drop(console.see());
    console.at = console.at + Span(10_000);
    let at = console.at;
    drop(console.send(Message::Tick(at)));
    assert_eq!(console.step_id(), "ask", "seal began later");
}

#[test]
fn a_step_that_failed_says_why_under_the_graph_with_the_keys_for_it() {
    for (width, height) in [(80, 24), (100, 30), (160, 48)] {
        let mut console = fan();
        drop(console.send(Message::Resize { width, height }));
        drop(console.press("enter"));
        let text = console.text();
        assert!(text.contains("UNIQUE order_id=77120"), "{text}");
        assert!(text.contains("L logs   R retry   n next hot (1 of 5)   e all edges"), "{text}");
    }
}

#[test]
fn the_map_never_lies_over_the_graph_of_a_small_screen() {
    let mut console = long(400);
    drop(console.send(Message::Resize { width: 80, height: 24 }));
    drop(console.press("enter z R"));
    assert!(!console.text().contains("─ map "), "{}", console.text());
    drop(console.press("o"));
    let text = console.text();
    assert!(text.contains("─ map "), "{text}");
    let mut beside = text.lines().skip(2).take(8).filter_map(|line| line.chars().nth(62));
    assert!(beside.all(|c| "╭│╰".contains(c)), "it stands beside: {text}");
}

#[test]
fn the_engine_is_asked_what_a_skip_or_a_cancel_would_do() {
    let mut console = fan();
    drop(console.press("enter"));
    // The cursor is on the step that failed.
    let mut seen = Vec::new();
    for _ in 0..3 {
        let wishes = console.press("v");
        assert!(!wishes.iter().any(|wish| matches!(wish, Wish::Submit { .. })));
        let text = console.text();
        seen.extend(
            ["retry", "skip", "cancel"]
                .into_iter()
                .filter(|value| text.contains(&format!("what if: {value}"))),
        );
    }
    assert_eq!(seen, ["retry", "cancel"]);
    drop(console.press("v v"));
    let text = console.text();
    assert!(text.contains("skips load[99]") && text.contains("■ load[95] stops"), "{text}");
}

#[test]
fn a_search_goes_through_the_steps_and_esc_ends_it() {
    let mut console = fan();
    drop(console.press("enter / l o a d [ 1 9 enter"));
    assert!(console.text().contains("/load[19  2 of 11"), "{}", console.text());
    assert_eq!(console.step_id(), "load[190]", "the next one after the cursor");
    drop(console.press("N"));
    assert_eq!(console.step_id(), "load[19]");
    drop(console.press("N"));
    assert_eq!(console.step_id(), "load[199]", "around the end");
    drop(console.press("esc n"));
    assert_eq!(console.step_id(), "load[94]", "without a search n goes to what wants an eye");
    drop(console.press("/ s t a t e : f a i l e d enter"));
    assert_eq!(console.step_id(), "load[94]");
    drop(console.press("/ n o p e enter"));
    assert!(console.text().contains("could not find"), "{}", console.text());
}

#[test]
fn enter_goes_to_the_gate_and_back_again() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("j enter"));
    assert_eq!(console.step_id(), "approve_refunds");
    drop(console.press("enter"));
    assert!(console.text().contains("▐ 3 Gates"), "{}", console.text());
    assert_eq!(console.step_id(), "approve_refunds");
    drop(console.press("ctrl-o"));
    assert!(console.text().contains("▐ 2 DAG"), "{}", console.text());
}

#[test]
fn a_run_that_is_deleted_while_it_is_shown_says_so() {
    for keys in ["", "enter", "enter v", "enter t", "enter / l", "space space P"] {
        let mut console = Console::of_afternoon(160, 48);
        drop(console.press(keys));
        drop(console.send(Message::Board(std::sync::Arc::default())));
        let text = console.text();
        assert!(text.contains("no longer in memory") || !text.contains("2 DAG ▌"), "{text}");
        assert!(!text.contains("╔═"), "a dialog about it is closed: {text}");
        drop(console.press("j k l h w v n esc enter"));
    }
}

#[test]
fn names_of_any_kind_stay_in_their_panes() {
    let (long, id) = ("x".repeat(300), "i".repeat(64));
    let workflow = format!(
        "name: \"{long}\"\nsteps:\n  - {{id: {id}, run: a, effect: pure}}\n  \
         - {{id: b, needs: {id}, run: b, name: \"日本語\\u202E\\u0007 שלום{long}\"}}\n  \
         - {{id: g, needs: b, gate: {{prompt: \"日本語 {long}\\u202E\"}}}}\n"
    );
    for (width, height) in [(60, 16), (80, 24), (100, 30), (160, 48), (200, 60)] {
        let mut stage = Stage::at("11:00:00");
        let run = stage.launch("m\u{202e}ira 日本語", &workflow);
        stage.pass(1);
        stage.drain(run, 2);
        let mut console = Console::new(stage, width, height);
        for keys in ["", "enter", "+", "+", "-", "-", "-", "v", "t", "o"] {
            drop(console.press(keys));
            let text = console.text();
            assert!(!text.contains(['\u{202e}', '\u{7}']), "{text}");
            let wide = |line: &str| unicode_width::UnicodeWidthStr::width(line) > usize::from(width);
            assert!(!text.lines().any(wide), "{text}");
        }
    }
}

#[test]
fn nothing_jumps_when_states_change() {
    let mut console = fan();
    drop(console.press("enter"));
    let place = |console: &Console, name: &str| {
        let text = console.text();
        let row = text.lines().position(|line| line.contains(name)).expect("shown");
        let line = text.lines().nth(row).expect("there").to_owned();
        (row, line.find(name).map(|at| line[..at].chars().count()))
    };
    let before: Vec<_> = ["plan_day", "src_shop", "merge_raw"].map(|text| place(&console, text)).to_vec();
    let run = console.model.run().expect("selected");
    for _ in 0..20 {
        console.stage.drain(run, 2);
        drop(console.see());
        let now: Vec<_> = ["plan_day", "src_shop", "merge_raw"].map(|text| place(&console, text)).to_vec();
        assert_eq!(now, before);
    }
}

#[test]
fn marked_runs_are_asked_for_together_in_one_dialog_that_lists_them() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("space space"));
    assert!(console.text().contains("2 marked"), "{}", console.text());
    drop(console.press("P"));
    screens::everywhere("bulk_pause", |width, height| {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("space space P"));
        console
    });
    let text = console.text();
    assert!(text.contains("Pause 2 runs?") && text.contains("r-7 ") && text.contains("r-5 "), "{text}");
    let wishes = console.press("y");
    let paused: Vec<RunId> = wishes
        .iter()
        .filter_map(|wish| match wish {
            Wish::Submit { command, .. } => command.run(),
            _ => None,
        })
        .collect();
    assert_eq!(paused, [RunId(5), RunId(7)]);
    assert!(!console.text().contains("marked"));
}

#[test]
fn what_cannot_be_taken_back_is_left_out_of_a_bulk_and_the_rest_wants_its_count() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("* X"));
    let text = console.text();
    assert!(text.contains("left out") && text.contains("not of low risk"), "{text}");
    assert!(text.contains("it is done already") || text.contains("completed already"), "{text}");
    screens::everywhere("bulk_cancel", |width, height| {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("* X"));
        console
    });
    let wishes = console.press("t i r e d enter c a n c e l");
    assert!(!wishes.iter().any(|wish| matches!(wish, Wish::Submit { .. })));
    drop(console.press("enter"));
    assert!(console.text().contains("Cancel"), "Enter with a wrong word does nothing");
}

#[test]
fn marks_that_were_not_on_the_screen_are_not_acted_on() {
    let mut stage = Stage::at("10:00:00");
    for _ in 0..60 {
        let _ = stage.launch("cron", "name: a\nsteps:\n  - {id: s, run: s, effect: pure}\n");
    }
    let mut console = Console::new(stage, 160, 48);
    drop(console.press("* X"));
    assert!(console.text().contains("were not on the screen"), "{}", console.text());
}

#[test]
fn a_bulk_closes_when_one_of_its_runs_has_changed() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("space space P"));
    assert!(console.text().contains("Pause 2 runs?"));
    console.stage.command(Command::Pause { run: RunId(7), by: actor("jon") });
    drop(console.see());
    assert!(!console.text().contains("Pause 2 runs?"));
    assert!(console.text().contains("nothing was done"), "{}", console.text());
}

#[test]
fn a_filter_takes_words_measures_and_their_opposite() {
    for (filter, runs) in [
        ("state:gate", "r-7 r-5"),
        ("state:active !state:gate", "r-8 r-6 r-3"),
        ("workflow:etl* age<1h", "r-3"),
        ("age<10m state:active", "r-7 r-8"),
        ("risk:high", "r-5"),
        ("errors>0", "r-3 r-2"),
        ("state:failed,cancelled", "r-4 r-2"),
        ("by:jon", "r-4"),
        ("health<60", "r-2"),
        ("nothing", ""),
    ] {
        let mut console = Console::of_afternoon(160, 48);
        let keys: Vec<String> =
            filter.chars().map(|c| if c == ' ' { "space".to_owned() } else { c.to_string() }).collect();
        drop(console.press(&format!("& {} enter", keys.join(" "))));
        let text = console.text();
        let shown: Vec<String> = text
            .lines()
            .skip(3)
            .filter_map(|line| {
                line.split_whitespace()
                    .find(|word| word.starts_with("r-"))
                    .filter(|_| line.contains('▆') || line.contains('▁'))
            })
            .map(ToOwned::to_owned)
            .take(runs.split(' ').filter(|run| !run.is_empty()).count().max(1))
            .collect();
        if runs.is_empty() {
            assert!(text.contains("no run fits the filter"), "{filter}: {text}");
        } else {
            assert_eq!(shown.join(" "), runs, "{filter}: {text}");
        }
    }
}

#[test]
fn the_order_can_be_turned_and_a_head_can_be_clicked() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("s"));
    assert!(console.text().contains("sort age▼"));
    drop(console.press("o"));
    assert!(console.text().contains("sort age▲"));
    let head = console.text().lines().nth(2).expect("heads").find("STATE").expect("a head");
    let column =
        u16::try_from(console.text().lines().nth(2).expect("heads")[..head].chars().count()).expect("small");
    let click = Message::Mouse { what: cuelight_console::Mouse::Click, column, row: 2 };
    drop(console.send(click.clone()));
    assert!(console.text().contains("sort state▼"), "{}", console.text());
    drop(console.send(click));
    assert!(console.text().contains("sort state▲"), "{}", console.text());
}

#[test]
fn the_row_under_the_cursor_stays_when_others_come() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("s j j j"));
    let run = console.model.run();
    let _ = console.stage.launch("mira", "name: new\nsteps:\n  - {id: s, run: s, effect: pure}\n");
    drop(console.see());
    assert_eq!(console.model.run(), run);
}

/// 10,000 runs: what is drawn is what is seen.
#[test]
fn ten_thousand_runs_are_counted_and_only_a_page_is_drawn() {
    let mut stage = afternoon();
    for _ in 0..300 {
        let _ = stage.launch("cron", "name: many\nsteps:\n  - {id: s, run: s, effect: pure}\n");
    }
    let mut console = Console::new(stage, 80, 24);
    drop(console.press("G"));
    let text = console.text();
    assert!(text.contains("of 308"), "{text}");
    drop(console.press("& w o r k f l o w : e t l * enter"));
    assert!(console.text().contains("1-1 of 1 (308)"), "{}", console.text());
}

/// Pictures that a message requests.
fn pictures_asked(console: &mut Console, message: Message) -> Vec<(u64, Box<Scene>)> {
    let asked =
        |wish| if let Wish::Arrange { request, scene } = wish { Some((request, scene)) } else { None };
    update(&mut console.model, message).into_iter().filter_map(asked).collect()
}

fn key(console: &mut Console, text: &str) -> Vec<(u64, Box<Scene>)> {
    let presses = parse_keys(text).expect("keys");
    let pressed = presses.into_iter().flat_map(|press| {
        console.at = console.at + Span(40);
        let at = console.at;
        pictures_asked(console, Message::Key { press, repeat: false, at })
    });
    pressed.collect()
}

#[test]
fn a_large_graph_is_arranged_elsewhere_while_the_old_picture_stays() {
    let mut console = long(400);
    drop(console.press("enter"));
    let before = console.text();
    let asked = key(&mut console, "z R");
    let [(request, scene)] = &asked[..] else { panic!("one picture is asked for: {asked:?}") };
    assert_eq!(console.text(), before, "the old picture stays");
    assert!(key(&mut console, "z M z R").is_empty(), "one at a time");
    assert!(!console.text().contains("arranging"), "a short while is not worth a word");
    let late = console.at + Span(300);
    assert!(console.model.deadline().is_some_and(|deadline| deadline <= late), "somebody has to look then");
    console.at = console.at + Span(400);
    let now = console.at;
    assert!(pictures_asked(&mut console, Message::Tick(now)).is_empty());
    assert!(console.text().contains("arranging"), "{}", console.text());
    let (request, arranged) = (*request, scene.arranged());
    let come = Message::Arranged { request, arranged, took: Span(400), at: now };
    assert!(pictures_asked(&mut console, come).is_empty(), "it is what was asked for last, too");
    assert!(!console.text().contains("arranging"));
    assert!(console.text().contains("400 shown"), "nothing is folded any more: {}", console.text());
}

#[test]
fn steps_that_end_have_a_large_graph_arranged_at_most_a_quarter_of_the_time() {
    let mut console = long(400);
    drop(console.press("enter"));
    let end_one = |console: &mut Console| {
        let run = console.model.run().expect("a run");
        console.stage.drain(run, 1);
        let board = console.stage.board();
        pictures_asked(console, Message::Board(board))
    };
    console.at = console.at + Span(5_000);
    let at = console.at;
    let mut asked = pictures_asked(&mut console, Message::Tick(at));
    asked.extend(end_one(&mut console));
    let [(request, scene)] = &asked[..] else { panic!("one picture is asked for: {asked:?}") };
    let come = Message::Arranged { request: *request, arranged: scene.arranged(), took: Span(20), at };
    assert!(pictures_asked(&mut console, come).is_empty(), "it rests three times as long as it worked");
    assert!(end_one(&mut console).is_empty());
    assert_eq!(console.model.deadline(), Some(at + Span(60)), "and then goes on by itself");
    assert_eq!(pictures_asked(&mut console, Message::Tick(at + Span(60))).len(), 1);
}

/// A small graph fills its pane as cards; the zoom that somebody chose stays from run to run.
#[test]
fn the_largest_zoom_that_fits_is_first_and_a_chosen_one_stays() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("enter"));
    assert!(console.text().contains("zoom 3/3"), "{}", console.text());
    drop(console.press("1 j j j j enter"));
    assert!(console.text().contains("zoom 2/3"), "it does not fit as cards: {}", console.text());
    drop(console.press("1 g g enter -"));
    assert!(console.text().contains("zoom 2/3"), "{}", console.text());
    drop(console.press("- 1 j j enter"));
    assert!(console.text().contains("zoom 1/3"), "{}", console.text());
}
