//! A dialog: the one way in which anything is asked of the engine that cannot be taken back. Its rules hold for every
//! level: opened by the operator alone, answer keys count only once it has been on the screen for a while, a held key and
//! a paste never decide, Enter alone never does. A letter is text exactly while a field has the keys, which is seen by
//! its cursor: a dialog that wants a text begins in that field, any other on Back.
//!
//! The command, and its words, are given by the caller that opens it; drawing is left to `draw`.

use crate::{Field, Level, Role, message::SETTLE};
use cuelight_base::{GateId, RunId, Span, StepIx, Timestamp, Value, ValueMap, json_if_any};
use cuelight_engine::{Command, Correction, DoubtAnswer, FormField, RetryFrom, check_form};

/// One thing that is to be confirmed.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialog {
    /// `Cancel r-7 deploy?`
    pub title: String,
    /// The word on the button.
    pub verb: String,
    /// Known facts: name and text.
    pub facts: Vec<DialogFact>,
    /// The level of confirmation that the command needs.
    pub level: Level,
    /// The proof that has to be typed.
    pub proof: Proof,
    /// Fields to be filled in.
    pub fields: Vec<DialogField>,
    /// The part of the dialog that takes the keys.
    pub focus: Focus,
    /// The command to confirm; a field named `reason` becomes its reason.
    pub command: Box<Command>,
    /// Commands confirmed together with it, each recorded on its own.
    pub others: Vec<Command>,
    /// The subject of the dialog: the dialog closes when it changes.
    pub about: About,
    /// The state of the subject when the dialog opened; None before the first look.
    pub stood: Option<String>,
    /// The question about what would happen, and the answer in words.
    pub preview: Preview,
    /// The command that was previewed, if it differs from the command that the dialog opened with.
    pub previewed: Option<Box<Command>>,
    /// When its first frame was drawn, or the last key was swallowed after that.
    pub counts_from: Option<Timestamp>,
}

/// One line of what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogFact {
    /// `run`, `on`, `will stop` …
    pub name: String,
    /// The text; from outside, so it is shown with care.
    pub text: String,
    /// The role that colours the text.
    pub role: Role,
    /// True if the first rows of the fact stay on the screen, however small the screen is.
    pub stays: bool,
}

/// A fact that stays on the screen where there is room for it.
pub(crate) fn fact(name: &str, text: impl Into<String>, role: Role) -> DialogFact {
    DialogFact { name: name.to_owned(), text: text.into(), role, stays: false }
}

/// The proof of intent that a dialog demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The key for yes.
    Key,
    /// Exactly this text, then Enter.
    Typed {
        /// The instruction, as in `type the id r-7`.
        ask: String,
        /// The expected text. It is drawn only if `ask` contains it.
        wanted: String,
        /// The text typed so far.
        field: Field,
    },
}

/// A text that goes with the command.
#[derive(Clone, Debug, PartialEq)]
pub struct DialogField {
    /// The name of the field: `reason`, `comment` …
    pub name: String,
    /// The text typed so far.
    pub field: Field,
    /// True if the field must not be empty.
    pub required: bool,
    /// So many characters at least.
    pub least: usize,
    /// The permitted words; any text is permitted if empty.
    pub among: Vec<String>,
    /// The parameter of a gate that it fills in.
    pub parameter: Option<Box<FormField>>,
}

impl DialogField {
    /// Makes an empty field of this name.
    pub fn new(name: &str, required: bool) -> Self {
        Self {
            name: name.to_owned(),
            field: Field::default(),
            required,
            least: 0,
            among: Vec::new(),
            parameter: None,
        }
    }

    /// A parameter of a gate, with the value that it has.
    pub(crate) fn of_form(field: &FormField) -> Self {
        let parameter = Some(Box::new(field.clone()));
        Self { field: Field::of(&typed(&field.value)), parameter, ..Self::new(&field.name, field.required) }
    }

    /// The value that was typed for a parameter.
    fn value(&self) -> Value {
        match self.field.text().trim() {
            "" => Value::Null,
            text => Value::String(text.to_owned()),
        }
    }

    /// The fields for running a run again: the step to start from, and corrections of inputs or file.
    pub(super) fn of_again(command: &Command) -> Vec<Self> {
        let corrected = || ["inputs", "file"].map(|name| Self::new(name, false));
        match command {
            Command::Retry { from, .. } => {
                let among = RetryFrom::ALL.iter().map(|retry_from| retry_from.word().to_owned()).collect();
                let from = Self { field: Field::of(from.word()), among, ..Self::new("from", false) };
                [from].into_iter().chain(corrected()).collect()
            }
            Command::Fork { .. } => corrected().into(),
            _ => Vec::new(),
        }
    }

