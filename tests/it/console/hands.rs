//! Hands: keys and clicks that people try without having read the help.

use super::Console;
use cuelight_console::{Message, Mouse, View};

fn mouse(console: &mut Console, what: Mouse, column: u16, row: u16) {
    drop(console.send(Message::Mouse { what, column, row }));
}

#[test]
fn a_double_click_opens_the_row_it_has_selected_and_nothing_else() {
    let mut console = Console::of_afternoon(80, 24);
    let text = console.text();
    let row = text.lines().position(|line| line.contains("r-3 ")).expect("r-3 is listed");
    let row = u16::try_from(row).expect("a row");
    mouse(&mut console, Mouse::Click, 20, row);
    assert_eq!(
        (console.model.view, console.model.run().map(|run| run.to_string())),
        (View::Runs, Some("r-3".to_owned()))
    );
    mouse(&mut console, Mouse::DoubleClick, 20, 2);
    assert_eq!(console.model.view, View::Runs, "the head of a column sorts");
    mouse(&mut console, Mouse::DoubleClick, 20, 21);
    assert_eq!(console.model.view, View::Runs, "below the rows nothing is opened");
    mouse(&mut console, Mouse::DoubleClick, 20, row);
    assert_eq!(console.model.view, View::Dag);
    assert!(console.text().contains("r-3"), "{}", console.text());
}
