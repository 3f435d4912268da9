//! The form in which a workflow is started: its file and its inputs. The owner of the workspace checks the
//! typed text, by the same rules as at the start.

use crate::{
    Field, Intent, Lookup, Model, Offered, Role, Sheet, Wish,
    model::{Asker, LaunchForm, LaunchInput, Overlay},
    update::{editing, moving, requests, toast},
};

/// Opens the form; Tab offers the workflow of the run under the cursor first.
pub(crate) fn open(model: &mut Model) {
    open_with(model, "");
}

/// The same with a file that was named already.
pub(crate) fn open_with(model: &mut Model, path: &str) {
    let suggested = model.run().and_then(|run| model.board.run(run)).map(|run| run.plan.file.clone());
    let files = suggested.iter().cloned().collect();
    let path = Field::of(path);
    let form = LaunchForm { path, suggested, files, ..LaunchForm::default() };
    model.overlay = Some(Overlay::Launch(Box::new(form)));
}

/// Asks what can be started, and what is wrong with what is typed; one question at a time.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(Overlay::Launch(form)) = &mut model.overlay else { return };
    let path = form.path.text().trim().to_owned();
    let given = given(form);
    let wanted = (path, given);
    if form.asked.is_some() || form.asked_of.as_ref() == Some(&wanted) {
        return;
    }
    form.asked_of = Some(wanted.clone());
    let (path, words) = wanted;
    form.asked = Some(model.requests.read(Asker::Launch, Lookup::Workflow { path, words }, wishes));
}

/// The typed values by name of their input; an empty field is left to its default.
fn given(form: &LaunchForm) -> Vec<(String, String)> {
    let typed = form.inputs.iter().filter(|input| !input.field.text().is_empty());
    typed.map(|input| (input.offered.name.clone(), input.field.text().to_owned())).collect()
}

/// Takes the answer: files, inputs, problems. Typed text stays where its input still exists.
pub(crate) fn read(model: &mut Model, request: u64, sheet: Sheet) {
    let Some(Overlay::Launch(form)) = &mut model.overlay else { return };
    if form.asked.take_if(|asked| *asked == request).is_none() {
        return;
    }
    let offered = match sheet {
        Sheet::Workflow(offered) => offered,
        Sheet::Missing(why) => Offered { problems: vec![why], ..Offered::default() },
        Sheet::Bytes { .. }
        | Sheet::Events { .. }
        | Sheet::Records(_)
        | Sheet::Chain { .. }
        | Sheet::Agents(_) => return,
    };
    let mut before = std::mem::take(&mut form.inputs);
    form.inputs = offered
        .inputs
        .into_iter()
        .map(|offered| {
            let known = before.iter().position(|input| input.offered.name == offered.name);
            let field = known.map(|at| before.swap_remove(at).field).unwrap_or_default();
            LaunchInput { offered, field }
        })
        .collect();
    let others = offered.files.into_iter().filter(|file| Some(file) != form.suggested.as_ref());
    form.files = form.suggested.iter().cloned().chain(others).collect();
    form.name = offered.name;
    form.about = offered.about;
    form.problems = offered.problems;
    form.focus = form.focus.min(form.inputs.len() + 1);
}

/// A command of the table of text fields.
pub(crate) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    let Some(Overlay::Launch(form)) = &mut model.overlay else { return };
    let stops = form.inputs.len() + 2;
    match intent {
        Intent::Escape => model.overlay = None,
        Intent::Down => form.focus = (form.focus + 1) % stops,
        Intent::Up => form.focus = (form.focus + stops - 1) % stops,
        Intent::Complete => complete(form),
        Intent::PageDown | Intent::PageUp => {
            let last = stops - 1;
            form.focus = moving::moved(intent, form.focus, stops, 5, None).unwrap_or(last);
        }
        Intent::Submit if form.focus + 1 == stops => start(model, wishes),
        // A part of a name, or none, is completed before its inputs are asked for.
        Intent::Submit if form.focus == 0 && !form.names_file() && !form.files.is_empty() => complete(form),
        Intent::Submit => form.focus += 1,
        _ => {
            editing::edit(model, intent);
        }
    }
}

/// Tab: the next file that begins as is typed, the next allowed value, or the next field.
fn complete(form: &mut LaunchForm) {
    let next_of = |known: &[String], typed: &str| -> Option<String> {
        match known.iter().position(|file| file == typed) {
            Some(at) => known.get((at + 1) % known.len()).cloned(),
            None => known.iter().find(|file| file.contains(typed)).cloned(),
        }
    };
    match form.focus.checked_sub(1) {
        None => {
            if let Some(file) = next_of(&form.files, form.path.text()) {
                form.path = Field::of(&file);
                return;
            }
        }
        Some(at) => {
            if let Some(input) = form.inputs.get_mut(at)
                && let Some(value) = next_of(&input.offered.choices, input.field.text())
            {
                input.field = Field::of(&value);
                return;
            }
        }
    }
    form.focus = (form.focus + 1) % (form.inputs.len() + 2);
}

fn start(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(Overlay::Launch(form)) = &model.overlay else { return };
    let path = form.path.text().trim().to_owned();
    let problem = match form.problems.first() {
        _ if path.is_empty() => Some("no file is named; Tab shows those there are".to_owned()),
        Some(problem) => Some(problem.clone()),
        None if form.asked.is_some() => Some("it is being checked; a moment".to_owned()),
        None => None,
    };
    if let Some(problem) = problem {
        return toast(model, &format!("could not start: {problem}"), Role::Warn);
    }
    let words = given(form);
    if requests::launch(model, &path, words, wishes) {
        model.overlay = None;
    }
}
