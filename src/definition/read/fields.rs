//! Single values: each reader takes a node and gives its value, or says why not and gives nothing.

use super::figure::{bytes, millionths};
use crate::{
    Condition, Data, Edit, Place, Placed, Source, Text,
    diagnostic::Findings,
    document::{Convert, Key, Spelling, Table},
    spelling::{any_of, suggest},
    yaml::{Entry, Node, Scalar, Shape},
};
use cuelight_base::{ParseSpanError, Score, Span, Value, shorten, size_word};
use cuelight_expression::{ExprError, ExprErrorKind, Function, Template};
use std::borrow::Cow;

/// Reads values and collects what is wrong with them.
pub(crate) struct Reader<'f, 'a> {
    pub(crate) findings: &'f mut Findings<'a>,
    /// Edits that turn other spellings into the canonical ones.
    pub(crate) edits: Vec<Edit>,
}

/// A mapping whose keys are known, in canonical spelling.
pub(super) struct Object<'n> {
    pub(super) place: Place,
    fields: Vec<Found<'n>>,
    /// Keys that the table does not name.
    pub(super) rest: Vec<&'n Entry>,
}

struct Found<'n> {
    name: &'static str,
    place: Place,
    value: Cow<'n, Node>,
}

impl Object<'_> {
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value.as_ref())
    }

    /// The place of the key itself.
    pub(super) fn key_place(&self, name: &str) -> Option<Place> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.place)
    }
}

impl<'f, 'a> Reader<'f, 'a> {
    pub(crate) fn new(findings: &'f mut Findings<'a>) -> Self {
        Self { findings, edits: Vec::new() }
    }

    /// A mapping with the keys of a table; unknown ones are errors.
    pub(super) fn object<'n>(&mut self, node: &'n Node, table: &'static Table) -> Option<Object<'n>> {
        let found = self.open_object(node, table)?;
        for entry in &found.rest {
            self.unknown_key(entry, table);
        }
        Some(found)
    }

    /// A mapping with the keys of a table and others beside them.
    pub(super) fn open_object<'n>(&mut self, node: &'n Node, table: &'static Table) -> Option<Object<'n>> {
        let Shape::Map(entries) = &node.shape else {
            self.wrong_type(node, &format!("{} is a mapping", table.what));
            return None;
        };
        let mut found = Object { place: node.place, fields: Vec::new(), rest: Vec::new() };
        for entry in entries {
            let Some((key, spelling)) = lookup(table, &entry.key) else {
                found.rest.push(entry);
                continue;
            };
            if let Some(first) = found.key_place(key.name) {
                let related = self.findings.related(first, "first here");
                self.findings
                    .error(
                        "duplicate-key",
                        entry.place,
                        format!("`{}` is `{}` once more", entry.key, key.name),
                    )
                    .help("keep one of the two")
                    .also(related);
                continue;
            }
            let value = self.respelled(entry, key, spelling);
            found.fields.push(Found { name: key.name, place: entry.place, value });
        }
        for key in table.keys.iter().filter(|key| key.required && found.get(key.name).is_none()) {
            self.findings
                .error(
                    "missing-key",
                    first_line(self.findings.source, node.place),
                    format!("{} needs `{}:`", table.what, key.name),
                )
                .help(format!("{}: {}", key.name, key.doc));
        }
        Some(found)
    }

