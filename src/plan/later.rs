//! Which release brings what this one can check and not do: the only place that knows.

/// A word of the file, what a step with it does, and the release that can do it.
const RELEASES: &[(&str, &str, &str)] = &[
    ("retry", "tries a whole workflow again", "0.3"),
    ("fallback", "does something else when a workflow fails", "0.3"),
    ("requires", "says where it may run", "0.5"),
];

/// The release that brings a word.
pub(super) fn release(word: &str) -> Option<&'static str> {
    RELEASES.iter().find(|(it, ..)| *it == word).map(|(.., release)| *release)
}

/// Why a step with this word cannot run yet, and what to do.
///
/// # Panics
/// When the word is not in the table.
pub(super) fn refusal(step: &str, word: &str) -> String {
    let entry = RELEASES.iter().find(|(it, ..)| *it == word);
    let (_, does, release) = entry.expect("every word that waits for a release stands in the table");
    let instead = match word {
        "requires" => "until then, take that key out",
        "retry" | "fallback" => "until then, say it of the steps in that workflow",
        _ => "until then, do it in a `run` step or take it out",
    };
    format!(
        "could not start: step `{step}` {does} (`{word}`), which comes with cuelight {release}; {instead}"
    )
}
