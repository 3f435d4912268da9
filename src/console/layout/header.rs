//! The header: badge, place and the tabs of the views, as wide as the screen allows.

use crate::{Model, View};
use cuelight_base::safe_text;
use unicode_width::UnicodeWidthStr;

/// A view's name in the header.
pub(crate) struct Tab {
    pub view: View,
    pub x: u16,
    pub text: String,
}

/// The environment as the header shows it; what is too long for a header is cut.
pub(crate) fn badge(model: &Model) -> String {
    const LEAST_FOR_TABS: usize = 44;
    let most = usize::from(model.size.0).saturating_sub(LEAST_FOR_TABS);
    format!(" {} ", model.look.glyphs.fit(&safe_text(&model.seat.environment), most))
}

/// The place of this console as the header shows it, shortened to 24 cells.
pub(crate) fn place(model: &Model) -> String {
    const MOST: usize = 24;
    model.look.glyphs.fit(&safe_text(&model.seat.place), MOST)
}

/// The order in which the header drops the words of views to make room for numbers. Views that count nothing
/// come first, from the right, then views that count something. The key and the number stay, and so does the
/// whole entry of the current view.
const GIVE_UP: [View; 8] =
    [View::Audit, View::Time, View::Logs, View::Health, View::Dag, View::Runs, View::Errors, View::Gates];

/// The entries of the header with their positions: all keys and numbers, and as many words as fit.
pub(crate) fn tabs(model: &Model) -> Vec<Tab> {
    let wide = model.size.0 >= 140;
    // The name before the badge, the place and a bar after it; the date or the place at the right.
    let (before, after) = match model.size.0 {
        140.. => (10 + place(model).width() + 2 + 2, if model.moves() { 22 } else { 0 }),
        100..140 => (0, place(model).width() + 2),
        _ => (0, 0),
    };
    let from = badge(model).width() + before;
    let room = usize::from(model.size.0).saturating_sub(from + after);
    let mut tabs = Vec::new();
    for given_up in 0..=GIVE_UP.len() {
        tabs = tabs_without(model, from, &GIVE_UP[..given_up], wide);
        let ends = tabs.iter().map(|tab| tab.text.width() + 2 + usize::from(wide)).sum::<usize>();
        if ends <= room {
            break;
        }
    }
    tabs
}

fn tabs_without(model: &Model, from: usize, given_up: &[View], wide: bool) -> Vec<Tab> {
    let mut x = from;
    let mut tabs = Vec::new();
    for view in View::ALL.iter().filter(|view| view.has_tab()) {
        let key = model.keys.keys_of(view.scope(), view.intent()).unwrap_or_default();
        let count = count_of(model, *view);
        let name = match count {
            _ if *view == model.view || !given_up.contains(view) => view.name(),
            // A number alone would be taken for a key.
            Some(_) => view.name().get(..1).unwrap_or_default(),
            None => "",
        };
        let count = count.map(|count| count.to_string());
        let words = [key, name.to_owned(), count.unwrap_or_default()];
        let name =
            words.iter().filter(|word| !word.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ");
        let text = if wide { format!(" {name} ") } else { name };
        let width = text.width() + 2;
        tabs.push(Tab { view: *view, x: u16::try_from(x).unwrap_or(u16::MAX), text });
        x += width + usize::from(wide);
    }
    tabs
}

/// The number beside a view's name; None if the view counts nothing.
fn count_of(model: &Model, view: View) -> Option<usize> {
    match view {
        View::Gates => Some(model.board.inbox_len()).filter(|inbox_len| *inbox_len > 0),
        View::Errors => Some(model.board.urgent_error_count()).filter(|count| *count > 0),
        View::Runs | View::Dag | View::Health | View::Logs => None,
        View::Time | View::Audit | View::Agents | View::Tools => None,
    }
}

/// The view whose name stands in a column of the header.
pub(crate) fn tab_at(model: &Model, column: u16) -> Option<View> {
    let hit = |tab: &Tab| {
        let width = u16::try_from(tab.text.width() + 2).unwrap_or(u16::MAX);
        (tab.x..tab.x.saturating_add(width)).contains(&column)
    };
    tabs(model).iter().find(|tab| hit(tab)).map(|tab| tab.view)
}