    /// The problem with the typed text; None if it is valid.
    fn problem(&self) -> Option<String> {
        let text = self.field.text().trim();
        let (said, name) = (text.chars().count(), &self.name);
        if self.required && said == 0 {
            return Some(format!("{name} is missing"));
        }
        if said < self.least {
            return Some(format!("{name} has {said} characters, {} are wanted", self.least));
        }
        if let Some(parameter) = &self.parameter {
            let given = ValueMap::from_iter([(parameter.name.clone(), self.value())]);
            return check_form(std::slice::from_ref(&**parameter), &given).err();
        }
        if !self.among.is_empty() && said > 0 && self.among.iter().all(|other| other != text) {
            return Some(format!("{name} is one of {}", self.among.join(", ")));
        }
        if name == "for" && said > 0 && text.parse::<Span>().is_err() {
            return Some("for is a time, as 4h or 30m".to_owned());
        }
        None
    }
}

/// The part of a dialog that takes the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// The way out; the first of all.
    Back,
    /// A field, by its index.
    Field(usize),
    /// The proof that has to be typed.
    Proof,
    /// The button that does it.
    Do,
}

/// The subject of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A run as a whole.
    Run(RunId),
    /// A gate, open or closed.
    Gate(GateId),
    /// A step that waits for an answer.
    Step(RunId, StepIx),
    /// All gates that are marked.
    MarkedGates,
    /// All runs that are marked.
    Marked,
    /// Nothing that could change.
    Nothing,
}

/// The effect of a command, before it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// It was asked for under this number.
    Asked(u64),
    /// The effect in words, one line each.
    Known(Vec<String>),
    /// It would be refused.
    Refused(String),
}

/// The effect of a key on the dialog.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Step {
    /// The dialog stays open.
    Stays,
    /// It closes, and nothing happens.
    Closes,
    /// It closes, and these are asked for.
    Does(Vec<Command>),
}

/// An answer to a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The key for yes.
    Yes,
    /// The Enter key, outside of text.
    Enter,
    /// The next thing that takes keys.
    Next,
    /// The previous part that takes keys.
    Previous,
}

impl Dialog {
    /// One that a key says yes to, with no fields, about nothing that could change meanwhile. Its title and its verb are
    /// for the caller that opens it.
    pub(crate) fn of(command: Command, preview: Preview) -> Self {
        Self {
            title: String::new(),
            verb: String::new(),
            facts: Vec::new(),
            level: Level::L2,
            proof: Proof::Key,
            fields: Vec::new(),
            focus: Focus::Back,
            command: Box::new(command),
            others: Vec::new(),
            about: About::Nothing,
            stood: None,
            preview,
            previewed: None,
            counts_from: None,
        }
    }

    /// Returns true if a key at this instant counts. A key that comes too early restarts the wait.
    pub fn hears(&mut self, at: Timestamp) -> bool {
        match self.counts_from {
            Some(from) if at.since(from) >= SETTLE => true,
            Some(_) => {
                self.counts_from = Some(at);
                false
            }
            None => false,
        }
    }

    /// A frame that shows it has been drawn.
    pub fn drawn(&mut self, at: Timestamp) {
        self.counts_from.get_or_insert(at);
    }

    /// The field that has the keys.
    pub fn field_mut(&mut self) -> Option<&mut Field> {
        match self.focus {
            Focus::Field(index) => self.fields.get_mut(index).map(|field| &mut field.field),
            Focus::Proof => match &mut self.proof {
                Proof::Typed { field, .. } => Some(field),
                Proof::Key => None,
            },
            Focus::Back | Focus::Do => None,
        }
    }

    /// The part that has the keys when the dialog opens: the first field that is required and not filled in, else the
    /// proof to type. Where a single key says yes it is Back, and an optional field waits for Tab.
    pub(super) fn first_focus(&self) -> Focus {
        let is_open = |field: &DialogField| field.required && field.problem().is_some();
        let field = self.fields.iter().position(is_open).map(Focus::Field);
        field.unwrap_or(if self.proof == Proof::Key { Focus::Back } else { Focus::Proof })
    }

    /// True if letters go into a field.
    pub fn wants_text(&self) -> bool {
        matches!(self.focus, Focus::Field(_) | Focus::Proof)
    }

    /// The answer to a key that was to do it and did not: what is missing, or which key does it.
    pub(super) fn unanswered(&self, reaction: Reaction) -> Option<String> {
        match (reaction, self.focus) {
            (Reaction::Next | Reaction::Previous, _) | (Reaction::Enter, Focus::Field(_)) => None,
            _ => Some(self.missing().unwrap_or_else(|| match self.proof {
                Proof::Key => "y does it; Enter alone never does".to_owned(),
                Proof::Typed { .. } => "Enter does it".to_owned(),
            })),
        }
    }

