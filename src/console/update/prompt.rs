//! The line in which a search, a filter or a workflow to be started is typed. A filter shows what it leaves while it is
//! typed; Esc leaves what stood before.

use super::{asking, editing, runs, steps};
use crate::console::{
    Intent, Model, View, Wish,
    model::{Prompt, PromptKind},
};

pub(super) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    let Some(prompt) = model.prompt.clone() else { return };
    match intent {
        Intent::Submit => {
            model.prompt = None;
            submit(model, &prompt, wishes);
        }
        Intent::Escape => model.prompt = None,
        _ => {
            editing::edit(model, intent);
        }
    }
}

fn submit(model: &mut Model, prompt: &Prompt, wishes: &mut Vec<Wish>) {
    let text = prompt.field.text().trim().to_owned();
    match prompt.kind {
        PromptKind::Filter if model.view == View::Logs => super::logs::set_filter(model, &text),
        PromptKind::Filter => model.runs.filter = text,
        PromptKind::Find => {
            model.runs.find = text;
            match model.view {
                View::Runs => runs::find(model, true),
                View::Dag => steps::find(model, true),
                View::Gates => {}
                View::Logs => super::logs::find(model),
            }
        }
        PromptKind::Remark => super::deciding::remark(model, &text, wishes),
        PromptKind::Launch => asking::launch(model, &text, wishes),
    }
}
