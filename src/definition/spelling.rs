//! Words that were nearly right: which known word was probably meant.

/// The known word nearest to what was written, when it is near enough to be meant.
pub fn suggest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let fold = |text: &str| text.to_lowercase().replace(['_', ' ', '.'], "-");
    let folded = fold(written);
    if folded.len() > WORD_BYTES_MAX {
        return None;
    }
    let near = |word: &'k str| {
        let other = fold(word);
        if other.len() > WORD_BYTES_MAX {
            return None;
        }
        let away = distance(&folded, &other);
        let most = (folded.chars().count().max(other.chars().count()) / 3).max(1);
        let shared = folded.len() >= 3 && (other.starts_with(&folded) || folded.starts_with(&other));
        (away <= most || shared && other.len() >= 3).then_some((away, word))
    };
    known.into_iter().filter_map(near).min_by_key(|(away, _)| *away).map(|(_, word)| word)
}

/// Longer words are never near enough to be worth the work.
const WORD_BYTES_MAX: usize = 64;

/// Letters to add, drop, change or swap.
fn distance(one: &str, other: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let width = b.len() + 1;
    let mut rows: Vec<Vec<usize>> = vec![(0..width).collect()];
    for (i, c) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, d) in b.iter().enumerate() {
            let change = rows[i][j] + usize::from(c != d);
            row[j + 1] = change.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *c == b[j - 1] && a[i - 1] == *d {
                row[j + 1] = row[j + 1].min(rows[i - 1][j - 1] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// `a`, `a or b`, `a, b or c`
pub(super) fn any_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_and_a_far_one_is_not() {
        let known = ["needs", "name", "max-parallel", "retry", "runs-on"];
        for (written, meant) in [
            ("neds", Some("needs")),
            ("need", Some("needs")),
            ("Name", Some("name")),
            ("max_parallel", Some("max-parallel")),
            ("rtery", Some("retry")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(suggest(written, known), meant, "{written}");
        }
    }
}
