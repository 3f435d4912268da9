//! YAML 1.2 as a tree with places, within limits.
//!
//! Taken: one document, mappings with text keys, lists, scalars, anchors and aliases. Refused, with a message: tags,
//! merge keys, directives, a second document, duplicate keys, and whatever is beyond the limits. What the keys mean
//! is for `read`. The only file that reads with the YAML library.

use crate::{Diagnostic, Place, Source, diagnostic::Findings};
use cuelight_base::{ALIAS_BYTES_MAX, FILE_BYTES_MAX, FILE_DEPTH_MAX, Value, ValueMap};
use serde_saphyr::granit_parser::{
    Event, Marker, Parser, ScalarStyle, ScanError, Span, StructureStyle, options,
};
use std::collections::BTreeMap;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// The place in the file.
    pub place: Place,
    /// The value that stands there.
    pub shape: Shape,
}

/// The content of a node.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Text, a number, a boolean or nothing.
    Scalar(Scalar),
    /// Items in their order.
    List(Vec<Node>),
    /// Entries in their order; no key stands twice.
    Map(Vec<Entry>),
}

/// Text, and whether it was written without quotes (only then it may be a number, a boolean or null).
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The text without its quotes.
    pub text: String,
    /// True if it was written without quotes.
    pub plain: bool,
}

/// One key of a mapping with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// The place of the key.
    pub place: Place,
    /// The value below the key.
    pub value: Node,
}

impl Node {
    fn null(place: Place) -> Self {
        Self { place, shape: Shape::Scalar(Scalar { text: String::new(), plain: true }) }
    }

    /// The name of its type, for messages.
    pub(super) fn what(&self) -> &'static str {
        match &self.shape {
            Shape::List(_) => "a list",
            Shape::Map(_) => "a mapping",
            Shape::Scalar(scalar) => match scalar.value() {
                Value::Null => "nothing",
                Value::Bool(_) => "a boolean",
                Value::Number(_) => "a number",
                _ => "text",
            },
        }
    }

    /// True if the value is empty or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.shape, Shape::Scalar(scalar) if scalar.plain && scalar.value().is_null())
    }

    /// As a JSON value; duplicate keys were refused before.
    pub fn to_value(&self) -> Value {
        match &self.shape {
            Shape::Scalar(scalar) => scalar.value(),
            Shape::List(items) => items.iter().map(Self::to_value).collect(),
            Shape::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value()));
                Value::Object(pairs.collect::<ValueMap>())
            }
        }
    }

    /// Every text in it, with its place.
    pub fn texts<'n>(&'n self, visit: &mut dyn FnMut(&'n str, Place)) {
        match &self.shape {
            Shape::Scalar(scalar) => visit(&scalar.text, self.place),
            Shape::List(items) => items.iter().for_each(|item| item.texts(visit)),
            Shape::Map(entries) => entries.iter().for_each(|entry| entry.value.texts(visit)),
        }
    }
}

impl Scalar {
    /// The value by the core schema of YAML 1.2.
    pub(super) fn value(&self) -> Value {
        if !self.plain {
            return Value::String(self.text.clone());
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            text => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
        }
    }

    /// The meaning under YAML 1.1, if it differs and the author may have meant that.
    pub(super) fn old_meaning(&self) -> Option<String> {
        if !self.plain {
            return None;
        }
        match self.text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" => return Some("true".to_owned()),
            "no" | "off" | "n" => return Some("false".to_owned()),
            _ => {}
        }
        let digits = self.text.replace('_', "");
        let old = self.text.contains('_') && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        (old && number(&digits).is_some()).then_some(digits)
    }
}

/// The tree of a file and all that is wrong with it; no tree when it cannot be read to its end, and then there is an error.
pub fn parse_yaml(source: &Source<'_>) -> (Option<Node>, Vec<Diagnostic>) {
    let mut findings = Findings::new("", source);
    let root = parse(&mut findings);
    (root, findings.finish())
}

