//! Leaving the console. An observer leaves at once, and so does a console that owns no open run. A console
//! that owns open runs asks: do they continue without a screen, or does the engine stop? Back is the first
//! choice. A key pressed before the question was on the screen answers nothing.

use crate::{
    Field, Found, Intent, Model, Press, Role, Width, Wish, layout,
    message::SETTLE,
    model::{Leaving, Overlay},
    update::{editing, toast},
};
use cuelight_base::Timestamp;

/// Leaves, or asks how.
pub(crate) fn ask(model: &mut Model, wishes: &mut Vec<Wish>) {
    let is_open = model.board.open_runs().next().is_some();
    if model.seat.place == "local" && is_open {
        model.overlay = Some(Overlay::Leaving(Leaving::default()));
    } else {
        wishes.push(Wish::Quit);
    }
}

/// Asks at once for the words that stop the engine.
pub(crate) fn shut_down(model: &mut Model) {
    if model.seat.read_only {
        return toast(model, "could not stop the engine: this seat is read-only", Role::Warn);
    }
    if model.seat.is_far {
        let why = "could not stop that engine from here: `cuelight engine shutdown` there does";
        return toast(model, why, Role::Warn);
    }
    model.overlay = Some(Overlay::Leaving(Leaving { stop: Some(Field::default()), counts_from: None }));
}

/// Returns true if a key counts. Back always counts. Any other key counts only if the question has been
/// visible for a while, and never if the key is held.
pub(crate) fn hears(model: &mut Model, press: Press, repeat: bool, at: Timestamp) -> bool {
    let goes_back = model.keys.find(model.scope(), &[press]) == Found::Intents(vec![Intent::Escape]);
    let fits = layout::frame(model.size).width != Width::TooSmall;
    let Some(Overlay::Leaving(leaving)) = &mut model.overlay else { return true };
    if goes_back {
        return true;
    }
    let settled = leaving.counts_from.is_some_and(|from| at.since(from) >= SETTLE);
    if !settled && leaving.counts_from.is_some() {
        leaving.counts_from = Some(at);
    }
    settled && fits && !repeat
}

pub(crate) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    let words = model.seat.stop_words();
    let Some(Overlay::Leaving(leaving)) = &mut model.overlay else { return };
    match (intent, &leaving.stop) {
        (Intent::Escape | Intent::No, None) => model.overlay = None,
        // One step back: to the question.
        (Intent::Escape | Intent::No, Some(_)) => *leaving = Leaving::default(),
        (Intent::Detach, None) => wishes.push(Wish::Quit),
        (Intent::Stop, None) if model.seat.read_only => {
            toast(model, "could not stop the engine: this seat is read-only", Role::Warn);
        }
        (Intent::Stop, None) => *leaving = Leaving { stop: Some(Field::default()), counts_from: None },
        (Intent::Submit, Some(typed)) if typed.text().trim() == words => wishes.push(Wish::Stop),
        (_, Some(_)) => {
            editing::edit(model, intent);
        }
        (_, None) => {}
    }
}
