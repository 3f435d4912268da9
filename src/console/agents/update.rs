//! Agents: which are described is read when the view is opened and while it is looked at; the cursor in the list; the way to what one
//! works on.

use crate::{
    Intent, Lookup, Model, Role, Sheet, View, Wish, layout,
    model::Asker,
    update::{moving, places, toast},
};
use cuelight_base::Span;
use cuelight_projection::AgentsAbout;

/// So long the files are believed to be as they were read.
const FRESH: Span = Span(5_000);

/// Asks for the files, one question at a time.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    let is_old = model.workspace.agents.read_at.is_none_or(|read_at| model.clock.since(read_at) >= FRESH);
    if model.view != View::Agents || model.workspace.agents.asked.is_some() || !is_old {
        return;
    }
    model.workspace.agents.asked = Some(model.requests.read(Asker::Agents, Lookup::Agents, wishes));
    model.workspace.agents.read_at = Some(model.clock);
}

/// Takes what the files describe.
pub(crate) fn read(model: &mut Model, sheet: Sheet) {
    model.workspace.agents.asked = None;
    model.workspace.agents.known = match sheet {
        Sheet::Agents(known) => *known,
        Sheet::Missing(why) => {
            AgentsAbout { agents: Vec::new(), problems: vec![(".cuelight/agents".to_owned(), why)] }
        }
        _ => return,
    };
    let last = rows(model).saturating_sub(1);
    model.workspace.agents.selected = model.workspace.agents.selected.min(last);
}

fn rows(model: &Model) -> usize {
    model.board.agents(&model.workspace.agents.known).len()
}

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, _wishes: &mut Vec<Wish>) {
    let page = usize::from(layout::tools(model).rows.height);
    if let Some(to) = moving::moved(intent, model.workspace.agents.selected, rows(model), page, count) {
        model.workspace.agents.selected = to;
        return;
    }
    match intent {
        Intent::Escape => places::backward(model),
        Intent::Open => {
            let all = model.board.agents(&model.workspace.agents.known);
            let step =
                all.get(model.workspace.agents.selected).and_then(|agent| agent.steps.first().copied());
            match step {
                Some((run, step)) => {
                    model.dag.run = Some(run);
                    model.dag.view.selected = Some(step.0);
                    (model.dag.follow, model.runs.selected) = (false, Some(run));
                    places::go(model, View::Dag);
                }
                None => toast(model, "it works on nothing now", Role::Info),
            }
        }
        _ => {}
    }
}
