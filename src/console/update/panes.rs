//! Keys for the size of panes: big, normal, small, and the whole screen for the one that has the keys.

use super::toast;
use crate::{Intent, Model, Role};

pub(super) fn act(model: &mut Model, intent: Intent) {
    let key = model.keys.keys_of(model.view.scope(), intent).unwrap_or_default();
    let panes = model.places.panes.entry(model.view).or_default();
    if intent == Intent::WholePane {
        panes.whole = !panes.whole;
    } else if panes.whole {
        // A pane that has all is given less first.
        panes.whole = false;
    } else {
        panes.share = panes.share.next();
    }
    let text = if panes.whole {
        format!("without borders; {key} gives the others their place back").replace("  ", " ")
    } else {
        format!("this pane is {}", panes.share.word())
    };
    toast(model, &text, Role::Info);
}
