//! Findings of the checker, each with its location, message and remedy: as text with a caret, as JSON, as
//! SARIF.
//!
//! The rules that find them are in `yaml`, `read` and `check`. Every code is listed in [`RULES`].

use crate::{Place, Source};
use cuelight_base::{Value, counted, safe_pieces, safe_text};
use serde_json::json;
use std::fmt::Write as _;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file cannot be run.
    Error,
    /// It runs, and will surprise somebody.
    Warning,
    /// Information that needs no change.
    Note,
}

impl Severity {
    /// The word that is shown; also SARIF's level.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding of the checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its rule, one of [`RULES`].
    pub code: &'static str,
    /// The severity of the finding.
    pub severity: Severity,
    /// The message that names the problem.
    pub message: String,
    /// The file it is in.
    pub file: String,
    /// The bytes it is about.
    pub place: Place,
    /// The line in the file, counted from 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Said at the caret; may be empty.
    pub label: String,
    /// The remedy, or none when there is no advice.
    pub help: Option<String>,
    /// A change that mends it.
    pub fix: Option<Edit>,
    /// Other places that have to do with it.
    pub related: Vec<Related>,
    /// The line of the source, cut to what surrounds the caret.
    excerpt: Excerpt,
}

/// A change of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that are replaced.
    pub place: Place,
    /// The text that replaces them.
    pub text: String,
}

/// Another place that has to do with a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The line in the file, counted from 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The message for this place.
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Excerpt {
    text: String,
    /// Characters before the caret, and under it.
    before: usize,
    under: usize,
}

/// Every rule with what it finds, for `--format sarif` and the manual.
pub const RULES: &[(&str, &str)] = &[
    ("file-too-large", "the file is larger than 4 MiB"),
    ("encoding", "the file is no UTF-8 text, or holds a NUL"),
    ("yaml", "the file is no YAML 1.2"),
    ("too-deep", "mappings and lists are nested more than 64 deep"),
    ("alias", "an alias grows beyond 1 MiB or stands inside itself"),
    ("duplicate-key", "a key stands twice in one mapping, perhaps in another spelling"),
    ("yaml-feature", "tags, merge keys, directives and several documents are not taken"),
    ("flow-expression", "`${{ }}` stands without quotes inside `{}` or `[]`"),
    ("unknown-key", "a key that means nothing here"),
    ("missing-key", "a key that must be there"),
    ("type", "a value of the wrong type"),
    ("value", "a value that is not one of those allowed"),
    ("duration", "a length of time without unit, or none at all"),
    ("id", "an id or a name that cannot be one"),
    ("duplicate-id", "two steps have one id"),
    ("model", "a model is not there, is described wrongly, or has no price that a budget could count"),
    ("kind", "a step does nothing, or more than one thing"),
    ("unknown-need", "a step waits for a step that is not there"),
    ("duplicate-need", "a step waits for the same step twice"),
    ("cycle", "steps wait for each other in a circle"),
    ("unreachable", "a step can never run"),
    ("constant-condition", "a condition that is always the same"),
    ("expression", "an expression that cannot be read"),
    ("unknown-context", "an expression reads a context that is not there"),
    ("unknown-input", "an input that is not declared"),
    ("unknown-step", "an expression reads a step that is not there"),
    ("not-an-ancestor", "an expression reads a step that need not have run before"),
    ("unknown-output", "an output that its step does not declare"),
    ("unknown-property", "a step, gate or run has no such property"),
    ("unknown-axis", "a matrix has no such axis"),
    ("shell-quoting", "an expression stands where a shell would not take it as one word"),
    ("shell-language", "expressions are bound in bash and sh scripts only"),
    ("secret", "a secret stands anywhere but alone as a value of `env`"),
    ("unknown-secret", "a secret that the workflow does not name under `secrets`"),
    ("gate", "a gate that nobody can satisfy"),
    ("gate-approves-itself", "a gate that is approved when nobody answers"),
    ("gate-rejected", "a step that runs although a gate before it is rejected"),
    ("no-undo", "a step with side effects has no `undo` although the run compensates"),
    ("no-timeout", "a step that may run for ever"),
    ("matrix-size", "a matrix has more copies than allowed"),
    ("too-many-steps", "more steps after expansion than allowed"),
    ("subworkflow", "a workflow file that cannot be read, calls itself, or is nested too deep"),
    ("tool", "a tool that is not there, or a name or version that cannot be one"),
    ("tool-input", "what a tool is given does not fit its schema"),
    ("schema", "a JSON Schema that cannot be read"),
    ("agent", "an agent that is unknown, described wrongly, or that cannot be asked so"),
    ("pattern", "a regular expression that cannot be read"),
    ("schedule", "a schedule or time zone that cannot be read"),
    ("too-many-findings", "the rest of the findings is left out"),
];

/// So many findings of one file are kept; the rest is counted.
const FINDINGS_MAX: usize = 500;
/// Lines named of a note that is repeated.
const REPEATED_MAX: usize = 10;
/// So many characters of a line are shown.
const EXCERPT_CHARS_MAX: usize = 160;

