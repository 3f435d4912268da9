//! Themes that can be read: contrast on the ground and on the selection, told apart by every eye, and no role left out.

use cuelight_console::{Depth, Kind, LookOfScreen, Model, Role, Theme};
use ratatui::style::Color;

/// The themes that name their colours; the others leave them to the terminal, or have none.
fn coloured() -> impl Iterator<Item = Theme> {
    let all = Theme::names().map(|name| Theme::built_in(name).expect("it is named"));
    all.filter(|theme| !matches!(theme.name(), "terminal" | "mono"))
}

fn rgb(theme: &Theme, role: Role, color: Option<Color>) -> [f64; 3] {
    match color {
        Some(Color::Rgb(r, g, b)) => [r, g, b].map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        }),
        other => panic!("{} {}: {other:?} is no colour of its own", theme.name(), role.name()),
    }
}

fn fg(theme: &Theme, role: Role) -> [f64; 3] {
    rgb(theme, role, theme.role(role).fg)
}

fn bg(theme: &Theme, role: Role) -> [f64; 3] {
    rgb(theme, role, theme.role(role).bg)
}

/// The WCAG ratio of two linear colours.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let light = |[r, g, b]: [f64; 3]| 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let (a, b) = (light(a), light(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Distance of two linear colours as the eye sees it (CIE 1976).
fn distance(one: [f64; 3], other: [f64; 3]) -> f64 {
    let lab = |[r, g, b]: [f64; 3]| {
        let bent =
            |number: f64| if number > 0.008_856 { number.cbrt() } else { 7.787 * number + 16.0 / 116.0 };
        let x = bent((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.950_47);
        let y = bent(0.2126 * r + 0.7152 * g + 0.0722 * b);
        let z = bent((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.088_83);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    };
    lab(one).iter().zip(lab(other)).map(|(left, right)| (left - right).powi(2)).sum::<f64>().sqrt()
}

/// A colour as seen without one kind of cone (Machado and others, 2009).
fn seen_by(cones: [[f64; 3]; 3], color: [f64; 3]) -> [f64; 3] {
    cones.map(|row| row.iter().zip(color).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0))
}

const DEUTERANOPE: [[f64; 3]; 3] = [
    [0.367_322, 0.860_646, -0.227_968],
    [0.280_085, 0.672_501, 0.047_413],
    [-0.011_820, 0.042_940, 0.968_881],
];
const PROTANOPE: [[f64; 3]; 3] = [
    [0.152_286, 1.052_583, -0.204_868],
    [0.114_503, 0.786_281, 0.099_216],
    [-0.003_882, -0.048_116, 1.051_998],
];

#[track_caller]
fn at_least(theme: &Theme, what: &str, wanted: f64, found: f64) {
    assert!(found >= wanted, "{} {what}: {found:.2}, wanted are {wanted}", theme.name());
}

#[test]
fn the_fourteen_are_there_and_our_own() {
    let names: Vec<&str> = Theme::names().collect();
    let kinds = |kind| coloured().filter(|theme| theme.kind() == kind).count();
    assert_eq!((names.len(), names[0], kinds(Kind::Dark), kinds(Kind::Light)), (15, "terminal", 9, 4));
}

#[test]
fn everything_can_be_read_on_the_ground_and_on_the_selection() {
    use Role::*;
    for theme in coloured() {
        let high = theme.name().starts_with("high-contrast");
        let (state, muted, border) = if high { (7.0, 7.0, 3.0) } else { (4.5, 3.0, 1.5) };
        for ground in [Bg, Select] {
            let below = bg(&theme, ground);
            for role in [Text, Ok, Info, Warn, Fail, Gate, Link, LogI, LogW, LogE, DiffAdd, DiffDel] {
                let what = format!("{} on {}", role.name(), ground.name());
                at_least(&theme, &what, state, contrast(fg(&theme, role), below));
            }
            for role in [GaugeLow, GaugeMid, GaugeHigh, BorderFocus, Title] {
                at_least(&theme, role.name(), state, contrast(fg(&theme, role), below));
            }
            for role in [Muted, LogD, Graph1, Graph2, Graph3, Graph4, Graph5, Graph6] {
                let what = format!("{} on {}", role.name(), ground.name());
                at_least(&theme, &what, muted, contrast(fg(&theme, role), below));
            }
        }
        at_least(&theme, "border", border, contrast(fg(&theme, Border), bg(&theme, Bg)));
        for role in [EnvProd, EnvStage, EnvDev, History, Match] {
            at_least(&theme, role.name(), state, contrast(fg(&theme, role), bg(&theme, role)));
        }
    }
}

/// Colours are rounded to the nearest of 256 where there are no more, as in tmux and over ssh.
#[test]
fn the_default_can_be_read_in_256_colours_too() {
    use Role::*;
    let theme = Theme::default_at(Depth::Indexed256).at_depth(Depth::Indexed256);
    assert_eq!(theme.name(), "dark");
    let of = |color: Option<Color>| match color {
        Some(Color::Indexed(index @ 16..=231)) => {
            let part = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
            let cube = index - 16;
            rgb(&theme, Text, Some(Color::Rgb(part(cube / 36), part(cube / 6 % 6), part(cube % 6))))
        }
        Some(Color::Indexed(grey @ 232..)) => {
            let part = 8 + (grey - 232) * 10;
            rgb(&theme, Text, Some(Color::Rgb(part, part, part)))
        }
        other => panic!("{other:?} is none of 240"),
    };
    for ground in [Bg, Select] {
        let below = of(theme.role(ground).bg);
        for role in [Text, Ok, Info, Warn, Fail, Gate, Link, Title, BorderFocus] {
            let what = format!("{} on {}", role.name(), ground.name());
            at_least(&theme, &what, 4.5, contrast(of(theme.role(role).fg), below));
        }
        at_least(&theme, "muted", 3.0, contrast(of(theme.role(Muted).fg), below));
    }
    assert_ne!(theme.role(Bg).bg, theme.role(Select).bg, "the row under the cursor is seen");
}

#[test]
fn where_there_are_sixteen_colours_the_row_under_the_cursor_has_one() {
    assert_eq!(Theme::default_at(Depth::Ansi16).name(), "terminal");
    let theme = Theme::default_at(Depth::Ansi16).at_depth(Depth::Ansi16);
    let console = super::Console::of_afternoon(80, 24);
    let screen = console.draw(&theme);
    let row = (0..24).find(|row| screen[(0, *row)].symbol() == "▌").expect("a row is selected");
    let colours: std::collections::BTreeSet<String> =
        (0..80).map(|column| format!("{:?}", screen[(column, row)].fg)).collect();
    assert_eq!(colours.len(), 1, "{colours:?}");
}

#[test]
fn well_and_wrong_are_far_apart_and_in_okabe_ito_for_every_eye() {
    for theme in coloured() {
        let (ok, fail) = (fg(&theme, Role::Ok), fg(&theme, Role::Fail));
        at_least(&theme, "ok and fail", 20.0, distance(ok, fail));
        if theme.name() == "okabe-ito" {
            for cones in [DEUTERANOPE, PROTANOPE] {
                at_least(&theme, "ok and fail", 80.0, distance(seen_by(cones, ok), seen_by(cones, fail)));
            }
        }
    }
}

/// The sixteen colours are chosen by hand where a theme names its own: what is nearest is often not what is meant.
#[test]
fn every_role_has_one_of_the_sixteen_colours() {
    for name in Theme::names() {
        let theme = Theme::built_in(name).expect("it is named").at_depth(Depth::Ansi16);
        for role in Role::all() {
            let style = theme.role(role);
            for color in [style.fg, style.bg].into_iter().flatten() {
                assert!(!matches!(color, Color::Rgb(..) | Color::Indexed(_)), "{name} {}", role.name());
            }
        }
        if name != "mono" {
            assert_ne!(theme.role(Role::Ok).fg, theme.role(Role::Fail).fg, "{name}");
        }
    }
}

/// Without colour the selection, the focus and the environment are still seen, also in a theme of one's own.
#[test]
fn a_theme_of_ones_own_without_colour_keeps_what_must_be_seen() {
    let text =
        "name = \"own\"\ninherits = \"nord\"\n[roles]\nselect = { bg = \"#334455\" }\nok = \"#10c020\"\n";
    let own = Theme::parse(text, None).expect("right");
    let none = own.clone().at_depth(Depth::None);
    for role in [Role::Select, Role::BorderFocus, Role::EnvProd] {
        assert!(!none.role(role).add_modifier.is_empty(), "{}", role.name());
    }
    let few = own.at_depth(Depth::Ansi16);
    assert_eq!((few.role(Role::Ok).fg, few.role(Role::Select).bg), (Some(Color::Green), Some(Color::Blue)));
}

/// `:theme` shows what is under the cursor, Esc goes back, Enter keeps it.
#[test]
fn a_theme_is_seen_before_it_is_chosen() {
    let mut console = super::Console::of_afternoon(80, 24);
    drop(console.press(": t h e m e space n o r d"));
    assert_eq!((console.model.theme_shown(), console.model.look.theme.as_str()), ("nord", "dark"));
    drop(console.press("esc"));
    assert_eq!(console.model.theme_shown(), "dark");
    drop(console.press(": t h e m e space n o r d enter"));
    assert_eq!(console.model.theme_shown(), "nord");
}

#[test]
fn where_nothing_may_move_the_graph_stays_where_it_is() {
    for (still, words) in [(true, "follow off"), (false, "follow on")] {
        let mut console = super::Console::of_afternoon(160, 48);
        let look = LookOfScreen { still, ..LookOfScreen::default() };
        let keys = console.model.keys.clone();
        console.model = Model::new(console.model.seat.clone(), look, keys, (160, 48), console.at);
        let _ = console.see();
        drop(console.press("enter"));
        assert!(console.text().contains(words), "{}", console.text());
    }
}

#[test]
fn a_broken_file_is_told_and_the_theme_goes_on() {
    let files = [("own.toml".to_owned(), "name = \"own\"\n[roles]\nok = \"grene\"".to_owned())];
    let (themes, problems) = cuelight_console::Themes::read(&files);
    let mut console = super::Console::of_afternoon(160, 48);
    drop(console.send(cuelight_console::Message::Themes { themes: themes.into(), problems }));
    assert!(console.text().contains("own.toml: could not read the theme: line 3"), "{}", console.text());
    assert_eq!(console.model.theme_shown(), "dark");
}