/// A number as JSON writes it, from the core schema's decimal, octal, hexadecimal and floating forms.
fn number(text: &str) -> Option<serde_json::Number> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Into::into);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Into::into);
    }
    let mantissa_end = digits.find(['e', 'E']).unwrap_or(digits.len());
    let (mantissa, exponent) = digits.split_at(mantissa_end);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |head: &str| head.bytes().all(|b| b.is_ascii_digit());
    let power = exponent.get(1..).unwrap_or_default();
    let power_digits = power.strip_prefix(['+', '-']).unwrap_or(power);
    let wrong = !all_digits(whole)
        || !all_digits(fraction)
        || whole.len() + fraction.len() == 0
        || !exponent.is_empty() && (power_digits.is_empty() || !all_digits(power_digits));
    if wrong {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{dot}{fraction}{exponent}").parse().ok()
}

/// The tree of a file; none when it cannot be read any further, and then there is an error.
pub(super) fn parse(findings: &mut Findings<'_>) -> Option<Node> {
    let text = findings.source.text();
    if text.len() > FILE_BYTES_MAX {
        findings
            .error(
                "file-too-large",
                Place::default(),
                format!("the file has {} bytes, more than 4 MiB", text.len()),
            )
            .help("move parts of it into workflows of their own and call them with `workflow:`");
        return None;
    }
    if let Some(at) = text.find('\0') {
        findings
            .error("encoding", Place::new(at, at + 1), "the file holds a NUL character")
            .help("save it as UTF-8 text; a file with many of them is probably UTF-16");
        return None;
    }
    Builder::new(findings).document()
}

/// An anchored node with its size in bytes once it is expanded; none while it is still being read.
type Anchors = BTreeMap<usize, Option<(Node, usize)>>;

struct Builder<'f, 'a> {
    findings: &'f mut Findings<'a>,
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    anchors: Anchors,
    expanded: usize,
    /// Flow collections that are open.
    flow: usize,
}

/// Reading went wrong in a way that leaves nothing to continue with; the finding is already there.
struct Stop;

impl<'f, 'a> Builder<'f, 'a> {
    fn new(findings: &'f mut Findings<'a>) -> Self {
        let options = options! {
            emit_comments: false,
            flow_nesting_limit: FILE_DEPTH_MAX + 1,
            block_nesting_limit: FILE_DEPTH_MAX + 1,
        };
        let text = findings.source.text();
        let parser = Parser::new_from_str_with_options(text, options);
        Self { findings, parser, anchors: Anchors::new(), expanded: 0, flow: 0 }
    }

    fn document(mut self) -> Option<Node> {
        let mut root = None;
        loop {
            let (event, place) = self.next().ok()?;
            match event {
                Event::StreamEnd => return root.or_else(|| self.empty()),
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(_, version) => {
                    if root.is_some() {
                        self.findings
                            .error("yaml-feature", place, "a second document begins here")
                            .help("one file is one workflow; move it into a file of its own");
                        return root;
                    }
                    if version.is_some() {
                        self.findings
                            .error("yaml-feature", place, "directives such as `%YAML` are not taken")
                            .help("remove it; the file is read as YAML 1.2");
                    }
                }
                other => root = Some(self.node(other, place, 1).ok()?),
            }
        }
    }

    fn empty(&mut self) -> Option<Node> {
        self.findings
            .error("yaml", Place::default(), "the file is empty")
            .help("a workflow has at least one step: `steps: [{id: build, run: make}]`");
        None
    }

    fn next(&mut self) -> Result<(Event<'a>, Place), Stop> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, place_of(&span))),
            Some(Err(error)) => {
                self.report(&error);
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, Place::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Node, Stop> {
        if depth > FILE_DEPTH_MAX && !matches!(event, Event::Scalar(..) | Event::Alias(_)) {
            self.too_deep(place);
            return Err(Stop);
        }
        let before = self.expanded;
        let start = place;
        let (anchor, node) = match event {
            Event::Alias(id) => return self.alias(id, place),
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    self.tag(place);
                }
                let plain = style == ScalarStyle::Plain;
                let scalar = Scalar { text: text.into_owned(), plain };
                (anchor, Node { place, shape: Shape::Scalar(scalar) })
            }
            Event::SequenceStart(style, anchor, tag) => {
                if tag.is_some() {
                    self.tag(place);
                }
                self.open(anchor);
                (anchor, self.collection(style, |builder| builder.list(start, depth))?)
            }
            Event::MappingStart(style, anchor, tag) => {
                if tag.is_some() {
                    self.tag(place);
                }
                self.open(anchor);
                (anchor, self.collection(style, |builder| builder.map(start, depth))?)
            }
            _ => (0, Node::null(place)),
        };
        if anchor != 0 {
            let size = weight(&node).saturating_add(self.expanded - before);
            self.anchors.insert(anchor, Some((node.clone(), size)));
        }
        Ok(node)
    }

