//! Screens as snapshots: text and style, at the sizes of the design.

use super::Console;
use cuelight::console::{Theme, snap, to_svg};

/// With `CUELIGHT_PICTURES` set to a directory, screens are also written there, to be looked at.
pub(super) fn check(name: &str, console: &Console) {
    let theme = Theme::for_snapshots();
    if let Some(dir) = std::env::var_os("CUELIGHT_PICTURES") {
        let theme = Theme::built_in(&console.model.look.theme).expect("built in");
        let path = std::path::Path::new(&dir).join(format!("{name}.svg"));
        std::fs::write(path, to_svg(&console.draw(&theme), &theme)).expect("a directory to write to");
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots/console", omit_expression => true }, {
        insta::assert_snapshot!(name, snap(&console.draw(&theme), &theme));
    });
}

fn at_sizes(name: &str, keys: &str) {
    for (width, height) in [(80, 24), (100, 30), (160, 48)] {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press(keys));
        check(&format!("{name}_{width}x{height}"), &console);
    }
}

#[test]
fn runs_shows_what_needs_somebody_first() {
    at_sizes("runs", "");
}

#[test]
fn the_graph_shows_the_run_under_the_cursor() {
    at_sizes("dag", "enter");
}

#[test]
fn the_graph_of_a_large_run_is_folded() {
    at_sizes("dag_etl", "j j j j enter");
}

#[test]
fn the_palette_lists_what_can_be_done() {
    at_sizes("palette", ": c a n c");
}

#[test]
fn the_help_prints_the_key_table() {
    at_sizes("help", "?");
}

#[test]
fn cancelling_asks_for_the_id_and_a_reason() {
    at_sizes("cancel", "X");
}

#[test]
fn the_menu_greys_what_would_be_refused() {
    at_sizes("menu", "x");
}

#[test]
fn why_tells_the_chain_of_causes() {
    at_sizes("why", "w");
}

#[test]
fn the_graph_of_a_payment_waits_at_its_gate() {
    at_sizes("dag_settle", "j enter");
}

#[test]
fn without_colour_and_without_unicode_everything_is_still_told() {
    for (name, keys) in [("runs", ""), ("dag", "j enter"), ("palette", ":"), ("help", "?"), ("cancel", "X r")]
    {
        let mut mono = Console::of_afternoon(80, 24);
        drop(mono.press(keys));
        mono.model.look.theme = "mono".to_owned();
        let theme = Theme::built_in("mono").expect("built in").at_depth(cuelight::console::Depth::None);
        let screen = mono.draw(&theme);
        assert!(screen.content().iter().all(|it| it.fg == ratatui::style::Color::Reset));
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots/console", omit_expression => true }, {
            insta::assert_snapshot!(format!("mono_{name}_80x24"), snap(&screen, &theme));
        });
        mono.model.look.glyphs.ascii = true;
        let text = mono.text();
        assert!(text.is_ascii(), "{text}");
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots/console", omit_expression => true }, {
            insta::assert_snapshot!(format!("ascii_{name}_80x24"), text);
        });
    }
}

/// Mode, link, gates and failures stay to the end; the clock goes first.
#[test]
fn the_status_line_keeps_what_matters_most() {
    let console = Console::of_afternoon(160, 48);
    let lines: Vec<String> = [30, 40, 50, 65, 80, 100, 160]
        .map(|width| cuelight::console::status_line(&console.model, width))
        .to_vec();
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots/console", omit_expression => true }, {
        insta::assert_snapshot!("status_lines", lines.join("\n"));
    });
    for line in &lines {
        assert!(
            line.contains("NORMAL") && line.contains("LIVE") && line.contains('◆') && line.contains('✗'),
            "{line}"
        );
    }
}
