//! Words that are the same in every view: the header, which keeps its numbers, and plurals, which are right.

use super::{Console, fixture::Stage};
use cuelight_base::FailureMode;
use cuelight_console::{Message, Mouse};
use regex::Regex;

const ASKS: &str = "name: asks\nsteps:\n  - id: sure\n    gate: {prompt: Sure?, risk: reversible}\n";
const FAILS: &str = "name: fails\nsteps:\n  - {id: one, run: one}\n";

/// So many gates that wait, and so many failures that nobody has looked at.
fn busy(gates: usize, failures: usize) -> Stage {
    let mut stage = Stage::at("12:00:00");
    for _ in 0..gates {
        stage.launch("mira", ASKS);
    }
    for _ in 0..failures {
        let run = stage.launch("mira", FAILS);
        stage.fail(run, "one", FailureMode::SystemTimeout, "it took too long");
    }
    stage
}

fn header(console: &Console) -> String {
    console.text().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_header_without_room_drops_words_and_keeps_every_number() {
    let number = Regex::new("[0-9]+").expect("right");
    for (gates, failures) in [(3, 2), (12, 34), (100, 105)] {
        let stage = busy(gates, failures);
        for (width, environment) in
            [(80, "PROD"), (60, "PROD"), (80, "PRODUCTION-EU-WEST-1"), (60, "日本語の環境ですこれは長い")]
        {
            for view in 1..=8 {
                let mut console = Console::new(stage.clone(), width, 24);
                console.model.seat.environment = environment.to_owned();
                drop(console.press(&view.to_string()));
                let text = header(&console);
                let digits: Vec<&str> = number.find_iter(&text).map(|hit| hit.as_str()).collect();
                let (gates, failures) = (gates.to_string(), failures.to_string());
                let wanted = ["1", "2", "3", gates.as_str(), "4", failures.as_str(), "5", "6", "7", "8"];
                let from_environment = digits.len() - wanted.len().min(digits.len());
                assert_eq!(digits[from_environment..], wanted, "{width}: {text}");
                let name = cuelight_console::View::ALL[view - 1].name();
                assert!(text.contains(name), "what is looked at has its name: {text}");
            }
        }
    }
    let roomy = header(&Console::new(busy(3, 2), 80, 24));
    assert_eq!(
        roomy.trim_end(),
        " PROD ▐1 Runs▌ 2 DAG  3 Gates 3  4 Errors 2  5 Health  6 Logs  7 Time  8 Audit"
    );
    let full = header(&Console::new(busy(12, 34), 80, 24));
    assert_eq!(full.trim_end(), " PROD ▐1 Runs▌ 2 DAG  3 Gates 12  4 Errors 34  5 Health  6 Logs  7 Time  8");
}

#[test]
fn a_view_without_its_word_is_still_clicked() {
    let mut console = Console::new(busy(100, 105), 60, 24);
    let text = header(&console);
    let column = text.chars().position(|c| c == '8').expect("it is there");
    let column = u16::try_from(column).expect("on the screen");
    drop(console.send(Message::Mouse { what: Mouse::Click, column, row: 0 }));
    assert!(header(&console).contains("▐8 Audit▌"), "{}", header(&console));
}

/// One of everything: a run of one step that made one call, wrote one line and failed once.
#[test]
fn one_of_anything_is_never_told_in_the_plural() {
    let plural = Regex::new(
        r"(?:^|[^0-9.,:/-])1 (?:open |more |new )?(?:runs|steps|gates|events|lines|records|failures|errors|calls|results|copies|nodes|edges|votes|workflows|bytes|times|people|others|marks|commands|rows)\b",
    )
    .expect("right");
    for stage in [busy(1, 0), busy(0, 1)] {
        for size in [(80, 24), (200, 60)] {
            for keys in [
                "1",
                "2",
                "3",
                "3 enter",
                "4",
                "4 v",
                "5",
                "6",
                "7",
                "8",
                ": t o o l s enter",
                ": a g e n t s enter",
                "T",
                "2 T",
                "Z Z",
                "w",
                "2 t",
                "2 w",
                "x",
                "?",
                "space X",
                "1 n",
            ] {
                let mut console = Console::new(stage.clone(), size.0, size.1);
                drop(console.press(keys));
                let text = console.text();
                let wrong = plural.find(&text).map(|text| text.as_str().to_owned());
                assert_eq!(wrong, None, "{keys}:\n{text}");
                console.model.look.reader = true;
                let text = console.text();
                let wrong = plural.find(&text).map(|text| text.as_str().to_owned());
                assert_eq!(wrong, None, "{keys}, read out:\n{text}");
            }
        }
    }
}
