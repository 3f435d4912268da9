//! The line of a program's output that says why the program failed. Output of both streams stands in one file, so the
//! rules know how runtimes, compilers and shells write a failure; the last line is the answer where nothing else is.

use cuelight_base::{safe_text, shorten, without_sgr};

/// So much of a line that a program wrote goes into a message.
const LINE_CHARS_MAX: usize = 200;
/// A stack trace with more lines after it did not end the program.
const AFTER_TRACE_MAX: usize = 12;

/// Lines that come after the reason: advice, summaries, and what runs other programs.
const AFTER_REASON: [&str; 22] = [
    "make: ***",
    "make[",
    "ninja: build stopped",
    "npm ERR! A complete log",
    "npm error A complete log",
    "npm ERR!     ",
    "note: ",
    "hint: ",
    "help: ",
    "Node.js v",
    "exit status ",
    "[ERROR] -> [Help",
    "[ERROR] For more information",
    "[ERROR] Re-run Maven",
    "For more information",
    "error: aborting due to ",
    "error: could not compile ",
    "compilation terminated",
    "Stack backtrace:",
    "goroutine ",
    "Aborted",
    "+ ",
];

/// The line of an output that says why its program failed, as it may be shown; none where nothing was written.
pub(super) fn cause_line(tail: &str) -> Option<String> {
    let lines: Vec<String> = tail.lines().map(last_state).filter(|line| !line.trim().is_empty()).collect();
    let line = traceback(&lines)
        .or_else(|| panicked(&lines))
        .or_else(|| stack_trace(&lines))
        .or_else(|| compiler(&lines))
        .or_else(|| lines.iter().rev().find(|line| !is_after_reason(line)).cloned())
        .or_else(|| lines.last().cloned())?;
    let line = told_as_json(&line).unwrap_or(line);
    Some(safe_text(&shorten(line.trim(), LINE_CHARS_MAX)))
}

/// A line as a terminal would show it: without colours, and the part after the last carriage return.
fn last_state(line: &str) -> String {
    let line = without_sgr(line);
    line.split('\r').rev().find(|part| !part.trim().is_empty()).unwrap_or_default().trim_end().to_owned()
}

fn is_indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

fn is_after_reason(line: &str) -> bool {
    let line = line.trim();
    AFTER_REASON.iter().any(|begin| line.starts_with(begin)) || !line.chars().any(char::is_alphanumeric)
}

/// Python: the exception stands behind the frames of the last traceback.
fn traceback(lines: &[String]) -> Option<String> {
    let begin =
        lines.iter().rposition(|line| line.trim_start().starts_with("Traceback (most recent call last)"))?;
    let behind = lines[begin + 1..].iter().position(|line| !is_indented(line))?;
    let place = begin + 1 + behind;
    (lines.len() - place <= AFTER_TRACE_MAX).then(|| lines[place].clone())
}

/// Go and Rust: the line of the panic; the message of Rust stands below the place.
fn panicked(lines: &[String]) -> Option<String> {
    let go = |line: &String| line.starts_with("panic: ") || line.starts_with("fatal error: ");
    if lines.iter().any(|line| line.starts_with("goroutine ")) {
        return lines.iter().find(|line| go(line)).cloned();
    }
    let place =
        lines.iter().rposition(|line| line.starts_with("thread '") && line.contains("panicked at "))?;
    let (_, at) = lines[place].split_once("panicked at ")?;
    let message = lines.get(place + 1).filter(|line| at.ends_with(':') && !is_after_reason(line));
    let is_near = lines.len() - place <= 2 * AFTER_TRACE_MAX;
    is_near.then(|| {
        message.map_or_else(|| format!("panicked at {at}"), |text| format!("panicked at {at} {text}"))
    })
}

/// Java and JavaScript: the last cause, else the line above the frames.
fn stack_trace(lines: &[String]) -> Option<String> {
    let is_frame = |line: &String| is_indented(line) && line.trim_start().starts_with("at ");
    let last = lines.iter().rposition(is_frame)?;
    if lines.len() - last > AFTER_TRACE_MAX {
        return None;
    }
    if let Some(cause) = lines.iter().rev().find_map(|line| line.strip_prefix("Caused by: ")) {
        return Some(cause.to_owned());
    }
    let first = lines[..last].iter().rposition(|line| !is_frame(line))?;
    lines[first].contains(':').then(|| lines[first].clone())
}