    /// Counts the open flow collections, for what is said when reading stops inside one.
    fn collection(
        &mut self,
        style: StructureStyle,
        read: impl FnOnce(&mut Self) -> Result<Node, Stop>,
    ) -> Result<Node, Stop> {
        let flow = usize::from(style == StructureStyle::Flow);
        self.flow += flow;
        let node = read(self)?;
        self.flow -= flow;
        Ok(node)
    }

    fn open(&mut self, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
    }

    fn list(&mut self, start: Place, depth: usize) -> Result<Node, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, place) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Node { place: stretch(start, place, items.last()), shape: Shape::List(items) });
            }
            items.push(self.node(event, place, depth + 1)?);
        }
    }

    fn map(&mut self, start: Place, depth: usize) -> Result<Node, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: BTreeMap<String, Place> = BTreeMap::new();
        loop {
            let (event, place) = self.next()?;
            if event == Event::MappingEnd {
                let last = entries.last().map(|entry| &entry.value);
                return Ok(Node { place: stretch(start, place, last), shape: Shape::Map(entries) });
            }
            let is_scalar = matches!(event, Event::Scalar(..));
            let key = self.node(event, place, depth + 1)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            let Shape::Scalar(Scalar { text, plain }) = key.shape else {
                self.odd_key(place);
                continue;
            };
            if !is_scalar || plain && text.is_empty() {
                self.odd_key(place);
            } else if plain && text == "<<" {
                self.findings
                    .error("yaml-feature", place, "merge keys (`<<`) are not part of YAML 1.2")
                    .help("write the keys out, or use `defaults:` for what every step shares");
            } else if let Some(first) = seen.get(&text) {
                let related = self.findings.related(*first, "first here");
                self.findings
                    .error("duplicate-key", place, format!("`{text}` stands twice in this mapping"))
                    .help("keep one of the two")
                    .also(related);
            } else {
                seen.insert(text.clone(), place);
                entries.push(Entry { key: text, place, value });
            }
        }
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<Node, Stop> {
        let Some(Some((node, size))) = self.anchors.get(&id) else {
            self.findings
                .error("alias", place, "this alias stands inside the very value it stands for")
                .help("write the value out");
            return Ok(Node::null(place));
        };
        self.expanded = self.expanded.saturating_add(*size);
        if self.expanded > ALIAS_BYTES_MAX {
            self.findings
                .error("alias", place, "aliases expand to more than 1 MiB")
                .help("write out what is needed; a file that grows like this is usually an attack");
            return Err(Stop);
        }
        Ok(node.clone())
    }

    fn odd_key(&mut self, place: Place) {
        self.findings.error("yaml", place, "a key is text; this one is not").help(
            "`${{ … }}` as a value needs quotes inside `{}` and `[]`, because `{` opens a mapping there",
        );
    }

    fn tag(&mut self, place: Place) {
        self.findings
            .error("yaml-feature", place, "tags (`!…`) are not taken")
            .help("remove it; quote the value to make it text");
    }

    fn too_deep(&mut self, place: Place) {
        self.findings
            .error(
                "too-deep",
                place,
                format!("mappings and lists are nested more than {FILE_DEPTH_MAX} deep"),
            )
            .help("move the inner part into a workflow of its own");
    }

    fn report(&mut self, error: &ScanError) {
        let at = offset(error.marker());
        let place = Place::new(at, at + 1);
        let info = error.info();
        if info.contains("recursion") || info.contains("nesting") {
            self.too_deep(place);
            return;
        }
        if let Some(open) = unquoted_expression(self.findings.source, at, self.flow > 0) {
            report_flow_expression(self.findings, open);
            return;
        }
        let is_tab = info.contains("tab");
        let holds_expression =
            self.findings.source.line(self.findings.source.line_column(at).0).contains("${{");
        let found = self.findings.error("yaml", place, format!("could not read YAML: {info}"));
        if is_tab {
            found.help("indent with blanks; YAML takes no tabs there");
        } else if info.contains("anchor") {
            found.help("an alias `*name` needs its `&name` before it; quote text that begins with `*`");
        } else if holds_expression {
            found.help("quote a value in which `${{ … }}` stands beside `: ` or ` #`");
        }
    }
}

