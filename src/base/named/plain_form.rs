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

/// Names whose values arithmetic evaluates, which runs the commands in them. Nothing where it may set a variable, run a command,
/// or put a name together.
pub(super) fn evaluated(text: &str) -> Option<Vec<&str>> {
    let is_plain = |c: char| is_of_name(c) || " \t\n+-*/%<>=!&|~?:(){}$#".contains(c);
    let compares =
        ["==", "!=", "<=", ">="].iter().fold(text.to_owned(), |text, sign| text.replace(sign, " "));
    let sets = ["=", "++", "--", "$(", "{!", "$$"].iter().any(|sign| compares.contains(sign));
    let sets = sets || text.contains("<<=") || text.contains(">>=");
    // `((a) || (b))` may be two lists of commands.
    let mut open = 0_usize;
    let is_balanced = text.chars().all(|c| match c {
        ')' if open == 0 => false,
        c => {
            open = open + usize::from(c == '(') - usize::from(c == ')');
            true
        }
    });
    let mut names = Vec::new();
    let mut before = "";
    for (at, part) in text.split('$').enumerate() {
        // `a$x`, `${x}$y` and `$1` are more than one name.
        let joins = at > 0 && before.ends_with(|c| is_of_name(c) || c == '}');
        if joins || at > 0 && part.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        before = part;
        // `$#`, `$?`, `${#x}`: numbers that the shell counts.
        let after = part.strip_prefix("{#").and_then(|part| part.split_once('}'));
        let counted =
            if at > 0 { part.strip_prefix(['#', '?']).or(after.map(|halves| halves.1)) } else { None };
        let rest = counted.unwrap_or(part);
        if rest.contains('#') || counted.is_some() && rest.starts_with(is_of_name) {
            return None;
        }
        let words = rest.split(|c| !is_of_name(c)).filter(|word| !word.is_empty());
        names.extend(words.filter(|word| !word.starts_with(|c: char| c.is_ascii_digit())));
    }
    (text.replace("[@]}", "}").chars().all(is_plain) && !sets && is_balanced).then_some(names)
}

/// The parts of `${…}` that are arithmetic: an index, a place and a length.
pub(super) fn arithmetic_of(inner: &str) -> Vec<&str> {
    let (mut rest, mut found) =
        (inner.trim_start_matches(|c| is_of_name(c) || "@*#!".contains(c)), Vec::new());
    if let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        found.extend(Some(index).filter(|index| !["@", "*"].contains(index)));
        rest = after;
    }
    found.extend(rest.strip_prefix(':').filter(|rest| !rest.starts_with(['-', '=', '+', '?'])));
    found
}

/// The inside of `${…}` that the reader takes for one of its values, or for one that is not known.
pub(super) fn is_parameter(inner: &str) -> bool {
    // `${!x}` evaluates the value of `x`.
    if inner.starts_with('!') && inner.len() > 1 && !inner.ends_with("[@]") && !inner.ends_with("[*]") {
        return false;
    }
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
