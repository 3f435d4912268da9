//! Requests by key, palette or menu, through a dialog where the level wants one.

mod consequences;
mod dialogs;
mod opening;
mod workspace;

pub(crate) use consequences::consequences;
pub(crate) use dialogs::{answer, hears, previewed, refresh};
pub(crate) use opening::{cannot_be_undone, show};
pub(crate) use workspace::{fork, hold, reset};

use crate::{
    Intent, Level, Model, Role, Wish,
    actions::{command_for, could_not, refusal},
    gates, runs,
    update::{requests::submit, toasts::toast},
};
use opening::open;

/// A key for an action: at once when it can be taken back, else a dialog.
pub(crate) fn ask(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    if let Some(why) = model.locked() {
        toast(model, &format!("could not {}: {why}", intent.short()), Role::Warn);
        return;
    }
    if runs::bulk::concerns(model, intent) {
        return runs::bulk::ask(model, intent);
    }
    if intent == Intent::Skip && gates::update::shows_instead(model) {
        return toast(model, "a gate is approved by override: read it to its end, then S", Role::Info);
    }
    // A menu has asked already.
    if let Some(why) = refusal(model, intent) {
        return toast(model, &could_not(intent.short(), &why), Role::Warn);
    }
    let command = match command_for(model, intent) {
        Ok(command) => command,
        Err(why) => return toast(model, &could_not(intent.short(), &why), Role::Warn),
    };
    if intent.level() <= Level::L1 {
        submit(model, command, wishes);
    } else {
        open(model, intent, command, wishes);
    }
}
