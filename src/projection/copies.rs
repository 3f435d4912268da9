//! Ids of many steps in few words: the copies of one step stand behind its name once. Nothing is left out, for what an
//! answer starts is read before it is given. How it is wrapped is left to the view.

/// So many numbers in a row are told as `1 to 200`.
const ROW_LEAST: usize = 3;

/// `canary, measure[eu, us], load[1 to 200]` for a list with each copy by itself; a step that holds copies stands with
/// them.
pub fn names_in_words(names: &[String]) -> String {
    let mut parts: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in names {
        let (step, copy) = parted(name);
        match parts.last_mut() {
            Some((last, copies)) if *last == step => copies.extend(copy),
            _ => parts.push((step, copy.into_iter().collect())),
        }
    }
    let words = parts.into_iter().map(|(step, copies)| match copies.as_slice() {
        [] => step.to_owned(),
        copies => format!("{step}[{}]", in_rows(copies).join(", ")),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The step, and which of its copies; what has a comma in it could not be told apart among others.
fn parted(name: &str) -> (&str, Option<&str>) {
    let copy = name.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
    copy.filter(|(_, rest)| !rest.contains(',')).map_or((name, None), |(step, copy)| (step, Some(copy)))
}

/// Numbers that follow one another, told by the first and the last.
fn in_rows(copies: &[&str]) -> Vec<String> {
    let follows = |before: &&str, after: &&str| {
        let number = |copy: &str| copy.parse::<u64>().ok().filter(|number| number.to_string() == copy);
        number(before).zip(number(after)).is_some_and(|(before, after)| before.checked_add(1) == Some(after))
    };
    let mut out = Vec::new();
    for row in copies.chunk_by(follows) {
        match row {
            [first, .., last] if row.len() >= ROW_LEAST => out.push(format!("{first} to {last}")),
            _ => out.extend(row.iter().map(|value| (*value).to_owned())),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], expected: &str) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(names_in_words(&names), expected);
    }

    #[test]
    fn copies_stand_behind_their_step_and_none_is_left_out() {
        check(&[], "");
        check(
            &["canary", "measure", "measure[eu]", "measure[us]", "verify"],
            "canary, measure[eu, us], verify",
        );
        check(&["roll[eu]", "roll", "a", "roll[us]"], "roll[eu], a, roll[us]");
        check(&["a", "ab[1]", "a[2]", "a[b][1]"], "a, ab[1], a[2], a[b][1]");
    }

    #[test]
    fn numbers_in_a_row_are_told_by_their_ends() {
        let many: Vec<String> = (1..=200).map(|index| format!("load[{index}]")).collect();
        assert_eq!(names_in_words(&many), "load[1 to 200]");
        check(&["l[1]", "l[2]", "l[4]", "l[5]", "l[6]", "l[x]"], "l[1, 2, 4 to 6, x]");
        check(&["l[08]", "l[09]", "l[10]"], "l[08, 09, 10]");
    }

    #[test]
    fn copies_that_could_be_taken_for_two_stand_alone() {
        check(&["build[linux, 18]", "build[mac, 20]"], "build[linux, 18], build[mac, 20]");
    }
}