/// `${{` in a flow collection is a mapping inside a mapping to YAML, and never what was meant.
pub(super) fn report_flow_expression(findings: &mut Findings<'_>, at: usize) {
    let text = findings.source.text();
    let length = text[at..].find("}}").map_or(3, |index| index + 2);
    let place = Place::new(at, at + length);
    let written = text[place.range()].to_owned();
    let found = findings.error(
        "flow-expression",
        place,
        "`${{` without quotes inside `{}` or `[]`; YAML reads its braces as mappings",
    );
    found.label("needs quotes").help(format!("write \"{written}\""));
    if !written.contains(['"', '\\', '\n']) && written.ends_with("}}") {
        found.fix(place, format!("\"{written}\""));
    }
}

/// The `${{` that stands unquoted inside a flow collection on the line of `at`, or on a line shortly before.
fn unquoted_expression(source: &Source<'_>, at: usize, is_inside: bool) -> Option<usize> {
    let line = source.line_column(at).0;
    (line.saturating_sub(2).max(1)..=line).rev().find_map(|number| {
        let text = source.line(number);
        let start = text.as_ptr() as usize - source.text().as_ptr() as usize;
        flow_expression_in(text, usize::from(is_inside)).map(|flow_expression| start + flow_expression)
    })
}

/// The offset of `${{` outside quotes and inside `{` or `[`. `depth` brackets were open when the line began.
fn flow_expression_in(line: &str, mut depth: usize) -> Option<usize> {
    let (mut quote, mut previous) = (None, ' ');
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some('"'), '\\') if previous == '\\' => {
                previous = ' ';
                continue;
            }
            (Some(open), c) if c == open && !(open == '"' && previous == '\\') => quote = None,
            (None, '"' | '\'') if matches!(previous, ' ' | '[' | '{' | ',' | ':') => quote = Some(c),
            (None, '#') if previous == ' ' => return None,
            (None, '$') if depth > 0 && line[at..].starts_with("${{") => return Some(at),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        previous = c;
    }
    None
}

fn weight(node: &Node) -> usize {
    match &node.shape {
        Shape::Scalar(scalar) => scalar.text.len() + 1,
        Shape::List(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Shape::Map(entries) => {
            1 + entries.iter().map(|entry| entry.key.len() + 1 + weight(&entry.value)).sum::<usize>()
        }
    }
}

/// From the start of a collection to its end: the closing bracket, or the last thing in it.
fn stretch(start: Place, end: Place, last: Option<&Node>) -> Place {
    let last_end = last.map_or(start.end, |node| node.place.end);
    let closing = if end.end > end.start { end.end } else { last_end };
    Place { start: start.start, end: closing.max(last_end.max(start.end)) }
}

fn place_of(span: &Span) -> Place {
    Place::new(offset(&span.start), offset(&span.end))
}

fn offset(marker: &Marker) -> usize {
    marker.byte_offset().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let source = Source::new(text);
        let mut findings = Findings::new("f", &source);
        let root = parse(&mut findings);
        let said = findings
            .finish()
            .into_iter()
            .map(|diagnostic| format!("{}:{} {}", diagnostic.line, diagnostic.column, diagnostic.message));
        root.map(|root| root.to_value().to_string()).into_iter().chain(said).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn scalars_follow_the_core_schema_of_yaml_1_2() {
        assert_eq!(
            shown("[on, NO, yes, ~, True, 007, 0o17, 0x1F, +1, .5, 1., 1e400, 1_000, '7', -0.50]"),
            r#"["on","NO","yes",null,true,7,15,31,1,0.5,1,1e+400,"1_000","7",-0.50]"#
        );
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = "\u{feff}a: ä\nb: &x [1, 2]\nc: *x\n";
        let source = Source::new(text);
        let mut findings = Findings::new("f", &source);
        let root = parse(&mut findings).expect("a tree");
        let Shape::Map(entries) = root.shape else { panic!("a mapping") };
        let cut: Vec<&str> = entries.iter().map(|entry| &text[entry.value.place.range()]).collect();
        assert_eq!(cut, ["ä", "[1, 2]", "[1, 2]"]);
        assert_eq!(&text[entries[1].place.range()], "b");
    }

    #[test]
    fn an_alias_inside_its_own_value_is_refused() {
        assert!(shown("a: &x [*x]").contains("inside the very value"), "{}", shown("a: &x [*x]"));
    }
}
