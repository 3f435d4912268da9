//! Agents that come by themselves: who is there, who is late, and who is lost.

use super::door::{check, play};

const NOTHING: &str = "steps: [{id: a, run: 'true'}]";

#[test]
fn an_agent_that_gives_no_sign_of_life_for_three_intervals_is_lost_and_there_again_when_it_does() {
    check(
        NOTHING,
        "coder-1 comes; wake 89s; wake 1s; coder-1 beats; wake 89s; coder-1 beats; wake 89s",
        "> coder-1 comes
         agent coder-1 is there
         > wake 1s
         agent coder-1 is lost
         agent coder-1 is seen
         > coder-1 beats
         agent coder-1 is seen
         > wake 89s",
    );
    let bench = play(NOTHING, "coder-1 comes; wake 89s; coder-1 beats; wake 89s");
    assert!(!bench.text().contains("lost"), "{}", bench.text());
}

#[test]
fn signs_of_life_that_say_nothing_new_are_not_written_down() {
    let bench =
        play(NOTHING, "coder-1 comes; later 9s; coder-1 beats; later 1s; coder-1 beats; coder-1 beats");
    assert_eq!(bench.text().matches("is seen").count(), 1, "{}", bench.text());
}

#[test]
fn an_agent_is_called_as_its_token_says_or_a_session_of_it() {
    for (line, told) in [
        ("coder-1 comes as=coder-2", "its name is not that of the token"),
        ("coder-1 comes as=coder-12", "its name is not that of the token"),
        ("coder-1 comes as=coder-1/", "its name is not that of the token"),
        ("coder-1 comes as=coder-1/../x", "its name is not that of the token"),
        ("coder-1 comes type=Coding", "cannot be kept"),
        ("coder-1 comes takes=0", "cannot be kept"),
        ("coder-1 comes can=a/b", "cannot be kept"),
        ("coder-1 beats", "there is no such agent here"),
        ("coder-1 leaves", "there is no such agent here"),
    ] {
        let bench = play(NOTHING, line);
        assert!(bench.text().contains(told), "{line}: {}", bench.text());
        assert!(!bench.text().contains("is there\n"), "{line}");
    }
    check(NOTHING, "coder-1 comes as=coder-1/s2", "agent coder-1/s2 is there");
}

#[test]
fn the_same_agent_once_more_changes_nothing_and_another_one_of_its_name_is_refused() {
    check(
        NOTHING,
        "coder-1 comes can=a; coder-1 comes can=a; coder-1 comes can=b; coder-1 leaves; coder-1 comes can=b",
        "agent coder-1 is there
         > coder-1 comes can=b
         says something else of itself
         agent coder-1 left: it is done
         agent coder-1 is there",
    );
}

#[test]
fn while_there_was_no_engine_nobody_is_lost_for_having_said_nothing() {
    check(
        NOTHING,
        "coder-1 comes; later 10h; crash; wake 89s; wake 1s",
        "recovered after
         > wake 89s
         > wake 1s
         agent coder-1 is lost",
    );
}