    /// The value under our spelling, and the edits that lead there.
    fn respelled<'n>(&mut self, entry: &'n Entry, key: &Key, spelling: Option<&Spelling>) -> Cow<'n, Node> {
        let Some(spelling) = spelling else { return Cow::Borrowed(&entry.value) };
        let written = match &entry.value.shape {
            Shape::Scalar(scalar)
                if !scalar.text.is_empty() && scalar.text.bytes().all(|b| b.is_ascii_digit()) =>
            {
                &scalar.text
            }
            _ => "",
        };
        let text = match spelling.value {
            Convert::Unit(unit) if !written.is_empty() => Some(format!("{written}{unit}")),
            Convert::PlusOne => {
                written.parse::<u32>().ok().map(|number| number.saturating_add(1).to_string())
            }
            Convert::Unit(_) | Convert::Same => None,
        };
        self.edits.push(Edit { place: entry.place, text: key.name.to_owned() });
        let Some(text) = text else { return Cow::Borrowed(&entry.value) };
        self.edits.push(Edit { place: entry.value.place, text: text.clone() });
        Cow::Owned(Node { place: entry.value.place, shape: Shape::Scalar(Scalar { text, plain: true }) })
    }

    pub(super) fn unknown_key(&mut self, entry: &Entry, table: &'static Table) {
        let known = table.keys.iter().map(|key| key.name);
        let others = table.keys.iter().flat_map(|key| key.also.iter().map(|spelling| spelling.name));
        let near = suggest(&entry.key, known.clone()).or_else(|| suggest(&entry.key, others));
        let message = format!("`{}` is no key of {}", shorten(&entry.key, 60), table.what);
        let found = self.findings.error("unknown-key", entry.place, message);
        match (entry.key.as_str(), near) {
            ("true", _) if table.keys.iter().any(|key| key.name == "on") => {
                found.help("a YAML 1.1 tool turned `on` into `true`; write `on`").fix(entry.place, "on");
            }
            ("jobs", _) if table.keys.iter().any(|key| key.name == "steps") => {
                found.help(
                    "this looks like a GitHub workflow; a workflow here has `steps:` that name their `needs`",
                );
            }
            (_, Some(near)) => {
                found.label(format!("did you mean `{near}`?")).fix(entry.place, near);
            }
            (_, None) => {
                let names: Vec<&str> = known.collect();
                found.help(format!("the keys are {}", any_of(&names)));
            }
        }
    }

    /// `wanted` is a whole sentence: `a timeout is a duration`.
    pub(super) fn wrong_type(&mut self, node: &Node, wanted: &str) {
        let place = first_line(self.findings.source, node.place);
        let old = match &node.shape {
            Shape::Scalar(scalar) => scalar.old_meaning().map(|meant| (scalar.text.clone(), meant)),
            _ => None,
        };
        let found = self.findings.error("type", place, format!("{wanted}; this is {}", node.what()));
        if let Some((text, meant)) = old {
            found.help(format!("YAML 1.2 reads `{text}` as text; write `{meant}`")).fix(node.place, meant);
        }
    }

    fn scalar<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<&'n Scalar> {
        match &node.shape {
            Shape::Scalar(scalar) if !node.is_null() => Some(scalar),
            _ => {
                self.wrong_type(node, wanted);
                None
            }
        }
    }

    /// Text that may hold `${{ }}`.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Text> {
        let scalar = self.scalar(node, &format!("{what} is text"))?;
        let text = Placed::new(scalar.text.clone(), node.place);
        self.template(&text);
        Some(text)
    }

    /// Text that may be empty or absent, as the value of an environment variable.
    pub(super) fn text_or_empty(&mut self, node: &Node, what: &str) -> Option<Text> {
        if node.is_null() { Some(Placed::new(String::new(), node.place)) } else { self.text(node, what) }
    }

    /// Text in which no expression may stand.
    pub(super) fn word(&mut self, node: &Node, what: &str) -> Option<Placed<String>> {
        let scalar = self.scalar(node, &format!("{what} is text"))?;
        if scalar.text.contains("${{") {
            self.findings
                .error("expression", node.place, format!("{what} is fixed; no expression may stand here"))
                .help("it must be known before the run starts");
            return None;
        }
        Some(Placed::new(scalar.text.clone(), node.place))
    }

    pub(super) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match &node.shape {
            Shape::Scalar(scalar) => scalar.value().as_bool(),
            _ => None,
        }
        .or_else(|| {
            self.wrong_type(node, &format!("{what} is `true` or `false`"));
            None
        })
    }

    pub(super) fn whole(&mut self, node: &Node, what: &str, least: u64, most: u64) -> Option<u64> {
        let Shape::Scalar(scalar) = &node.shape else {
            self.wrong_type(node, &format!("{what} is a whole number"));
            return None;
        };
        let Value::Number(number) = scalar.value() else {
            self.wrong_type(node, &format!("{what} is a whole number"));
            return None;
        };
        let fits = number.as_u64().filter(|number| (least..=most).contains(number));
        if fits.is_none() {
            let range =
                if most == u64::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
            self.findings.error("value", node.place, format!("{what} is a whole number, {range}"));
        }
        fits
    }

    /// A number that fits 32 bits because `most` does.
    pub(super) fn small(&mut self, node: &Node, what: &str, least: u64, most: u32) -> Option<u32> {
        self.whole(node, what, least, u64::from(most)).and_then(|number| u32::try_from(number).ok())
    }

    /// A decimal number that is not negative, in thousandths of thousandths.
    pub(super) fn millionths(&mut self, node: &Node, what: &str) -> Option<u64> {
        let Shape::Scalar(scalar) = &node.shape else {
            self.wrong_type(node, &format!("{what} is a number"));
            return None;
        };
        let Value::Number(_) = scalar.value() else {
            self.wrong_type(node, &format!("{what} is a number"));
            return None;
        };
        let value = millionths(&scalar.text);
        if value.is_none() {
            self.findings.error(
                "value",
                node.place,
                format!("{what} is a number like 2 or 0.25, at most six decimals"),
            );
        }
        value
    }

    /// A share of one.
    pub(super) fn share(&mut self, node: &Node, what: &str) -> Option<Score> {
        let text = match &node.shape {
            Shape::Scalar(scalar) => scalar.text.as_str(),
            _ => "",
        };
        let score = Score::parse(text);
        if score.is_none() {
            self.findings.error(
                "value",
                first_line(self.findings.source, node.place),
                format!("{what} is a number from 0 to 1"),
            );
        }
        score
    }

    pub(super) fn duration(&mut self, node: &Node, what: &str) -> Option<Span> {
        let scalar = self.scalar(node, &format!("{what} is a duration"))?;
        if scalar.text.contains("${{") {
            self.findings
                .error("expression", node.place, format!("{what} is fixed; no expression may stand here"))
                .help("write a duration such as 20m");
            return None;
        }
        match scalar.text.parse::<Span>() {
            Ok(span) => Some(span),
            Err(why) => {
                let is_bare = matches!(why, ParseSpanError::NoUnit(_));
                let found = self.findings.error("duration", node.place, why.to_string());
                if is_bare {
                    found.label("no unit");
                }
                None
            }
        }
    }

    /// A duration that must be longer than nothing.
    pub(super) fn positive_duration(&mut self, node: &Node, what: &str) -> Option<Span> {
        let span = self.duration(node, what)?;
        if span == Span(0) {
            self.findings.error("duration", node.place, format!("{what} is longer than nothing"));
            return None;
        }
        Some(span)
    }

    /// Bytes: `512MiB`, `1G`, `4096`.
    pub(super) fn size(&mut self, node: &Node, what: &str) -> Option<u64> {
        let scalar = self.scalar(node, &format!("{what} is a size"))?;
        let size = bytes(&scalar.text);
        if size.is_none() {
            self.findings.error("value", node.place, format!("{what} is a size such as 512MiB or 2GiB"));
        }
        size
    }

    /// The same, and not less than that.
    pub(super) fn size_from(&mut self, node: &Node, what: &str, least: u64) -> Option<u64> {
        let size = self.size(node, what)?;
        if size < least {
            let message = format!("{what} is at least {}", size_word(least));
            self.findings.error("value", node.place, message);
            return None;
        }
        Some(size)
    }

    /// One of a list of words, as its place in the list.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        words: &[&'static str],
        values: &[T],
    ) -> Option<T> {
        debug_assert_eq!(words.len(), values.len(), "{what}: a value for every word");
        let scalar = self.scalar(node, &format!("{what} is {}", any_of(words)))?;
        let at = words.iter().position(|word| *word == scalar.text);
        if at.is_none() {
            let near = suggest(&scalar.text, words.iter().copied());
            let message = format!("{what} is {}", any_of(words));
            let found = self.findings.error("value", node.place, message);
            if let Some(near) = near {
                found.label(format!("did you mean `{near}`?")).fix(node.place, near);
            }
        }
        at.map(|index| values[index])
    }

    /// Any JSON value; the texts in it may hold `${{ }}`.
    pub(super) fn data(&mut self, node: &Node) -> Data {
        let mut texts = Vec::new();
        node.texts(&mut |text, place| {
            if text.contains("${{") {
                texts.push(Placed::new(text.to_owned(), place));
            }
        });
        for text in &texts {
            self.template(text);
        }
        Placed::new(node.to_value(), node.place)
    }

    /// A value in which no expression may stand.
    pub(super) fn constant(&mut self, node: &Node, what: &str) -> Option<Value> {
        let mut odd = None;
        node.texts(&mut |text, place| {
            if text.contains("${{") {
                odd = Some(place);
            }
        });
        if let Some(place) = odd {
            self.findings
                .error("expression", place, format!("{what} is fixed; no expression may stand here"))
                .help("it must be known before the run starts");
            return None;
        }
        Some(node.to_value())
    }

    /// One bare expression, written with or without `${{ }}`.
    pub(super) fn expression(&mut self, node: &Node, what: &str) -> Option<Condition> {
        let scalar = self.scalar(node, &format!("{what} is an expression"))?;
        let text = scalar.text.as_str();
        let range = if text.contains("${{") {
            let whole = Placed::new(text.to_owned(), node.place);
            let template = self.template(&whole)?;
            let mut holes = template.holes();
            let (Some(hole), None) = (holes.next(), holes.next()) else {
                self.mixed_condition(node);
                return None;
            };
            if text.trim() != text[hole.span.clone()].trim() {
                self.mixed_condition(node);
                return None;
            }
            hole.inner.clone()
        } else {
            let start = text.len() - text.trim_start().len();
            start..start + text.trim().len()
        };
        let place = locate(self.findings, node.place, text, range.start..range.end);
        let bare = text[range].to_owned();
        if let Err(error) = cuelight_expression::parse(&bare) {
            self.expression_error(&Placed::new(bare, place), &error);
            return None;
        }
        Some(Placed::new(bare, place))
    }

    fn mixed_condition(&mut self, node: &Node) {
        self.findings
            .error("expression", node.place, "text around `${{ }}` makes this always true")
            .help("put the whole condition inside one `${{ }}`, or leave the braces out");
    }

    /// Reads the holes of a text, or says what is wrong with one.
    pub(crate) fn template(&mut self, text: &Text) -> Option<Template> {
        match Template::parse(&text.value) {
            Ok(template) => Some(template),
            Err(error) => {
                self.expression_error(text, &error);
                None
            }
        }
    }

    fn expression_error(&mut self, text: &Text, error: &ExprError) {
        let place = locate(self.findings, text.place, &text.value, error.span.clone());
        let message = error.message.split(". Located at position").next().unwrap_or_default();
        let message = message.split(". An unescaped").next().unwrap_or_default();
        let word = text.value.get(error.span.clone()).unwrap_or_default().to_owned();
        let found =
            self.findings.error("expression", place, format!("could not read the expression: {message}"));
        match error.kind {
            ExprErrorKind::UnrecognizedFunction => {
                if let Some(near) = suggest(&word, Function::names()) {
                    found.label(format!("did you mean `{near}`?"));
                } else {
                    let names: Vec<&str> = Function::names().collect();
                    found.help(format!("the functions are {}", any_of(&names)));
                }
            }
            ExprErrorKind::IllegalSymbol | ExprErrorKind::UnexpectedSymbol if word.starts_with('"') => {
                found.help("text stands in single quotes inside an expression: 'like this'");
            }
            ExprErrorKind::Unclosed => {
                found.help("close it with `}}`");
            }
            _ => {}
        }
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node, wanted: &str) -> &'n [Node] {
        if let Shape::List(items) = &node.shape {
            return items;
        }
        self.wrong_type(node, wanted);
        &[]
    }

    /// The names in a list or a single text. A repeated name is kept once and reported.
    pub(super) fn names(&mut self, node: &Node, what: &str) -> Vec<Placed<String>> {
        let mut out: Vec<Placed<String>> = Vec::new();
        for item in one_or_many(node) {
            let Some(word) = self.word(item, what) else { continue };
            if out.iter().any(|name| name.value == word.value) {
                let message = format!("`{}` stands twice", shorten(&word.value, 60));
                self.findings.warning("duplicate-need", item.place, message).help("keep one of the two");
            } else {
                out.push(word);
            }
        }
        out
    }

    /// The texts in a list, or a single one.
    pub(super) fn texts(&mut self, node: &Node, what: &str) -> Vec<Text> {
        one_or_many(node).iter().filter_map(|item| self.text(item, what)).collect()
    }

    /// A mapping with free keys.
    pub(super) fn entries<'n>(&mut self, node: &'n Node, wanted: &str) -> &'n [Entry] {
        match &node.shape {
            Shape::Map(entries) => entries,
            _ if node.is_null() => &[],
            _ => {
                self.wrong_type(node, wanted);
                &[]
            }
        }
    }

    /// The environment variables of an `env` mapping; names that are invalid or reserved are findings.
    pub(super) fn env(&mut self, node: &Node) -> Vec<(String, Text)> {
        let mut out = Vec::new();
        for entry in self.entries(node, "`env` is a mapping of names to values") {
            if !is_variable(&entry.key) {
                self.findings
                    .error(
                        "id",
                        entry.place,
                        format!("`{}` is no name of a variable", shorten(&entry.key, 60)),
                    )
                    .help("letters, digits and `_`, not beginning with a digit");
            } else if entry.key.starts_with("CUE_")
                && entry.key[4..].bytes().all(|byte| byte.is_ascii_digit())
            {
                self.findings
                    .error(
                        "id",
                        entry.place,
                        format!("`{}` is a name that expressions in scripts take", entry.key),
                    )
                    .help("choose another name");
            }
            if let Some(text) = self.text_or_empty(&entry.value, "the value of a variable") {
                out.push((entry.key.clone(), text));
            }
        }
        out
    }

    /// A mapping of free keys to values with expressions.
    pub(super) fn values(&mut self, node: &Node, wanted: &str) -> Vec<(String, Data)> {
        let entries = self.entries(node, wanted);
        entries.iter().map(|entry| (entry.key.clone(), self.data(&entry.value))).collect()
    }
}

