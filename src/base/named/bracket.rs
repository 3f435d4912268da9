//! The end of a bracket in a shell text.

/// The text up to the bracket that closes it, and the text behind; nothing where none does. Quotes, escapes and comments hold
/// no bracket.
pub(super) fn inside(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let (mut open_now, mut quote, mut before) = (1_usize, None, ' ');
    let mut signs = text.char_indices();
    while let Some((at, c)) = signs.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') | (Some('#'), '\n') => quote = None,
            (Some('\'' | '#'), _) => {}
            (_, '\\') => drop(signs.next()),
            // In double quotes a command may hold quotes of its own: a bracket counts there as well.
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') if before.is_whitespace() && close == ')' => quote = Some('#'),
            (None, _) if c == close => {
                open_now -= 1;
                if open_now == 0 {
                    return Some((&text[..at], &text[at + 1..]));
                }
            }
            (None, _) if c == open => open_now += 1,
            _ => {}
        }
        before = c;
    }
    None
}
