//! Every view as a picture: drawn from the boards of the tests, compared with what lies in `screenshots/`, so that no
//! picture is older than the program. `UPDATE_SCREENSHOTS=1` writes them anew; `tests/pictures` makes PNGs of them.

use super::Console;
use cuelight::console::{Theme, to_svg};
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
    ("palette", ": c a n c"),
    ("help", "?"),
    ("menu", "x"),
    ("why", "w"),
    ("dialog-cancel", "X"),
    ("dialog-retry", "R"),
];

#[test]
fn the_pictures_show_what_the_program_draws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
    let writes = std::env::var_os("UPDATE_SCREENSHOTS").is_some();
    let theme = Theme::built_in("dark").expect("built in");
    let mut stale = Vec::new();
    for (name, keys) in PICTURES {
        for (width, height) in [(80, 24), (160, 48)] {
            let mut console = Console::of_afternoon(width, height);
            drop(console.press(keys));
            let picture = to_svg(&console.draw(&theme), &theme);
            let path = root.join(format!("{name}-{width}x{height}.svg"));
            if writes {
                fs::create_dir_all(&root)
                    .and_then(|()| fs::write(&path, picture))
                    .expect("the pictures are written");
            } else if fs::read_to_string(&path).ok().as_deref() != Some(&picture) {
                stale.push(format!("{name}-{width}x{height}"));
            }
        }
    }
    assert!(
        stale.is_empty(),
        "these pictures are not what is drawn: {}; look at what changed, then UPDATE_SCREENSHOTS=1 and tests/pictures",
        stale.join(", ")
    );
}
