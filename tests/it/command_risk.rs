//! The risk of a command, by what it does: tests/fixtures/command-risk.jsonl has a risk and a command a line.

use cuelight_definition::{Risk, command_risk, words_risk};

fn rows() -> Vec<(String, String)> {
    let text = include_str!("../fixtures/command-risk.jsonl");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect()
}

#[test]
fn a_command_has_the_risk_of_what_it_does() {
    let rows = rows();
    assert!(rows.len() > 200, "{} rows", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .map(|(risk, command)| (risk, command, command_risk(command)))
        .filter(|(risk, _, judged)| judged.risk.word() != risk.as_str())
        .map(|(risk, command, judged)| {
            format!("{command:?}: {} ({}), not {risk}", judged.risk.word(), judged.why)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn high_says_why_and_nothing_else_does() {
    for (_, command) in rows() {
        let judged = command_risk(&command);
        assert_eq!(judged.why.is_empty(), judged.risk != Risk::Irreversible, "{command:?}: {judged:?}");
    }
}

/// A command that only reads never lowers the risk of the command before, after or inside it.
#[test]
fn nothing_harmless_hides_what_is_not() {
    let rows = rows();
    let high = rows.iter().filter(|row| row.0 == "irreversible");
    for (_, command) in high {
        for around in
            ["ls; {}", "ls &&\n{}", "cat a | {}", "git status\n{}\nls", "true || {}", "X=1; {}", "( {} )"]
        {
            let whole = around.replace("{}", command);
            assert_eq!(command_risk(&whole).risk, Risk::Irreversible, "{whole:?}");
        }
    }
    for (risk, command) in &rows {
        let whole = format!("git status && {command}");
        let judged = command_risk(&whole).risk;
        assert!(risk == "read-only" || judged > Risk::ReadOnly, "{whole:?}: {judged:?}");
    }
}

#[test]
fn words_without_a_shell_are_judged_as_they_are() {
    let judged =
        |words: &[&str]| words_risk(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).risk;
    assert_eq!(judged(&["git", "status"]), Risk::ReadOnly);
    assert_eq!(judged(&["cat", "a; rm -rf /"]), Risk::ReadOnly, "no shell reads it");
    assert_eq!(judged(&["bash", "-lc", "git status"]), Risk::ExternallyReversible);
    assert_eq!(judged(&["bash", "-lc", "rm -rf build"]), Risk::Irreversible);
    assert_eq!(judged(&["rm", "-rf", "build"]), Risk::Irreversible);
}

#[test]
fn a_command_that_is_too_long_or_too_deep_is_high_and_judged_at_once() {
    let long = format!("ls {}", "a ".repeat(10_000));
    assert_eq!(command_risk(&long).risk, Risk::Irreversible);
    for part in ["sh ", "env ", "$(", "sh -c '", "`", "\"$(", "((", "xargs sh -c ", "<<E\n", "alias a='"] {
        let text = part.repeat(16_000 / part.len());
        assert!(command_risk(&text).risk > Risk::ReadOnly, "{part:?}");
    }
}
