//! The end of a here-document, and its lines.

/// A here-document that begins behind the next line end.
pub(super) struct Document {
    /// The line that ends it.
    pub(super) end: String,
    /// Tabs before that line do not count.
    pub(super) strips_tabs: bool,
    /// A shell takes it as it is written.
    pub(super) is_quoted: bool,
    /// Its end is a name, without quotes or in one pair of them.
    pub(super) is_plain: bool,
}

/// The document behind `<<`, and the text behind its end: `<<E`, `<<-'end of it'`.
pub(super) fn end_of_document(after: &str) -> (Option<Document>, &str) {
    let strips_tabs = after.starts_with('-');
    let after = after.trim_start_matches(['-', ' ', '\t']);
    let (mut word, mut quote, mut end) = (String::new(), None, after.len());
    for (at, c) in after.char_indices() {
        match quote {
            Some(sign) if c == sign => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_whitespace() || ";|&<>()".contains(c) => {
                end = at;
                break;
            }
            None if c == '\\' => {}
            _ => word.push(c),
        }
    }
    let written = &after[..end];
    let is_name = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_plain = is_name
        && [word.clone(), format!("'{word}'"), format!("\"{word}\""), format!("\\{word}")]
            .iter()
            .any(|plain| plain == written);
    let is_quoted = written != word;
    ((!word.is_empty()).then_some(Document { end: word, strips_tabs, is_quoted, is_plain }), &after[end..])
}

/// The lines of a here-document, and the text behind it; nothing where no line ends it.
pub(super) fn document<'a>(text: &'a str, end: &str, strips_tabs: bool) -> Option<(&'a str, &'a str)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let plain = line.strip_suffix('\n').unwrap_or(line);
        if if strips_tabs { plain.trim_start_matches('\t') } else { plain } == end {
            return Some((&text[..at], &text[at + line.len()..]));
        }
        at += line.len();
    }
    None
}