    /// The reason why the command cannot be given yet: it would be refused, or a field is missing or invalid.
    pub fn missing(&self) -> Option<String> {
        if let Preview::Refused(why) = &self.preview {
            return Some(why.clone());
        }
        if let Some(problem) = self.fields.iter().find_map(DialogField::problem) {
            return Some(problem);
        }
        if let Some(problem) = self.fields.iter().find_map(|field| outputs_of(field).err()) {
            return Some(problem);
        }
        if let Some(problem) = self.fields.iter().find_map(|field| inputs_of(field).err()) {
            return Some(problem);
        }
        let parameters = || self.fields.iter().filter_map(|field| Some((field, field.parameter.as_ref()?)));
        let is_edit = matches!(&*self.command, Command::EditForm { .. });
        if is_edit && parameters().all(|(field, parameter)| field.field.text() == typed(&parameter.value)) {
            return Some("nothing is changed".to_owned());
        }
        match &self.proof {
            Proof::Typed { wanted, field, ask } if !field.text().trim().eq_ignore_ascii_case(wanted) => {
                Some(ask.clone())
            }
            Proof::Typed { .. } | Proof::Key => None,
        }
    }

    /// True for a key that gives the command, where nothing is missing.
    pub(crate) fn gives(&self, reaction: Reaction) -> bool {
        match (reaction, self.focus) {
            (Reaction::Yes, Focus::Back | Focus::Do) => self.proof == Proof::Key,
            (Reaction::Enter, Focus::Proof | Focus::Do) => self.proof != Proof::Key,
            _ => false,
        }
    }

    /// Applies an accepted key to the dialog.
    pub fn react(&mut self, reaction: Reaction) -> Step {
        match (reaction, self.focus) {
            (Reaction::Next, _) | (Reaction::Enter, Focus::Field(_)) => self.turn(1),
            (Reaction::Previous, _) => self.turn(self.stops().len() - 1),
            (Reaction::Enter, Focus::Back) => return Step::Closes,
            (reaction, _) if self.gives(reaction) => return self.finish(),
            (Reaction::Yes | Reaction::Enter, _) => {}
        }
        Step::Stays
    }

    /// The command to preview again because the typed text has changed it; None while a preview is under way.
    pub(super) fn to_preview(&self) -> Option<Command> {
        let asks = matches!(self.preview, Preview::Asked(_));
        let typed = self.fields.iter().all(|field| field.problem().is_none() && inputs_of(field).is_ok());
        let mut command = self.command.clone();
        set_again(&mut command, &self.fields);
        let known = self.previewed.as_ref().unwrap_or(&self.command);
        (!asks && typed && command != *known).then_some(*command)
    }

    fn finish(&self) -> Step {
        if self.missing().is_some() {
            return Step::Stays;
        }
        let (mut command, mut others) = (self.command.clone(), self.others.clone());
        set_again(&mut command, &self.fields);
        for field in &self.fields {
            let text = field.field.text().trim();
            if field.parameter.is_none() && (field.name == "reason" || field.name == "comment") {
                set_reason(&mut command, text);
                others.iter_mut().for_each(|other| set_reason(other, text));
            }
            if let Command::Delegate { to, lasts, .. } = &mut *command {
                match field.name.as_str() {
                    "to" => text.clone_into(to),
                    "for" => *lasts = text.parse().ok(),
                    _ => {}
                }
            }
            if let Command::AnswerDoubt { answer: DoubtAnswer::Happened(outputs), .. } = &mut *command
                && let Ok(Some(given)) = outputs_of(field)
            {
                *outputs = given;
            }
        }
        others.insert(0, *command);
        Step::Does(others)
    }

    /// Everything that can have the keys, in the order of Tab.
    fn stops(&self) -> Vec<Focus> {
        let fields = (0..self.fields.len()).map(Focus::Field);
        let proof = (self.proof != Proof::Key).then_some(Focus::Proof);
        [Focus::Back].into_iter().chain(fields).chain(proof).chain([Focus::Do]).collect()
    }

    fn turn(&mut self, by: usize) {
        let stops = self.stops();
        let now = stops.iter().position(|focus| *focus == self.focus).unwrap_or(0);
        self.focus = stops[(now + by) % stops.len()];
    }
}

/// The values typed into the field `outputs`; None for another field or an empty one.
fn outputs_of(field: &DialogField) -> Result<Option<ValueMap>, String> {
    let text = field.field.text().trim();
    if field.name != "outputs" || text.is_empty() {
        return Ok(None);
    }
    object_of(text, || "outputs are a JSON object, as {\"id\": 7}".to_owned()).map(Some)
}

/// A JSON object that was typed.
fn object_of(text: &str, wrong: impl Fn() -> String) -> Result<ValueMap, String> {
    match json_if_any(text)? {
        Some(Value::Object(map)) => Ok(map),
        _ => Err(wrong()),
    }
}

