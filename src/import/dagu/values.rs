//! The texts of Dagu: references such as `${params.x}`, and environment variables that Dagu itself fills in.
//! Nothing in a text is run: `$(…)` and backticks stay what they are, for the shell that may read them later.

use crate::page::without_holes;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// An expression of ours, without its braces.
    Value(String),
    /// The text between `${` and `}` for a shell.
    Variable(String),
    /// The path of a file that holds the value of this expression.
    File(String),
}

pub(super) type Parts = Vec<Part>;

/// The environment variables that Dagu fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// None: a shell reads the text.
    Shell,
    /// Variables of the workflow; others stay as they stand.
    Own,
    /// Variables of the workflow and of the machine.
    All,
}

/// Looks up what stands between `${` and `}`, or behind `$`.
pub(super) trait Lookup {
    /// A reference with a dot in it, or `params`; none when it stays as it stands.
    fn reference(&self, path: &str, names: Names) -> Option<Parts>;
    /// A variable of the workflow.
    fn variable(&self, name: &str) -> Option<Parts>;
}

/// The pieces of a text.
pub(super) fn parts(text: &str, names: Names, lookup: &dyn Lookup) -> Parts {
    let mut reader = Reader { out: Vec::new(), size: 0, names, lookup };
    reader.read(text);
    reader.out
}

/// Bytes that one text may unfold into; what stands behind them stays as it is.
const SIZE_MAX: usize = 1 << 20;

struct Reader<'l> {
    out: Parts,
    size: usize,
    names: Names,
    lookup: &'l dyn Lookup,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) {
        let (mut rest, mut slashes) = (text, 0_usize);
        let (mut is_single, mut is_double) = (false, false);
        while let Some(c) = rest.chars().next() {
            if c == '$' {
                let taken = self.dollar(rest, slashes % 2 == 1, is_single);
                if taken > 0 {
                    (rest, slashes) = (&rest[taken..], 0);
                    continue;
                }
            }
            slashes = if c == '\\' { slashes + 1 } else { 0 };
            is_single ^= c == '\'' && !is_double;
            is_double ^= c == '"' && !is_single;
            self.text(c.encode_utf8(&mut [0; 4]));
            rest = &rest[c.len_utf8()..];
        }
    }

    fn text(&mut self, text: &str) {
        match self.out.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.out.push(Part::Text(text.to_owned())),
        }
    }

    fn push(&mut self, parts: Parts) {
        for part in parts {
            self.size += size(&part);
            match part {
                Part::Text(text) => self.text(&text),
                other => self.out.push(other),
            }
        }
    }

    /// Takes a reference or a variable at the beginning of a text, and says how many bytes that were.
    fn dollar(&mut self, rest: &str, is_escaped: bool, is_single: bool) -> usize {
        if self.size > SIZE_MAX {
            return 0;
        }
        let braced = rest.strip_prefix("${").and_then(|inner| Some(&inner[..inner.find('}')?]));
        let Some(path) = braced else {
            let name = leading_name(&rest[1..]);
            if name.is_empty() || is_escaped || is_single || self.names == Names::Shell {
                return 0;
            }
            return self.name(name, name, &rest[..=name.len()]);
        };
        let original = &rest[..path.len() + 3];
        if is_reference(path) {
            if is_escaped && is_owned(path) {
                // The last backslash is Dagu's, and goes.
                if let Some(Part::Text(before)) = self.out.last_mut() {
                    before.pop();
                }
                self.text(original);
                return original.len();
            }
            return match self.lookup.reference(path, self.names) {
                Some(parts) => {
                    self.push(parts);
                    original.len()
                }
                None => 0,
            };
        }
        let name = leading_name(path.trim_start_matches('#'));
        if name.is_empty() || is_escaped || is_single || self.names == Names::Shell {
            return 0;
        }
        self.name(name, path, original)
    }

    fn name(&mut self, name: &str, inner: &str, original: &str) -> usize {
        match self.lookup.variable(name) {
            Some(parts) if inner == name => self.push(parts),
            // An operator of a shell is for a shell.
            Some(_) if !inner.contains(['`', '(']) => self.out.push(Part::Variable(inner.to_owned())),
            None if self.names == Names::All && inner == name => {
                self.out.push(Part::Variable(or_itself(name, original)));
            }
            _ => return 0,
        }
        original.len()
    }
}

/// A variable that stays as it was written where it is not set.
pub(super) fn or_itself(name: &str, original: &str) -> String {
    format!("{name}-{}", original.replace('$', "\\$").replace('}', "\\}"))
}

fn leading_name(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let name = &text[..end];
    if name.starts_with(|c: char| c.is_ascii_digit()) { "" } else { name }
}

fn is_reference(path: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    path == "params"
        || path.contains('.') && path.split('.').all(|word| is_word(word.split('[').next().unwrap_or(word)))
}

/// References that a backslash protects.
fn is_owned(path: &str) -> bool {
    let root = path.split('.').next().unwrap_or_default();
    ["consts", "params", "env", "steps", "foreach", "context"].contains(&root)
}

/// Bytes of a piece.
pub(super) fn size(part: &Part) -> usize {
    let (Part::Text(text) | Part::Value(text) | Part::Variable(text) | Part::File(text)) = part;
    text.len() + 8
}

/// A text of ours with holes; none when a shell has to work part of it out.
pub(super) fn with_holes(parts: &Parts) -> Option<String> {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(&without_holes(text)),
            Part::Value(expression) => out.push_str(&format!("${{{{ {expression} }}}}")),
            Part::Variable(_) | Part::File(_) => return None,
        }
    }
    Some(out)
}

/// A text without references; none when there is one.
pub(super) fn plain(parts: &Parts) -> Option<String> {
    match parts.as_slice() {
        [] => Some(String::new()),
        [Part::Text(text)] => Some(text.clone()),
        _ => None,
    }
}

/// The text, escaped for a shell's double quotes.
pub(super) fn in_double_quotes(text: &str) -> String {
    text.chars()
        .flat_map(|c| "\\\"$`".contains(c).then_some('\\').into_iter().chain(std::iter::once(c)))
        .collect()
}
