//! The line in which a search or a filter is typed. A filter shows what it leaves while it is
//! typed; Esc leaves what stood before.

use super::{editing, toast};
use crate::{
    Intent, Model, Role, View, Wish, graph,
    model::{Prompt, PromptKind},
    runs,
    searches::problem,
};

pub(super) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    let Some(prompt) = model.prompt.clone() else { return };
    match intent {
        Intent::Submit => {
            if let Some(why) = problem(model, &prompt) {
                let text = format!("could not look for {}: {why}", prompt.field.text().trim());
                return toast(model, &text, Role::Warn);
            }
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
        PromptKind::Filter if model.view == View::Logs => crate::logs::update::set_filter(model, &text),
        PromptKind::Filter if model.view == View::Errors => model.workspace.errors.filter = text,
        PromptKind::Filter if model.view == View::Audit => crate::audit::update::set_filter(model, &text),
        PromptKind::Filter => model.runs.filter = text,
        PromptKind::Find if model.past.travel.is_some() => crate::travel::update::find(model, &text),
        PromptKind::Find => {
            if model.view == View::Errors {
                model.workspace.errors.find.clone_from(&text);
            }
            model.runs.find = text;
            match model.view {
                View::Runs => runs::update::find(model, true),
                View::Dag => graph::update::find(model),
                View::Gates => {}
                View::Logs => crate::logs::update::find(model),
                View::Errors => crate::errors::update::find(model, true),
                View::Time => crate::time::update::find(model, true),
                View::Audit => crate::audit::update::find(model, true),
                View::Health | View::Agents | View::Tools => {}
            }
        }
        PromptKind::Compare => crate::travel::compare::ask(model, &text),
        PromptKind::Remark => crate::gates::deciding::remark(model, &text, wishes),
    }
}