/// The inputs that were typed, where this is the field for them: `key=value` with blanks between, or a JSON object.
fn inputs_of(field: &DialogField) -> Result<Vec<(String, String)>, String> {
    let text = field.field.text().trim();
    if field.name != "inputs" || text.is_empty() {
        return Ok(Vec::new());
    }
    let wrong =
        || "inputs are key=value key=value, or a JSON object, as {\"note\": \"two words\"}".to_owned();
    if text.starts_with('{') {
        let read = object_of(text, wrong)?;
        return Ok(read.iter().map(|(name, value)| (name.clone(), plain(value))).collect());
    }
    let words = text.split_whitespace().map(|word| word.split_once('=').filter(|(key, _)| !key.is_empty()));
    let pair = |pair: Option<(&str, &str)>| pair.map(|(key, value)| (key.to_owned(), value.to_owned()));
    words.map(|word| pair(word).ok_or_else(wrong)).collect()
}

/// Gives a command that does a run again what was typed: what is kept, and what is corrected.
fn set_again(command: &mut Command, fields: &[DialogField]) {
    let text = |name: &str| {
        let field = fields.iter().find(|field| field.name == name);
        field.map_or("", |field| field.field.text().trim())
    };
    let words = || fields.iter().filter_map(|field| inputs_of(field).ok()).flatten().collect::<Vec<_>>();
    match command {
        Command::Retry { from, corrected, .. } if !fields.is_empty() => {
            let word = text("from");
            *from =
                RetryFrom::ALL.iter().copied().find(|retry_from| retry_from.word() == word).unwrap_or(*from);
            *corrected = correction(text("file"), words());
        }
        Command::Fork { corrected, .. } => *corrected = correction(text("file"), words()),
        Command::Decide(_) | Command::EditForm { .. } => set_form(command, fields),
        _ => {}
    }
}

/// A parameter as it is typed; an empty field stands for none.
fn typed(value: &Value) -> String {
    if value.is_null() { String::new() } else { plain(value) }
}

/// A value as it is typed.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Gives an approval, or an edit, the values of the form. A field that is shown and stays empty is left so on purpose.
pub(crate) fn set_form(command: &mut Command, fields: &[DialogField]) {
    let given = |field: &DialogField| {
        let parameter = field.parameter.as_ref()?;
        let given = ValueMap::from_iter([(parameter.name.clone(), field.value())]);
        let typed = check_form(std::slice::from_ref(&**parameter), &given);
        Some((parameter.name.clone(), typed.ok()?.remove(&parameter.name)?))
    };
    let values: ValueMap = fields.iter().filter_map(given).collect();
    match command {
        Command::Decide(decision) => decision.form = values,
        Command::EditForm { values: kept, .. } => *kept = values,
        _ => {}
    }
}

fn correction(file: &str, words: Vec<(String, String)>) -> Option<Box<Correction>> {
    let file = (!file.is_empty()).then(|| file.to_owned());
    (file.is_some() || !words.is_empty()).then(|| Box::new(Correction { file, words, plan: None }))
}

/// Gives a command its reason, where it has one.
pub(crate) fn set_reason(command: &mut Command, text: &str) {
    match command {
        Command::Cancel { reason, .. }
        | Command::EditForm { reason, .. }
        | Command::AnswerDoubt { reason, .. }
        | Command::Skip { reason, .. }
        | Command::Done { reason, .. }
        | Command::Undo { reason, .. }
        | Command::Delegate { reason, .. }
        | Command::ReviewGlass { reason, .. }
        | Command::SettleUndo { reason, .. }
        | Command::HoldSchedule { reason, .. }
        | Command::Reset { reason, .. }
        | Command::RevokeToken { reason, .. }
        | Command::NoteFailure { reason, .. } => text.clone_into(reason),
        Command::Decide(decision) => text.clone_into(&mut decision.reason),
        Command::Comment { text: said, .. } => text.clone_into(said),
        Command::Launch(_)
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Withdraw { .. }
        | Command::Retry { .. }
        | Command::Fork { .. }
        | Command::ReleaseSchedule { .. }
        | Command::SetValue { .. }
        | Command::ClearCache { .. }
        | Command::Publish { .. }
        | Command::HandIn { .. }
        | Command::Learn { .. }
        | Command::Agent { .. }
        | Command::DeclareTopics { .. }
        | Command::DeclarePeople { .. }
        | Command::NoteRejected { .. }
        | Command::AttemptEnded { .. }
        | Command::AttemptLost { .. }
        | Command::FactsFetched { .. }
        | Command::Wake
        | Command::Stalled
        | Command::Recover { .. }
        | Command::NoteRefusal { .. } => {}
    }
}