/// Collects findings of one file.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) file: &'a str,
    list: Vec<Diagnostic>,
    left_out: usize,
    errors: usize,
    spare: Diagnostic,
}

impl<'a> Findings<'a> {
    pub(super) fn new(file: &'a str, source: &'a Source<'a>) -> Self {
        let spare = Diagnostic::blank("too-many-findings", Severity::Note, file);
        Self { source, file, list: Vec::new(), left_out: 0, errors: 0, spare }
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.errors += 1;
        self.add(code, Severity::Error, place, message.into())
    }

    pub(super) fn warning(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(code, Severity::Warning, place, message.into())
    }

    pub(super) fn note(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(code, Severity::Note, place, message.into())
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// True if further findings are only counted, so that their places need not be worked out.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= FINDINGS_MAX
    }

    fn add(
        &mut self,
        code: &'static str,
        severity: Severity,
        place: Place,
        message: String,
    ) -> &mut Diagnostic {
        debug_assert!(RULES.iter().any(|(known, _)| *known == code), "{code} is not in RULES");
        if self.list.len() >= FINDINGS_MAX {
            self.left_out += 1;
            self.spare.severity = self.spare.severity.min(severity);
            return &mut self.spare;
        }
        let mut found = Diagnostic::blank(code, severity, self.file);
        (found.line, found.column) = self.source.line_column(place.at());
        found.excerpt = excerpt(self.source, place, found.line, found.column);
        (found.message, found.place) = (message, place);
        self.list.push(found);
        self.list.last_mut().expect("just pushed")
    }

    /// A place as other findings name it.
    pub(super) fn related(&self, place: Place, message: impl Into<String>) -> Related {
        let (line, column) = self.source.line_column(place.at());
        Related { line, column, message: message.into() }
    }

    /// All findings in the order of the file, worse ones first where they share a place.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column, diagnostic.severity));
        self.list.dedup();
        if self.left_out > 0 {
            self.spare.message = format!("{} more findings are left out", self.left_out);
            self.spare.help = Some("mend the first ones and check again".to_owned());
            self.spare.label = String::new();
            self.spare.related.clear();
            self.spare.fix = None;
            self.list.push(self.spare);
        }
        self.list
    }
}

impl Diagnostic {
    fn blank(code: &'static str, severity: Severity, file: &str) -> Self {
        Self {
            code,
            severity,
            message: String::new(),
            file: file.to_owned(),
            place: Place::default(),
            line: 1,
            column: 1,
            label: String::new(),
            help: None,
            fix: None,
            related: Vec::new(),
            excerpt: Excerpt::default(),
        }
    }

    /// A finding about a file as a whole, such as one that could not be read at all.
    pub fn whole_file(code: &'static str, file: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::blank(code, Severity::Error, file) }
    }

    pub(super) fn label(&mut self, text: impl Into<String>) -> &mut Self {
        self.label = text.into();
        self
    }

    pub(super) fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(text.into());
        self
    }

    pub(super) fn fix(&mut self, place: Place, text: impl Into<String>) -> &mut Self {
        self.fix = Some(Edit { place, text: text.into() });
        self
    }

    pub(super) fn also(&mut self, related: Related) -> &mut Self {
        self.related.push(related);
        self
    }

    /// True if this finding keeps the file from running.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The location as `file:line:column`, safe to print.
    pub fn location(&self) -> String {
        format!("{}:{}:{}", safe_text(&self.file), self.line, self.column)
    }

    /// For people: the message, the place, the line with a caret, and help. Ends with a line end.
    pub fn text(&self, colour: bool) -> String {
        let paint = |code: &'static str, text: &str| {
            if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
        };
        let tone = match self.severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Note => "1;36",
        };
        let mut out = paint(tone, &format!("{}[{}]", self.severity.word(), self.code));
        let gutter = self.line.to_string().len();
        let bar = paint("34", &format!("{:gutter$} |", ""));
        writeln!(out, ": {}", paint("1", &safe_text(&self.message))).expect("a String takes all text");
        writeln!(out, "{:gutter$}{} {}", "", paint("34", "-->"), self.location())
            .expect("a String takes all text");
        if self.excerpt.under > 0 {
            let (line, caret) = self.excerpt.drawn();
            let number = paint("34", &format!("{} |", self.line));
            let label =
                if self.label.is_empty() { String::new() } else { format!(" {}", safe_text(&self.label)) };
            let caret = format!("{}{}", caret.0, paint(tone, &format!("{}{label}", caret.1)));
            writeln!(out, "{bar}\n{number} {line}\n{bar} {caret}").expect("a String takes all text");
        }
        for related in &self.related {
            let place = format!("{}:{}", related.line, related.column);
            writeln!(out, "{:gutter$} = {place}: {}", "", safe_text(&related.message))
                .expect("a String takes all text");
        }
        if let Some(help) = &self.help {
            writeln!(out, "{:gutter$} = {}: {}", "", paint("32", "help"), safe_text(help))
                .expect("a String takes all text");
        }
        out
    }

    /// True for another note of the same rule in the same file.
    fn repeats(&self, other: &Self) -> bool {
        let is_note = self.severity == Severity::Note && other.severity == Severity::Note;
        is_note && self.code == other.code && self.file == other.file
    }

    fn sarif(&self) -> Value {
        let region = json!({
            "startLine": self.line, "startColumn": self.column,
            "byteOffset": self.place.start, "byteLength": self.place.end - self.place.start,
        });
        let at = |region: Value| json!({"physicalLocation": {"artifactLocation": {"uri": self.file}, "region": region}});
        let message = match &self.help {
            Some(help) => format!("{}; {help}", self.message),
            None => self.message.clone(),
        };
        let mut out = json!({
            "ruleId": self.code, "level": self.severity.word(), "message": {"text": message},
            "locations": [at(region)],
        });
        if !self.related.is_empty() {
            let related = self.related.iter().map(|related| {
                let mut place = at(json!({"startLine": related.line, "startColumn": related.column}));
                place["message"] = json!({"text": related.message});
                place
            });
            out["relatedLocations"] = related.collect();
        }
        if let Some(fix) = &self.fix {
            out["fixes"] = json!([{"description": {"text": "as suggested"}, "artifactChanges": [{
                "artifactLocation": {"uri": self.file},
                "replacements": [{
                    "deletedRegion": {
                        "byteOffset": fix.place.start, "byteLength": fix.place.end - fix.place.start},
                    "insertedContent": {"text": fix.text},
                }],
            }]}]);
        }
        out
    }
}

