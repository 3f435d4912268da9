//! `fmt`: our spelling of every key, the canonical order of keys, and every comment where it was.
//!
//! Works on the text, not on the tree: keys are renamed where they stand and whole entries are moved as the lines
//! they are, so nothing that was written is lost. The result is read again; unless it means exactly the same it is
//! not used.

use crate::{
    Diagnostic, Edit, Source, Workflow,
    diagnostic::Findings,
    document::{STEP, Table, WORKFLOW},
    load::shape,
    yaml::{self, Node, Shape},
};

/// The canonical form of a workflow file; the same text again when it is in canonical form already.
///
/// # Errors
/// The findings, when the file cannot be read: a file with errors is left alone.
pub fn fmt(text: &str) -> Result<String, Vec<Diagnostic>> {
    let clean = plain_lines(text);
    let (meant, edits) = read(&clean)?;
    let renamed = apply(&clean, edits);
    let renamed = if means(&renamed, &meant) { renamed } else { clean };
    let ordered = order(&renamed);
    Ok(if means(&ordered, &meant) { ordered } else { renamed })
}

fn read(text: &str) -> Result<(Workflow, Vec<Edit>), Vec<Diagnostic>> {
    let source = Source::new(text);
    let mut findings = Findings::new("", &source);
    let (workflow, edits) = shape(&mut findings);
    match workflow.filter(|_| !findings.has_errors()) {
        Some(workflow) => Ok((workflow, edits)),
        None => Err(findings.finish()),
    }
}

fn means(text: &str, meant: &Workflow) -> bool {
    read(text).is_ok_and(|(workflow, _)| workflow == *meant)
}

/// Without byte order mark, with line ends of one kind and one at the end.
fn plain_lines(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    format!("{}\n", text.trim_end_matches(['\n', ' ']))
}

fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.place.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for edit in edits {
        let range = edit.place.range();
        // An alias reads one place several times; the first edit of it counts.
        if range.start < at || text.get(range.clone()).is_none() {
            continue;
        }
        out.push_str(&text[at..range.start]);
        out.push_str(&edit.text);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// The keys of the top and of every step in canonical order.
fn order(text: &str) -> String {
    let source = Source::new(text);
    let mut findings = Findings::new("", &source);
    let Some(root) = yaml::parse(&mut findings) else { return text.to_owned() };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // Steps first: moving them inside their own lines leaves the lines of the top where they are.
    if let Shape::Map(entries) = &root.shape {
        let steps = entries.iter().find(|entry| entry.key == "steps").map(|entry| &entry.value.shape);
        if let Some(Shape::List(items)) = steps {
            for (index, item) in items.iter().enumerate() {
                let end = items.get(index + 1).map(|item| line_of(&source, item));
                reorder(&source, &mut lines, item, &STEP, end);
            }
        }
    }
    reorder(&source, &mut lines, &root, &WORKFLOW, None);
    let mut out = lines.join("\n");
    out.push('\n');
    out
}

/// The line of a node, from 0.
fn line_of(source: &Source<'_>, node: &Node) -> usize {
    source.line_column(node.place.at()).0 - 1
}

/// Sorts the entries of one mapping, each with the comments above it. `next` is the line of whatever follows it.
fn reorder(source: &Source<'_>, lines: &mut [String], node: &Node, table: &Table, next: Option<usize>) {
    let Shape::Map(entries) = &node.shape else { return };
    if source.text()[node.place.at()..].starts_with('{') || entries.len() < 2 {
        return;
    }
    let rows: Vec<(usize, usize)> =
        entries.iter().map(|entry| source.line_column(entry.place.at())).collect();
    let column = rows[0].1;
    // Every key on a line of its own, in one column; anything cleverer stays as it is.
    if rows.iter().any(|row| row.1 != column) || rows.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return;
    }
    let mut starts: Vec<usize> = rows.iter().map(|row| row.0 - 1).collect();
    let indent = column - 1;
    let lead: String = lines[starts[0]].chars().take(indent).collect();
    if lead.trim().is_empty() {
        // Comments right above the first key are about it, unless the file begins with them: then about the file.
        let mut above = starts[0];
        while above > 0 && is_comment_at(&lines[above - 1], indent) {
            above -= 1;
        }
        starts[0] = if above == 0 { starts[0] } else { above };
    }
    let first = starts[0];
    for start in starts.iter_mut().skip(1) {
        while *start > first + 1 && is_comment_at(&lines[*start - 1], indent) {
            *start -= 1;
        }
    }
    let last = next.unwrap_or(lines.len());
    let end = end_of(lines, starts[starts.len() - 1], last, indent);
    let place = |key: &str| table.keys.iter().position(|other| other.name == key).unwrap_or(usize::MAX);
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|number| place(&entries[*number].key));
    if order.is_sorted() {
        return;
    }
    let blank = " ".repeat(indent);
    let mut moved = Vec::with_capacity(end - first);
    for &entry in &order {
        let stop = starts.get(entry + 1).copied().unwrap_or(end);
        let mut chunk: Vec<String> = lines[starts[entry]..stop].to_vec();
        if entry == 0 && !lead.trim().is_empty() {
            chunk[0].replace_range(..lead.len(), &blank);
        }
        moved.extend(chunk);
    }
    // What begins the mapping (`- `) goes to its new first key; comments above that stay above.
    let key_line =
        moved.iter().position(|line| !line.trim().is_empty() && !is_comment_at(line, indent)).unwrap_or(0);
    if !lead.trim().is_empty() {
        let dash = lead.len() - lead.trim_start().len();
        for comment in &mut moved[..key_line] {
            *comment = format!("{}{}", &lead[..dash], comment.trim_start());
        }
    }
    if moved[key_line].starts_with(&blank) {
        moved[key_line].replace_range(..blank.len(), &lead);
    }
    for (line, text) in lines[first..end].iter_mut().zip(moved) {
        *line = text;
    }
}

fn is_comment_at(line: &str, indent: usize) -> bool {
    line.trim_start().starts_with('#') && line.len() - line.trim_start().len() == indent
}

/// The line after the last one of an entry: blank lines and comments that stand no deeper than its key belong to what follows.
fn end_of(lines: &[String], start: usize, last: usize, indent: usize) -> usize {
    let mut end = last.min(lines.len());
    while end > start + 1 {
        let line = &lines[end - 1];
        let depth = line.len() - line.trim_start().len();
        let is_outer = line.trim().is_empty() || line.trim_start().starts_with('#') && depth <= indent;
        if !is_outer {
            break;
        }
        end -= 1;
    }
    end
}
