//! Searches of `&` and `/`: words, fields like `state:failed` or `workflow:etl*`, and measures like `age<1h`.
//! `!` before a term inverts it, `a,b` means either, `~fail.*[0-9]` is a regular expression. All terms must
//! match. The caller provides the texts of a row.

use super::pattern::{PATTERN_SIGN, Pattern};

/// A search, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    wanted: Wanted,
    invert: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// Anywhere in the row.
    Anywhere(String),
    /// One of these patterns, in a field.
    Says(String, Vec<String>),
    /// A regular expression: in a field, or anywhere in the row.
    Like(Option<String>, Pattern),
    /// A measure at this side of a value.
    Measures(String, Side, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Below,
    AtMost,
    Equal,
    AtLeast,
    Above,
}

/// The longest first, so that `<=` is not read as `<`.
const SIDES: [(&str, Side); 5] =
    [("<=", Side::AtMost), (">=", Side::AtLeast), ("<", Side::Below), (">", Side::Above), ("=", Side::Equal)];

impl Query {
    /// Reads a search. `known` are the fields and measures rows can have; a sign after anything else is part of a word.
    pub fn parse(text: &str, known: &[&str]) -> Self {
        let terms = text.split_whitespace().filter_map(|word| {
            let invert = word.starts_with('!') && word.len() > 1;
            let word = word.strip_prefix('!').filter(|_| invert).unwrap_or(word);
            if let Some((field, pattern)) = pattern_of(word, known) {
                // What is no pattern is told where it is typed, and filters nothing.
                let wanted = Wanted::Like(field, Pattern::parse(pattern).ok()?);
                return Some(Term { wanted, invert });
            }
            let word = word.to_lowercase();
            let wanted = measure(&word, known).or_else(|| field(&word, known));
            let wanted = match wanted {
                Some(Wanted::Says(_, patterns)) if patterns.is_empty() => return None,
                Some(wanted) => wanted,
                None if word.is_empty() => return None,
                None => Wanted::Anywhere(word),
            };
            Some(Term { wanted, invert })
        });
        Self { terms: terms.collect() }
    }

    /// The error in the first invalid pattern; None if all are valid.
    pub fn problem(text: &str, known: &[&str]) -> Option<String> {
        let patterns = text.split_whitespace().filter_map(|word| {
            let word = word.strip_prefix('!').unwrap_or(word);
            pattern_of(word, known).and_then(|(_, pattern)| Pattern::parse(pattern).err())
        });
        patterns.into_iter().next()
    }

    /// True if the search is empty and matches everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// True if the search uses this measure: its matches may then change without an event.
    pub fn measures(&self, name: &str) -> bool {
        self.terms.iter().any(|term| matches!(&term.wanted, Wanted::Measures(field, ..) if field == name))
    }

    /// Returns true if a row matches. `says` gives the text of a field, `all` the text searched without a
    /// field.
    pub fn fits(&self, says: impl Fn(&str) -> String, all: &str) -> bool {
        self.fits_with(says, |_| None, all)
    }

    /// The same for rows that measure something: spans in milliseconds, all else as it is counted.
    pub fn fits_with(
        &self,
        says: impl Fn(&str) -> String,
        measured: impl Fn(&str) -> Option<u64>,
        all: &str,
    ) -> bool {
        let free = self.terms.iter().any(|term| matches!(term.wanted, Wanted::Anywhere(_)));
        let (all, written) = (if free { all.to_lowercase() } else { String::new() }, all);
        self.terms.iter().all(|term| {
            let fits = match &term.wanted {
                Wanted::Says(field, patterns) => {
                    let said = says(field).to_lowercase();
                    patterns.iter().any(|pattern| {
                        glob(pattern.as_bytes(), said.as_bytes())
                            || said.split(' ').any(|part| part == pattern)
                    })
                }
                Wanted::Like(Some(field), pattern) => pattern.is_in(&says(field)),
                Wanted::Like(None, pattern) => pattern.is_in(written),
                Wanted::Measures(field, side, value) => measured(field).is_some_and(|measured| match side {
                    Side::Below => measured < *value,
                    Side::AtMost => measured <= *value,
                    Side::Equal => measured == *value,
                    Side::AtLeast => measured >= *value,
                    Side::Above => measured > *value,
                }),
                Wanted::Anywhere(pattern) if pattern.contains('*') => {
                    all.split_whitespace().any(|word| glob(pattern.as_bytes(), word.as_bytes()))
                }
                Wanted::Anywhere(pattern) => all.contains(pattern),
            };
            fits != term.invert
        })
    }
}

