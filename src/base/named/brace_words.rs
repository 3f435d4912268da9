//! The words that one word with braces stands for: `{a,b}.sh`, `{1..3}.sh`.

use super::limits::BRACES_MAX;

/// Bytes in which the end of braces is looked for.
const BRACES_BYTES_MAX: usize = 1024;
/// Braces in braces; more are not read as alternatives.
const NESTED_MAX: usize = 8;

/// The text in braces and the text behind them, for alternatives; nothing for a list of commands.
pub(super) fn braces(text: &str) -> Option<(&str, &str)> {
    let mut open = 1_usize;
    for (at, c) in text.char_indices().take(BRACES_BYTES_MAX) {
        match c {
            '{' if open > NESTED_MAX => return None,
            '{' => open += 1,
            '}' if open == 1 => {
                let (group, after) = (&text[..at], &text[at + 1..]);
                return (group.contains(',') || range(group).is_some()).then_some((group, after));
            }
            '}' => open -= 1,
            c if c.is_whitespace() || ";|&()<>$`".contains(c) => return None,
            _ => {}
        }
    }
    None
}

/// The words that a group in braces stands for: `a`, `b1`, `b2` of `a,b{1,2}`, and `1`, `2`, `3` of `1..3`.
/// One more than are taken where there are too many.
pub(super) fn alternatives(group: &str) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(range) = range(group) {
        return range;
    }
    let (mut depth, mut start) = (0_usize, 0);
    let ends = group.char_indices().filter(|(_, c)| {
        depth = depth + usize::from(*c == '{') - usize::from(*c == '}');
        *c == ',' && depth == 0
    });
    for end in ends.map(|entry| entry.0).collect::<Vec<_>>().into_iter().chain([group.len()]) {
        let part = &group[start..end];
        start = end + 1;
        unbrace(part, &mut out);
        if out.len() > BRACES_MAX {
            break;
        }
    }
    out.iter_mut().for_each(|value| value.retain(|c| !"'\"\\".contains(c)));
    out
}

/// Every word that a text with braces in it stands for.
fn unbrace(text: &str, out: &mut Vec<String>) {
    if out.len() > BRACES_MAX {
        return;
    }
    let group = text.match_indices('{').find_map(|(at, _)| Some((at, braces(&text[at + 1..])?)));
    let Some((at, (group, after))) = group else { return out.push(text.to_owned()) };
    for alternative in alternatives(group) {
        unbrace(&format!("{}{alternative}{after}", &text[..at]), out);
    }
}

/// `1..3`, `a..c`
fn range(group: &str) -> Option<Vec<String>> {
    let (from, to) = group.split_once("..")?;
    let many = BRACES_MAX + 1;
    if let (Ok(from), Ok(to)) = (from.parse::<i64>(), to.parse::<i64>()) {
        return Some((from.min(to)..=from.max(to)).take(many).map(|index| index.to_string()).collect());
    }
    let one = |text: &str| text.parse::<char>().ok().filter(char::is_ascii_alphabetic);
    let (from, to) = (one(from)?, one(to)?);
    Some((from.min(to)..=from.max(to)).take(many).map(String::from).collect())
}