/// A list, or one value that stands for a list of one.
pub(super) fn one_or_many(node: &Node) -> &[Node] {
    match &node.shape {
        Shape::List(items) => items,
        _ if node.is_null() => &[],
        _ => std::slice::from_ref(node),
    }
}

fn lookup(table: &'static Table, written: &str) -> Option<(&'static Key, Option<&'static Spelling>)> {
    if let Some(key) = table.keys.iter().find(|key| key.name == written) {
        return Some((key, None));
    }
    table.keys.iter().find_map(|key| {
        let spelling = key.also.iter().find(|spelling| spelling.name == written)?;
        Some((key, Some(spelling)))
    })
}

/// The place of a range of a scalar's value in the file; the whole scalar if escapes or folding hide it.
pub(crate) fn locate(
    findings: &Findings<'_>,
    place: Place,
    value: &str,
    range: std::ops::Range<usize>,
) -> Place {
    let raw = &findings.source.text()[findings.source.clamp(place)];
    let whole = first_line(findings.source, place);
    let Some(chunk) = value.get(range.clone()).filter(|value| !value.is_empty()) else { return whole };
    if findings.is_full() {
        return whole;
    }
    let nth = value[..range.start].match_indices(chunk).count();
    let found = raw.match_indices(chunk).nth(nth).map(|(at, _)| place.at() + at);
    found.map_or(whole, |at| Place::new(at, at + chunk.len()))
}

/// A place cut to its first line, for carets under something long.
pub(super) fn first_line(source: &Source<'_>, place: Place) -> Place {
    let range = source.clamp(place);
    let length = source.text()[range.clone()].find('\n').unwrap_or(range.len());
    Place::new(range.start, range.start + length.max(1))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
