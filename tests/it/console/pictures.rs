//! Every view as a picture: drawn from the boards of the tests, compared with what lies in `screenshots/`, so that no
//! picture is older than the program. `UPDATE_SCREENSHOTS=1` writes them anew; `tests/pictures` makes PNGs of them.

use super::{Console, health::agents_that_came};
use cuelight_console::{Message, Theme, to_svg};
use std::{fs, path::Path};

/// The name of a picture, and the keys that lead there from the list of runs. A new view adds its lines here.
const PICTURES: &[(&str, &str)] = &[
    ("runs", ""),
    ("dag", "enter"),
    ("dag-large", "j j j j enter"),
    ("gates", "3"),
    ("gates-approve", "3 enter space space space space a"),
    ("logs-run", "j j j j L"),
    ("logs-step", "j j j j enter / n [ 1 9 enter L / e r r o r enter"),
    ("errors", "4"),
    ("health", "5"),
    ("tools", ": t o o l s enter"),
    ("time", "/ s e t t l e enter enter 7"),
    ("audit", "8 V j j"),
    ("travel", "/ s e t t l e enter enter T H H"),
    ("palette", ": c a n c"),
    ("help", "?"),
    ("menu", "x"),
    ("why", "w"),
    ("dialog-cancel", "X"),
    ("dialog-retry", "G k R"),
    ("dialog-skip", "enter S"),
    ("dialog-reject", "3 r"),
    ("command-log", "P @"),
];

/// One screen in other themes, and in the modes that have no picture of their own.
const LOOKS: &[&str] =
    &["catppuccin-mocha", "gruvbox-light", "nord", "high-contrast", "okabe-ito", "mono", "ascii", "reader"];

/// A picture by its name.
fn picture(keys: &str, look: &str, (width, height): (u16, u16)) -> String {
    let mut console = Console::of_afternoon(width, height);
    let theme = Theme::built_in(look).or_else(|| Theme::built_in("dark")).expect("built in");
    console.model.look.glyphs.ascii = look == "ascii";
    if look == "reader" {
        console.model.look.reader = true;
        drop(console.send(Message::Resize { width, height }));
    }
    drop(console.press(keys));
    to_svg(&console.draw(&theme), &theme)
}

#[test]
fn the_pictures_show_what_the_program_draws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
    let writes = std::env::var_os("UPDATE_SCREENSHOTS").is_some();
    let (mut stale, mut pictures) = (Vec::new(), Vec::new());
    for (name, keys) in PICTURES {
        for (width, height) in [(80, 24), (160, 48)] {
            pictures.push((format!("{name}-{width}x{height}"), picture(keys, "dark", (width, height))));
        }
    }
    for (width, height) in [(80, 24), (160, 48)] {
        let mut console = agents_that_came(width, height);
        drop(console.press("j j j j j"));
        drop(console.see());
        let theme = Theme::built_in("dark").expect("built in");
        pictures.push((format!("agents-{width}x{height}"), to_svg(&console.draw(&theme), &theme)));
    }
    for look in LOOKS {
        pictures.push((format!("look-{look}-100x30"), picture("j", look, (100, 30))));
    }
    for (name, picture) in pictures {
        let path = root.join(format!("{name}.svg"));
        if writes {
            fs::create_dir_all(&root)
                .and_then(|()| fs::write(&path, picture))
                .expect("the pictures are written");
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&picture) {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "these pictures are not what is drawn: {}; look at what changed, then UPDATE_SCREENSHOTS=1 and tests/pictures",
        stale.join(", ")
    );
}
