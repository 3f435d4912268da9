//! What `&` and `/` look for: words, and fields like `state:failed` or `workflow:etl*`; `!` before one inverts it.
//! All of them must fit. What a row says of itself is the caller's matter.

/// A search, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    field: Option<String>,
    pattern: String,
    invert: bool,
}

impl Query {
    /// Reads a search. `known` are the fields rows can have; a colon after anything else is part of a word.
    pub fn parse(text: &str, known: &[&str]) -> Self {
        let terms = text.split_whitespace().filter_map(|word| {
            let invert = word.starts_with('!') && word.len() > 1;
            let word = word.strip_prefix('!').filter(|_| invert).unwrap_or(word).to_lowercase();
            let (field, pattern) = match word.split_once(':') {
                Some((field, rest)) if known.contains(&field) => (Some(field.to_owned()), rest.to_owned()),
                _ => (None, word),
            };
            (!pattern.is_empty()).then_some(Term { field, pattern, invert })
        });
        Self { terms: terms.collect() }
    }

    /// Whether everything fits.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a row fits. `says` gives what it says in a field, `all` what is searched without one.
    pub fn fits(&self, says: impl Fn(&str) -> String, all: &str) -> bool {
        let all =
            if self.terms.iter().any(|it| it.field.is_none()) { all.to_lowercase() } else { String::new() };
        self.terms.iter().all(|term| {
            let fits = match &term.field {
                Some(field) => {
                    let said = says(field).to_lowercase();
                    glob(term.pattern.as_bytes(), said.as_bytes())
                        || said.split(' ').any(|it| it == term.pattern)
                }
                None if term.pattern.contains('*') => {
                    all.split_whitespace().any(|word| glob(term.pattern.as_bytes(), word.as_bytes()))
                }
                None => all.contains(&term.pattern),
            };
            fits != term.invert
        })
    }
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
        let query = Query::parse(query, &["state", "workflow"]);
        let says = |field: &str| if field == "state" { "failed".to_owned() } else { "ETL/orders".to_owned() };
        assert_eq!(query.fits(says, "r-7 ETL/orders failed"), fits);
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
    }

    #[test]
    fn a_hostile_pattern_ends() {
        assert!(!glob("*a".repeat(500).as_bytes(), "b".repeat(5_000).as_bytes()));
    }
}