/// Compilers and test runners: the first error; those behind it often follow from it.
fn compiler(lines: &[String]) -> Option<String> {
    let is_error = |line: &str| {
        let line = line.trim_start();
        line.starts_with("error:")
            || line.starts_with("error[")
            || line.starts_with("E   ")
            || line.starts_with("--- FAIL: ")
            || [": error:", ": fatal error:", ": error TS", ": error CS"]
                .iter()
                .any(|mark| line.contains(mark))
    };
    lines.iter().find(|line| is_error(line) && !is_after_reason(line)).cloned()
}

/// The message of a line of JSON, as programs write their logs.
fn told_as_json(line: &str) -> Option<String> {
    let line = line.trim();
    let value: serde_json::Value = line.starts_with('{').then(|| serde_json::from_str(line).ok())??;
    let texts = ["error", "err", "exception", "message", "msg"].iter().filter_map(|key| value.get(key));
    let text = texts.filter_map(|text| text.as_str().or_else(|| text.get("message")?.as_str()));
    text.map(ToOwned::to_owned).find(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tail: &str, line: &str) {
        assert_eq!(cause_line(tail).as_deref(), Some(line), "{tail}");
    }

    #[test]
    fn a_traceback_gives_its_exception_and_a_shell_its_last_line() {
        check(
            "loading\nTraceback (most recent call last):\n  File \"load.py\", line 4, in <module>\n    \
             db.execute(q)\n    ~~~~~~~~~~^^^\nsqlite3.IntegrityError: UNIQUE constraint failed: orders.order_id\n",
            "sqlite3.IntegrityError: UNIQUE constraint failed: orders.order_id",
        );
        check(
            "Traceback (most recent call last):\n  File \"a\"\nKeyError: 'x'\n\nDuring handling of the above \
             exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b\"\n\
             app.Failed: no price\nmake: *** [Makefile:2: all] Error 1\n",
            "app.Failed: no price",
        );
        check("one\ntwo\npsql: error connecting\n\n", "psql: error connecting");
        check(
            "bash: line 3: cd: /nope: No such file or directory",
            "bash: line 3: cd: /nope: No such file or directory",
        );
        let handled =
            format!("Traceback (most recent call last):\n  x\nOldError: y\n{}gave up", "z\n".repeat(20));
        check(&handled, "gave up");
    }

    #[test]
    fn a_compiler_gives_its_first_error() {
        check(
            "warning: unused\nerror[E0308]: mismatched types\n --> src/a.rs:1:2\nerror[E0599]: no method\nerror: \
             could not compile `a` (lib) due to 2 previous errors\n",
            "error[E0308]: mismatched types",
        );
        check(
            "cc -c a.c\na.c:3:5: error: 'x' undeclared\n    3 |     x;\n      |     ^\nmake: *** [Makefile:2: a.o] Error 1",
            "a.c:3:5: error: 'x' undeclared",
        );
        check("a.ts(3,5): error TS2322: no\nFound 1 error.", "a.ts(3,5): error TS2322: no");
        check("error: could not compile `a`\n", "error: could not compile `a`");
        check("E   assert 1 == 2\nFAILED t.py::t\n== 1 failed in 0.1s ==", "E   assert 1 == 2");
    }

    #[test]
    fn a_panic_and_a_stack_trace_give_their_message() {
        check(
            "thread 'main' panicked at src/main.rs:2:5:\nno price for A-7\nnote: run with `RUST_BACKTRACE=1`\n",
            "panicked at src/main.rs:2:5: no price for A-7",
        );
        check(
            "panic: runtime error: index out of range [3]\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:4 +0x1d\nexit status 2",
            "panic: runtime error: index out of range [3]",
        );
        check(
            "/srv/a.js:1\nthrow new Error('no price')\n^\n\nError: no price\n    at Object.<anonymous> (/srv/a.js:1:7)\n    \
             at Module._compile\n\nNode.js v22.1.0",
            "Error: no price",
        );
        check(
            "Exception in thread \"main\" java.lang.RuntimeException: load\n\tat A.main(A.java:3)\nCaused by: \
             java.sql.SQLException: locked\n\tat B.go(B.java:9)\n\t... 1 more",
            "java.sql.SQLException: locked",
        );
    }

    #[test]
    fn colours_progress_and_json_are_read_as_people_see_them() {
        check("\u{1b}[31mno such table\u{1b}[0m\n", "no such table");
        check("10%\r20%\rdisk is full\n", "disk is full");
        check("{\"level\":\"error\",\"msg\":\"no route\",\"at\":3}", "no route");
        check("{\"error\":{\"message\":\"denied\"}}", "denied");
        check("\u{1b}[2Jx", "␛[2Jx");
        check("----\n}\n", "}");
        assert_eq!(cause_line(" \n\n"), None);
        assert_eq!(cause_line(&"y".repeat(4096)).map(|line| line.chars().count()), Some(LINE_CHARS_MAX));
    }
}