impl Excerpt {
    /// The line as it may be shown, and what stands under it: blanks, then carets.
    fn drawn(&self) -> (String, (String, String)) {
        let split = |chars: usize| self.text.char_indices().nth(chars).map_or(self.text.len(), |(at, _)| at);
        let (start, end) = (split(self.before), split(self.before + self.under));
        let shown =
            |text: &str| -> String { safe_pieces(text).into_iter().map(|piece| piece.text).collect() };
        let width = |text: &str| unicode_width::UnicodeWidthStr::width(text);
        let [before, under, after] =
            [&self.text[..start], &self.text[start..end], &self.text[end..]].map(shown);
        let carets = "^".repeat(width(&under).max(1));
        (format!("{before}{under}{after}").trim_end().to_owned(), (" ".repeat(width(&before)), carets))
    }
}

fn excerpt(source: &Source<'_>, place: Place, line: usize, column: usize) -> Excerpt {
    let text = source.line(line);
    let length = source.text()[source.clamp(place)].lines().next().map_or(0, |line| line.chars().count());
    let first = column.saturating_sub(1 + EXCERPT_CHARS_MAX / 2);
    let first = if text.chars().count() <= EXCERPT_CHARS_MAX { 0 } else { first };
    let cut: String = text.chars().skip(first).take(EXCERPT_CHARS_MAX).collect();
    let before = column - 1 - first;
    let under = length.clamp(1, EXCERPT_CHARS_MAX.saturating_sub(before).max(1));
    Excerpt { text: cut, before, under }
}

/// All findings for people, with an empty line after each. A note that a file repeats is printed once, with the other places.
pub fn findings_text(findings: &[Diagnostic], colour: bool) -> String {
    let mut out = String::new();
    for (index, finding) in findings.iter().enumerate() {
        if findings[..index].iter().rev().any(|before| finding.repeats(before)) {
            continue;
        }
        out.push_str(&finding.text(colour));
        let others: Vec<&Diagnostic> =
            findings[index + 1..].iter().filter(|other| other.repeats(finding)).collect();
        if !others.is_empty() {
            let gutter = finding.line.to_string().len();
            let named = others.iter().take(REPEATED_MAX).map(|other| other.line.to_string());
            let named = named.collect::<Vec<_>>().join(", ");
            let more = if others.len() > REPEATED_MAX { ", …" } else { "" };
            let times = counted(others.len(), "more time", "more times");
            let lines = if others.len() == 1 { "line" } else { "lines" };
            writeln!(out, "{:gutter$} = {times}: {lines} {named}{more}", "")
                .expect("a String takes all text");
        }
        out.push('\n');
    }
    out
}

/// All findings as one SARIF 2.1.0 log.
pub fn sarif(findings: &[Diagnostic]) -> Value {
    let used = RULES.iter().filter(|(code, _)| findings.iter().any(|finding| finding.code == *code));
    let rules: Value =
        used.map(|(code, what)| json!({"id": code, "shortDescription": {"text": what}})).collect();
    let results: Value = findings.iter().map(Diagnostic::sarif).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "cuelight", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// `1 error, 2 warnings`; empty when there is nothing to count.
pub fn summary(findings: &[Diagnostic]) -> String {
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let word = |severity: Severity| match count(severity) {
        0 => None,
        1 => Some(format!("1 {}", severity.word())),
        n => Some(format!("{n} {}s", severity.word())),
    };
    let words = [Severity::Error, Severity::Warning, Severity::Note].into_iter().filter_map(word);
    words.collect::<Vec<_>>().join(", ")
}
