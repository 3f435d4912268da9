//! Evidence of a gate, shown completely, each piece in its own form. Forms are: a table in columns, an object
//! in fields, JSON indented, a diff with signs, a figure beside its limit, a check list, a link. All else is
//! text.
//!
//! The form follows from the name and content of a piece. Nothing of it is left out. Foreign text throughout.

use super::{
    ask_text::content,
    prose::{Prose, ProseLine},
    state::Blob,
};
use crate::{Glyphs, Role, widget::gauge};
use cuelight_base::{Digest, Value, counted};
use cuelight_engine::Ask;
use cuelight_projection::{Fields, check_of};
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// A column of a table is at most so wide; what is longer stands in more rows.
const COLUMN_MAX: usize = 40;
/// Cells of the bar of a figure.
const BAR: u16 = 24;

/// The form of a piece of evidence.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Table(Vec<Vec<String>>),
    Fields(Fields),
    Json(Value),
    Change,
    Figure { value: String, limit: String, part: u64, whole: u64 },
    Checks,
    Link,
    Text,
}

impl Kind {
    const fn word(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::Fields(_) => "fields",
            Self::Json(_) => "JSON",
            Self::Change => "change",
            Self::Figure { .. } => "figure",
            Self::Checks => "check list",
            Self::Link => "link",
            Self::Text => "text",
        }
    }
}

/// All pieces of an ask, one under the other.
pub(super) fn whole(
    ask: &Ask,
    blobs: &BTreeMap<Digest, Blob>,
    width: usize,
    glyphs: Glyphs,
) -> Vec<(String, Role)> {
    let mut out = Prose::new(width);
    for item in &ask.evidence {
        let lines = content(blobs, item);
        let is_all_text = lines.iter().all(|line| line.1 == Role::Text);
        let text: Vec<&str> = lines.iter().map(|line| line.0.as_str()).collect();
        let kind = if is_all_text { kind_of(&item.title, &text) } else { Kind::Text };
        let head = format!("{}   {}, {}", item.title, kind.word(), counted(item.bytes, "byte", "bytes"));
        out.foreign_at("", 0, &head, Role::Title);
        if let Some(problem) = &item.problem {
            out.foreign_at("", 2, problem, Role::Warn);
        }
        match &kind {
            Kind::Table(rows) => table(&mut out, rows, glyphs),
            Kind::Fields(fields) => out.fields(2, fields),
            Kind::Json(value) => {
                let text = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
                text.lines().for_each(|line| out.foreign_at("", 2, line, Role::Text));
            }
            Kind::Figure { value, limit, part, whole } => {
                let over = part > whole;
                let role = if over { Role::Fail } else { Role::Ok };
                let sign = if over { glyphs.pick("✗", "X") } else { glyphs.pick("✓", "+") };
                let bar = gauge(glyphs, BAR, *part, *whole);
                let word = if over { "ABOVE its limit" } else { "within its limit" };
                out.foreign_at("", 2, &format!("{sign} {value}  {bar}  {limit}   {word}"), role);
            }
            Kind::Change | Kind::Checks | Kind::Link | Kind::Text => {
                for (line, role) in &lines {
                    let (line, role) = match kind {
                        Kind::Change => (line.clone(), role_of_change(line)),
                        Kind::Checks => checked(line, glyphs),
                        Kind::Link => (format!("{} {line}", glyphs.pick("↗", "->")), Role::Info),
                        _ => (line.clone(), *role),
                    };
                    out.foreign_at("", 2, &line, role);
                }
            }
        }
        out.blank();
    }
    let role_of = |line: &ProseLine| line.pieces.last().map_or(Role::Text, |piece| piece.1);
    out.lines.iter().map(|line| (line.text(), role_of(line))).collect()
}

fn kind_of(title: &str, lines: &[&str]) -> Kind {
    let ending = title.rsplit_once('.').map_or("", |halves| halves.1).to_ascii_lowercase();
    let whole = lines.join("\n");
    let filled = || lines.iter().filter(|line| !line.trim().is_empty());
    let separator = match ending.as_str() {
        "csv" => Some(','),
        "tsv" => Some('\t'),
        _ => None,
    };
    if let Some(separator) = separator {
        return Kind::Table(filled().map(|line| cells(line, separator)).collect());
    }
    if whole.trim_start().starts_with(['{', '['])
        && let Ok(value) = cuelight_base::read_json::<Value>(&*whole)
    {
        let kind = figure_of(&value).or_else(|| rows_of(&value));
        return kind.or_else(|| Fields::of(&whole).map(Kind::Fields)).unwrap_or(Kind::Json(value));
    }
    let is_change = |line: &&&str| line.starts_with("@@ ") || line.starts_with("diff --git ");
    if matches!(ending.as_str(), "diff" | "patch") || filled().any(|line| is_change(&line)) {
        return Kind::Change;
    }
    if filled().count() == 1 && ["https://", "http://"].iter().any(|prefix| whole.trim().starts_with(prefix))
    {
        return Kind::Link;
    }
    if filled().count() > 0 && filled().all(|line| check_of(line).is_some()) {
        return Kind::Checks;
    }
    Kind::Text
}

