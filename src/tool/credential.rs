//! Tells a text that gives something away: a key, a token, a password, by the form it has. Which values are secret here is for `mask`;
//! this looks for those that nobody has declared.
//!
//! A password that looks like a word is not found.

use regex::Regex;
use std::sync::LazyLock;

/// Kinds of credentials: the name of each, and a pattern for its form.
const FORMS: &[(&str, &str)] = &[
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("a key of AWS", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a token of GitHub", r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{40,}"),
    ("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("a token of Slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Za-z0-9/]{20,}"),
    ("a key of Google", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("a key of a model", r"\bsk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{20,}"),
    ("a key of Stripe", r"\b[rs]k_(?:live|test)_[0-9a-zA-Z]{16,}"),
    ("a token of a registry", r"\bnpm_[A-Za-z0-9]{36}|\bpypi-AgE[A-Za-z0-9_-]{30,}|\bcio[A-Za-z0-9]{32}\b"),
    ("a token of Hugging Face", r"\bhf_[A-Za-z0-9]{30,}"),
    ("a secret of a webhook", r"\bwhsec_[A-Za-z0-9+/=]{20,}"),
    ("a signed token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("a bearer token", r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{20,}"),
    ("an address with a password", r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]+:[^\s/@$<{*]{3,}@"),
];

/// A name that says so, and a value behind it.
const ASSIGNED: &str = r#"(?i)(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token|private[_-]?key|credential)s?["']?\s*(?:[:=]|=>|is)\s*["']?([^\s"'`<>{}$*,;()\[\]]{8,})"#;

/// Characters that a value has to have, for one behind a name to be taken for a password.
const PASSWORD_CHARS_MIN: usize = 8;

struct Forms {
    forms: Vec<(&'static str, Regex)>,
    assigned: Regex,
}

static KNOWN: LazyLock<Forms> = LazyLock::new(|| {
    let read = |pattern: &str| Regex::new(pattern).expect("a pattern of ours, tried by a test");
    let forms = FORMS.iter().map(|(what, pattern)| (*what, read(pattern))).collect();
    Forms { forms, assigned: read(ASSIGNED) }
});

/// The kind of credential that a text contains, if any, for example `a private key`.
pub fn credential_in(text: &str) -> Option<&'static str> {
    let found = KNOWN.forms.iter().find(|(_, form)| form.is_match(text)).map(|form| form.0);
    found.or_else(|| {
        let mut values = KNOWN.assigned.captures_iter(text).filter_map(|value| value.get(1));
        values.any(|value| is_password(value.as_str())).then_some("a password or key behind its name")
    })
}

/// Letters and digits, and no word for one.
fn is_password(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let stands_for_one = [
        "example",
        "placeholder",
        "changeme",
        "xxxx",
        "redacted",
        "your",
        "env.",
        "env::",
        "process.",
        "secrets.",
    ];
    value.chars().count() >= PASSWORD_CHARS_MIN
        && value.chars().any(|c| c.is_ascii_digit())
        && value.chars().any(|c| c.is_ascii_alphabetic())
        && !stands_for_one.iter().any(|text| lower.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_something_away_is_told_from_what_speaks_of_it() {
        let aws = format!("AKIA{}", "IOSFODNN7EXAMPLE");
        for text in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----",
            &aws,
            &format!("use ghp_{} for it", "a1B2".repeat(9)),
            &format!("sk-ant-{}", "x9".repeat(20)),
            &format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.{}", "a".repeat(20)),
            "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
            "postgres://shop:hunter22@db/shop",
            "password = \"hunter2hunter\"",
            "\"api_key\": \"9f8e7d6c5b4a\"",
            "The password is tr0ub4dor&3",
            "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCY",
        ] {
            assert!(credential_in(text).is_some(), "{text}");
        }
        for text in [
            "We hash every password with argon2id and a salt",
            "password = ${DB_PASSWORD_1}",
            "password: <your password here>",
            "api_key = os.environ[\"KEY1\"]",
            "secret: example1234",
            "tokens are checked in src/gateway/token/ring.rs",
            "https://example.org/a:b",
            "the private key stays on the laptop",
            "sk-short",
        ] {
            assert_eq!(credential_in(text), None, "{text}");
        }
    }
}
