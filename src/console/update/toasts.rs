//! The time of the screen, and what is said for a few seconds of it.

use crate::{Model, Role, model::Toast};
use cuelight_base::{Span, Timestamp};

/// Time that a toast stays on the screen.
const TOAST: Span = Span(6_000);

/// The same for the line that says what to press first.
const HINT: Span = Span(30_000);

/// Says something for a few seconds.
pub(crate) fn toast(model: &mut Model, text: &str, role: Role) {
    const TOASTS_MAX: usize = 3;
    model.notices.toasts.retain(|toast| toast.text != text);
    if model.notices.toasts.len() == TOASTS_MAX {
        model.notices.toasts.remove(0);
    }
    let until = model.clock + TOAST;
    model.notices.toasts.push(Toast { text: cuelight_base::safe_text(text), role, until, is_hint: false });
}

/// Says what to press first, long enough to be read and tried.
pub(crate) fn hint(model: &mut Model, text: &str) {
    toast(model, text, Role::Info);
    if let Some(toast) = model.notices.toasts.last_mut() {
        (toast.until, toast.is_hint) = (model.clock + HINT, true);
    }
}

/// Moves the time on. The shown instant moves with it, unless the past is shown.
pub(super) fn clock(model: &mut Model, now: Timestamp) {
    model.clock = model.clock.max(now);
    if model.past.travel.is_none() {
        model.now = model.now.max(now);
    }
}
