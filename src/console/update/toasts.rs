//! The time of the screen, and what is said for a few seconds of it.

use crate::{Model, Role, model::Toast};
use cuelight_base::{Span, Timestamp};

/// Time that a toast stays on the screen.
const TOAST: Span = Span(6_000);

/// Says something for a few seconds.
pub(crate) fn toast(model: &mut Model, text: &str, role: Role) {
    const TOASTS_MAX: usize = 3;
    model.notices.toasts.retain(|toast| toast.text != text);
    if model.notices.toasts.len() == TOASTS_MAX {
        model.notices.toasts.remove(0);
    }
    let until = model.clock + TOAST;
    model.notices.toasts.push(Toast { text: cuelight_base::safe_text(text), role, until });
}

/// Moves the time on. The shown instant moves with it, unless the past is shown.
pub(super) fn clock(model: &mut Model, now: Timestamp) {
    model.clock = model.clock.max(now);
    if model.past.travel.is_none() {
        model.now = model.now.max(now);
    }
}
