//! `w`: why something does not go on, as the chain of causes that the board knows.

use crate::{
    Model, Role,
    model::{Overlay, Sheetlet},
};
use cuelight_base::safe_text;
use cuelight_engine::StepState;
use cuelight_projection::{RunView, why};

/// Opens the chain of causes of the step under the cursor; of a run, of what holds it up.
pub(super) fn show(model: &mut Model) {
    let Some(run) = model.run().and_then(|run| model.board.run(run)).cloned() else {
        super::toast(model, "could not say why: nothing is selected that is still known whole", Role::Warn);
        return;
    };
    let steps = match model.step() {
        Some(step) => vec![step],
        None => held_up(&run),
    };
    let mut lines: Vec<(String, Role)> = Vec::new();
    for step in steps {
        for line in why(&model.board, &run, step, model.now) {
            let indent = "  ".repeat(usize::try_from(line.depth).unwrap_or(0).min(20));
            let lead = if line.depth == 0 { "" } else { model.look.glyphs.pick("└ ", "` ") };
            let role = match (line.gate, line.depth) {
                (Some(_), _) => Role::Gate,
                (None, 0) => Role::Text,
                (None, _) => Role::Info,
            };
            lines.push((format!("{indent}{lead}{}", safe_text(&line.text)), role));
        }
    }
    if lines.is_empty() {
        lines.push((format!("{} is {}; nothing holds it up", run.id(), run.summary.state), Role::Text));
    }
    let title = match model.step() {
        Some(step) => format!("why · {}", run.step_id(step)),
        None => format!("why · {} {}", run.id(), safe_text(&run.summary.workflow)),
    };
    model.overlay = Some(Overlay::Text(Sheetlet { title, lines, top: 0 }));
}

/// Steps of a run that wait, or are next.
fn held_up(run: &RunView) -> Vec<cuelight_base::StepIx> {
    const STEPS_MAX: usize = 3;
    let of = |wanted: &[StepState]| -> Vec<cuelight_base::StepIx> {
        let steps = run.steps().filter(|(_, _, view)| view.inside.is_none() && wanted.contains(&view.state));
        steps.map(|(index, _, _)| index).take(STEPS_MAX).collect()
    };
    let waiting = of(&[StepState::Waiting, StepState::InDoubt, StepState::Ready]);
    if waiting.is_empty() {
        of(&[StepState::Pending, StepState::Failed, StepState::Rejected])
    } else {
        waiting
    }
}
