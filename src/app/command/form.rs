//! The form of a gate at the command line: values from flags, questions at a terminal, and for a script the flags that are missing.

use crate::{args::key_value, exit::Trouble, output::say};
use clap::Args;
use cuelight_base::{Value, ValueMap, safe_text};
use cuelight_engine::{FormField, check_form, unanswered};
use cuelight_expression::to_text;
use cuelight_projection::GateView;
use std::io;

/// Confirmation of an answer at a gate.
#[derive(Debug, Args)]
pub(super) struct ConfirmArgs {
    /// The ask of a gate that was read: the name at its end, or its `ask_hash`; any other ask is not answered
    #[arg(long, value_name = "NAME")]
    pub(super) ask: Option<String>,
    /// Fill in a field of the gate's form; a terminal asks for the fields that are left out
    #[arg(long = "set", short_alias = 'i', value_name = "FIELD=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
    /// Leave a field of the gate's form empty on purpose
    #[arg(long, value_name = "FIELD")]
    pub(super) leave: Vec<String>,
}

/// The answer at a terminal that leaves an optional field empty, although it has a value.
const EMPTY: &str = "-";

/// Returns the values that the flags give, each as its field has it.
///
/// # Errors
/// When a field is named twice or is unknown, or when a value does not fit its field.
pub(super) fn from_flags(view: &GateView, args: &ConfirmArgs) -> Result<ValueMap, Trouble> {
    let set = args.set.iter().map(|(name, text)| (name, Value::String(text.clone())));
    let left = args.leave.iter().map(|name| (name, Value::Null));
    let mut given = ValueMap::new();
    for (name, value) in set.chain(left) {
        if given.insert(name.clone(), value).is_some() {
            return Err(could_not(view, &format!("`{}` is given twice; give it once", safe_text(name))));
        }
    }
    let known: Vec<FormField> =
        view.ask.form.iter().filter(|field| given.contains_key(&field.name)).cloned().collect();
    // An unknown name is told beside all that are known.
    let fields = if known.len() == given.len() { &known } else { &view.ask.form };
    check_form(fields, &given).map_err(|why| could_not(view, &why))
}

/// Names every field that has no value yet, with the flags that give it one.
///
/// # Errors
/// When there is such a field.
pub(super) fn require_all(view: &GateView, given: &ValueMap) -> Result<(), Trouble> {
    let missing = unanswered(&view.ask, given);
    if missing.is_empty() {
        return Ok(());
    }
    let line = |field: &&FormField| {
        let leave = if field.required { String::new() } else { format!(" or --leave {}", field.name) };
        format!("\n  {} ({}): --set {}=VALUE{leave}", field.name, field.rule(), field.name)
    };
    let lines: String = missing.iter().map(line).collect();
    Err(could_not(view, &format!("these fields have no value; answer at a terminal, or give them:{lines}")))
}

/// Asks at the terminal for every field that the flags leave open, and returns all values. Each answer is checked as it is typed.
///
/// # Errors
/// When the terminal closes: nothing is answered then.
pub(super) fn from_terminal(view: &GateView, mut given: ValueMap) -> Result<ValueMap, Trouble> {
    let open: Vec<&FormField> =
        view.ask.form.iter().filter(|field| !given.contains_key(&field.name)).collect();
    if !open.is_empty() {
        say(&format!(
            "Fill in the form of {}. Enter takes the value that is shown; Ctrl-C answers nothing.",
            view.id
        ));
    }
    for field in open {
        let value = loop {
            say(&question(field));
            match answer(view, field)? {
                Ok(value) => break value,
                Err(why) => say(&format!("could not take that: {why}")),
            }
        };
        given.insert(field.name.clone(), value);
    }
    Ok(given)
}

/// Shows the values that an answer carries.
pub(super) fn lines(form: &ValueMap) -> Vec<String> {
    let text = |value: &Value| if value.is_null() { "empty".to_owned() } else { safe_text(&to_text(value)) };
    form.iter().map(|(name, value)| format!("form       {} = {}", safe_text(name), text(value))).collect()
}

fn question(field: &FormField) -> String {
    let mut text = format!("\n{}  ({})", field.name, field.rule());
    if let Some(about) = &field.description {
        text.push_str(&format!("\n  {about}"));
    }
    text.push_str("\n  Enter: ");
    match (&field.value, field.required) {
        (Value::Null, true) => text.push_str("asks again"),
        (Value::Null, false) => text.push_str("leaves it empty"),
        (value, true) => text.push_str(&to_text(value)),
        (value, false) => text.push_str(&format!("{}   {EMPTY}: leaves it empty", to_text(value))),
    }
    text
}

/// The value of one line, or the reason why it does not fit.
fn answer(view: &GateView, field: &FormField) -> Result<Result<Value, String>, Trouble> {
    let mut typed = String::new();
    let read = io::stdin().read_line(&mut typed);
    if read.map_err(|why| could_not(view, &format!("nothing could be read: {why}")))? == 0 {
        return Err(could_not(view, "the terminal has closed; nothing was answered"));
    }
    let value = match typed.trim() {
        "" => field.value.clone(),
        EMPTY if !field.required => Value::Null,
        text => Value::String(text.to_owned()),
    };
    let given = ValueMap::from_iter([(field.name.clone(), value)]);
    let mut checked = check_form(std::slice::from_ref(field), &given);
    Ok(checked
        .as_mut()
        .map(|checked| checked.remove(&field.name).unwrap_or_default())
        .map_err(|why| why.clone()))
}

fn could_not(view: &GateView, why: &str) -> Trouble {
    Trouble::usage(format!("could not fill in the form of {}: {why}", view.id))
}