/// `{"value": 0.31, "limit": 0.70}`: a figure that should not be above its limit.
fn figure_of(value: &Value) -> Option<Kind> {
    let text = |key: &str| value.get(key).filter(|value| value.is_number()).map(Value::to_string);
    let (value, limit) = (text("value")?, text("limit")?);
    let (part, whole) = (thousandths(&value)?, thousandths(&limit)?);
    Some(Kind::Figure { value, limit, part, whole })
}

fn thousandths(text: &str) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let rest: String = rest.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(rest.parse().ok()?)
}

/// A list of objects with the same fields is a table.
fn rows_of(value: &Value) -> Option<Kind> {
    let list = value.as_array().filter(|items| items.len() > 1)?;
    let first = list.first()?.as_object()?;
    let names: Vec<&String> = first.keys().collect();
    let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut rows = vec![names.iter().map(|name| (*name).clone()).collect::<Vec<_>>()];
    for item in list {
        let item = item.as_object().filter(|fields| fields.keys().eq(names.iter().copied()))?;
        rows.push(item.values().map(cell).collect());
    }
    Some(Kind::Table(rows))
}

/// The cells of a row; a separator inside quotes is none.
fn cells(line: &str, separator: char) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if c == separator && !quoted => cells.push(String::new()),
            _ => cells.last_mut().expect("there is a first").push(c),
        }
    }
    cells
}

fn table(out: &mut Prose, rows: &[Vec<String>], glyphs: Glyphs) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|text| text.width())
            .max()
            .unwrap_or(0)
            .min(COLUMN_MAX)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for (index, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(text, width)| {
            let blank = width.saturating_sub(text.width());
            format!("{text}{}", " ".repeat(blank))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        out.foreign_at("", 2, line.trim_end(), if index == 0 { Role::Muted } else { Role::Text });
        if index == 0 {
            let rule =
                glyphs.pick("─", "-").repeat(widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1));
            out.foreign_at("", 2, &rule, Role::Border);
        }
    }
}

fn role_of_change(line: &str) -> Role {
    match line.chars().next() {
        _ if line.starts_with("+++") || line.starts_with("---") || line.starts_with("diff ") => Role::Title,
        Some('+') => Role::DiffAdd,
        Some('-') => Role::DiffDel,
        Some('@') => Role::Info,
        _ => Role::Text,
    }
}

fn checked(line: &str, glyphs: Glyphs) -> (String, Role) {
    match check_of(line) {
        Some((true, text)) => (format!("{} {text}", glyphs.pick("✓", "+")), Role::Ok),
        Some((false, text)) => (format!("{} {text}   OPEN", glyphs.pick("·", ".")), Role::Warn),
        None => (line.to_owned(), Role::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(title: &str, text: &str, word: &str) -> Kind {
        let kind = kind_of(title, &text.lines().collect::<Vec<_>>());
        assert_eq!(kind.word(), word, "{text}");
        kind
    }

    #[test]
    fn a_piece_of_evidence_is_shown_as_what_it_is() {
        let rows = check("refunds.csv", "id,note\nRF-1,\"a, b\"\n", "table");
        assert_eq!(
            rows,
            Kind::Table(vec![vec!["id".into(), "note".into()], vec!["RF-1".into(), "a, b".into()]])
        );
        check("x", "[{\"a\": 1}, {\"a\": 2}]", "table");
        check("x", "[{\"a\": 1}, {\"b\": 2}]", "JSON");
        check("x", "{\"a\": 1}", "JSON");
        check("x", "{\"a\":1}", "fields");
        check("x", "{broken", "text");
        check("x", "{\"value\": 0.31, \"limit\": 0.7}", "figure");
        check("x", "{\"value\": -1, \"limit\": 0.7}", "JSON");
        check("x.patch", "-a\n+b", "change");
        check("x", "diff --git a b\n-a", "change");
        check("x", "- [x] tested\n- [ ] told support", "check list");
        check("x", "- [x] tested\nand more", "text");
        check("x", "https://example.test/OPS-771\n", "link");
        check("x", "", "text");
    }

    #[test]
    fn figures_are_compared_to_the_thousandth() {
        for (text, wanted) in [("0.7", Some(700)), ("12", Some(12_000)), ("0.3109", Some(310)), ("1e3", None)]
        {
            assert_eq!(thousandths(text), wanted, "{text}");
        }
    }
}
