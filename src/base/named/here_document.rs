//! The end of a here-document, and its lines.

/// The word that ends a here-document, true where tabs before it do not count, and the text behind: `<<E`, `<<-'end of it'`.
pub(super) fn end_of_document(after: &str) -> (Option<(String, bool)>, &str) {
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
    ((!word.is_empty()).then_some((word, strips_tabs)), &after[end..])
}

/// The lines of a here-document, and the text behind it; nothing where no line ends it.
pub(super) fn document<'a>(text: &'a str, end: &str, strips_tabs: bool) -> (&'a str, &'a str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let plain = line.strip_suffix('\n').unwrap_or(line);
        if if strips_tabs { plain.trim_start_matches('\t') } else { plain } == end {
            return (&text[..at], &text[at + line.len()..]);
        }
        at += line.len();
    }
    ("", text)
}
