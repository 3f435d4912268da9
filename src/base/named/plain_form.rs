//! Short forms that the judge of shell text takes as they stand: ranges, numbers, names, parameters.

/// `1..3`, `a..c`: both ends as they are counted.
pub(super) fn is_plain_range(group: &str) -> bool {
    let Some((from, to)) = group.split_once("..") else { return false };
    let is_number = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits == "0" && text == "0"
            || !digits.is_empty()
                && digits.len() < 10
                && !digits.starts_with('0')
                && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_lower = |text: &str| text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_upper = |text: &str| text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    [is_number(from) && is_number(to), is_lower(from) && is_lower(to), is_upper(from) && is_upper(to)]
        .contains(&true)
}

/// The inside of `$((…))` that sets no variable and runs no command.
pub(super) fn is_number(inner: &str) -> bool {
    let Some(inner) = inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) else { return false };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_ \t+-*/%<>=!&|~?:(){}$".contains(c);
    let compares =
        ["==", "!=", "<=", ">="].iter().fold(inner.to_owned(), |text, sign| text.replace(sign, " "));
    let sets = ["=", "++", "--", "$(", "<<=", ">>="].iter().any(|sign| compares.contains(sign));
    inner.chars().all(is_plain) && !sets && !inner.contains("<<=") && !inner.contains(">>=")
}

/// The inside of `${…}` that the reader takes for one of its values, or for one that is not known.
pub(super) fn is_parameter(inner: &str) -> bool {
    let inner = inner.strip_prefix(['#', '!']).filter(|rest| !rest.is_empty()).unwrap_or(inner);
    let end = inner.find(|c: char| !is_of_name(c)).unwrap_or(inner.len());
    let end = if end == 0 && inner.starts_with(['@', '*', '#', '?', '$', '-']) { 1 } else { end };
    let (name, rest) = inner.split_at(end);
    let is_index = |c: char| is_of_name(c) || "@*$+- ".contains(c);
    let rest = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((index, rest)) if index.chars().all(is_index) => rest,
        _ => rest,
    };
    let is_operand = |c: char| c.is_alphanumeric() || "_./%+:=~^*?-[]!, #@/\t".contains(c);
    let operand = |text: &str| {
        let text = text.replace('\\', "");
        let parts: Vec<&str> = text.split('$').collect();
        let starts = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        parts.iter().all(|part| part.chars().all(is_operand)) && parts[1..].iter().all(starts)
    };
    !name.is_empty()
        && (rest.is_empty()
            || rest.starts_with([':', '-', '=', '+', '?', '#', '%', '/', '^', ',']) && operand(&rest[1..]))
}

pub(super) fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
