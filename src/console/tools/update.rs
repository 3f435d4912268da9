//! Tools: the cursor in the list of what has run.

use crate::{
    Intent, Model, Wish, layout,
    update::{moving, places},
};

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, _wishes: &mut Vec<Wish>) {
    let len = model.board.vitals().tools().count();
    let page = usize::from(layout::tools(model).rows.height);
    if let Some(to) = moving::moved(intent, model.workspace.tools.selected, len, page, count) {
        model.workspace.tools.selected = to;
    } else if intent == Intent::Escape {
        places::backward(model);
    }
}