/// `~etl/.*` or `workflow:~^etl/`
fn pattern_of<'a>(word: &'a str, known: &[&str]) -> Option<(Option<String>, &'a str)> {
    let sign = |word: &'a str| word.strip_prefix(PATTERN_SIGN).filter(|rest| !rest.is_empty());
    if let Some(pattern) = sign(word) {
        return Some((None, pattern));
    }
    let (field, rest) = word.split_once(':')?;
    let field = field.to_lowercase();
    known.contains(&field.as_str()).then_some(())?;
    sign(rest).map(|sign| (Some(field), sign))
}

/// Parses a term such as `state:failed,rejected`; None if it names no known field.
fn field(word: &str, known: &[&str]) -> Option<Wanted> {
    let (field, rest) = word.split_once(':').filter(|(field, _)| known.contains(field))?;
    let patterns = rest.split(',').filter(|part| !part.is_empty()).map(ToOwned::to_owned);
    Some(Wanted::Says(field.to_owned(), patterns.collect()))
}

/// Parses a term such as `age<1h`; None if it is no measure.
fn measure(word: &str, known: &[&str]) -> Option<Wanted> {
    let at = word.find(['<', '>', '='])?;
    let (field, rest) = word.split_at(at);
    let (sign, side) = SIDES.iter().find(|(sign, _)| rest.starts_with(sign))?;
    let value = value(&rest[sign.len()..])?;
    known.contains(&field).then(|| Wanted::Measures(field.to_owned(), *side, value))
}

/// `90s`, `5m`, `1h30m`, `2d` in milliseconds; a number alone as it is.
fn value(text: &str) -> Option<u64> {
    if let Ok(number) = text.trim_end_matches('%').parse() {
        return Some(number);
    }
    let (mut sum, mut number) = (0_u64, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        let count: u64 = std::mem::take(&mut number).parse().ok()?;
        sum = sum.checked_add(count.checked_mul(unit)?)?;
    }
    (number.is_empty() && !text.is_empty()).then_some(sum)
}

/// `*` is any text. The last star is tried again, so the cost is the product of both lengths at most.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, t) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, fits: bool) {
        let query = Query::parse(query, &["state", "workflow", "age", "errors"]);
        let says = |field: &str| if field == "state" { "failed".to_owned() } else { "ETL/orders".to_owned() };
        let measured = |field: &str| if field == "age" { Some(5_400_000) } else { Some(3) };
        assert_eq!(query.fits_with(says, measured, "r-7 ETL/orders failed"), fits);
    }

    #[test]
    fn words_and_fields_must_all_fit() {
        check("", true);
        check("orders", true);
        check("state:failed workflow:etl*", true);
        check("state:fail", false);
        check("!state:failed", false);
        check("!state:done ORDERS", true);
        check("*orders", true);
        check("a:b", false);
        check("!", false);
        check("state:done,failed", true);
        check("state:done,", false);
        check("state:", true);
    }

    #[test]
    fn measures_are_compared() {
        check("age<2h", true);
        check("age<1h", false);
        check("age>=1h30m", true);
        check("!age>1h", false);
        check("errors=3 age<1d", true);
        check("errors>3", false);
        check("errors<=3", true);
        check("age<", false);
        check("age<1x", false);
        check("age<99999999999999999999d", false);
    }

    #[test]
    fn a_regular_expression_is_looked_for_in_the_row_or_in_a_field() {
        check(r"~r-\d+\s+etl", true);
        check("workflow:~^etl/", true);
        check("workflow:~^ETL/ state:~fail|done", true);
        check("workflow:~^Etl", false);
        check("!~orders$", true);
        check("!workflow:~^etl", false);
        check("~", false);
    }

    #[test]
    fn a_broken_pattern_says_why_and_filters_nothing() {
        check("~(", true);
        check("workflow:~[ failed", true);
        assert_eq!(
            Query::problem("x !workflow:~[a", &["workflow"]).as_deref(),
            Some("unclosed character class")
        );
        assert_eq!(Query::problem("x ~a+ workflow:etl", &["workflow"]), None);
    }

    #[test]
    fn a_hostile_pattern_ends() {
        assert!(!glob("*a".repeat(500).as_bytes(), "b".repeat(5_000).as_bytes()));
    }
}
