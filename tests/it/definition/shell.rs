//! Scripts with expressions, run by a real bash with hostile values: whatever the value, it stays data.

use super::workflow;
use cuelight_base::{Value, ValueMap};
use cuelight_definition::{Script, StepKind};
use cuelight_expression::MapLookup;
use serde_json::json;
use std::process::Command;

const HOSTILE: &[&str] = &[
    "plain",
    "",
    "two words",
    "\"; rm -rf /; echo \"",
    "$(touch cue-was-here)",
    "`touch cue-was-here`",
    "'; touch cue-was-here; '",
    "a\nb\n",
    "$HOME ${HOME} $((1+1))",
    "*",
    "-n",
    "\\",
    "a[$(touch cue-was-here)]",
    "EOF\ntouch cue-was-here\n",
    "}\"; touch cue-was-here #",
    "ünï\u{202e}cødé 🚦",
    "%s\\n",
    "!! ~ {a,b} <(x)",
];

fn script_of(run: &str) -> Script {
    let indented = run.replace('\n', "\n      ");
    let text =
        format!("timeout: 1m\ninputs: {{x: string}}\nsteps:\n  - id: a\n    run: |\n      {indented}\n");
    match workflow(&text).steps.remove(0).kind {
        StepKind::Run(run) => run.script,
        other => panic!("{other:?}"),
    }
}

/// Output of bash for a script whose input has this value.
#[expect(clippy::disallowed_methods, reason = "the very thing to be shown is what a real shell does")]
fn bash(script: &Script, value: &str) -> String {
    let contexts: ValueMap = [("inputs".to_owned(), json!({"x": value}))].into_iter().collect();
    let lookup = MapLookup::new(contexts);
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &script.script]).current_dir(folder.path());
    for binding in &script.bindings {
        let expr = cuelight_expression::parse(&binding.expression.value).expect("checked");
        command.env(&binding.variable, cuelight_expression::evaluate_text(&expr, &lookup).expect("a value"));
    }
    let output = command.output().expect("bash is there");
    assert!(!folder.path().join("cue-was-here").exists(), "{value:?} was run as code by {}", script.script);
    assert!(output.status.success(), "{}\n{}", script.script, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[track_caller]
fn check(run: &str, becomes: &str, prints: impl Fn(&str) -> String) {
    let script = script_of(run);
    assert_eq!(script.script.trim_end(), becomes);
    for value in HOSTILE {
        assert_eq!(bash(&script, value), prints(value), "{value:?} in {becomes}");
    }
}

#[test]
fn an_unquoted_expression_becomes_one_word() {
    check("printf '<%s>' ${{ inputs.x }}", "printf '<%s>' \"${CUE_1}\"", |text| format!("<{text}>"));
    check("printf '<%s>' a${{ inputs.x }}b", "printf '<%s>' a\"${CUE_1}\"b", |text| format!("<a{text}b>"));
    check("X=${{ inputs.x }}; printf '<%s>' \"$X\"", "X=\"${CUE_1}\"; printf '<%s>' \"$X\"", |text| {
        format!("<{text}>")
    });
}

#[test]
fn inside_double_quotes_the_quotes_stay_open() {
    check("printf '<%s>' \"a ${{ inputs.x }} b\"", "printf '<%s>' \"a ${CUE_1} b\"", |text| {
        format!("<a {text} b>")
    });
    check(
        "printf '<%s>' \"it's \\\"${{ inputs.x }}\\\"\"",
        "printf '<%s>' \"it's \\\"${CUE_1}\\\"\"",
        |text| format!("<it's \"{text}\">"),
    );
}

#[test]
fn the_same_expression_is_one_variable() {
    let script = script_of("printf '<%s>' ${{ inputs.x }} ${{inputs.x}} \"${{ inputs.x == 'a' }}\"");
    assert_eq!(script.script.trim_end(), "printf '<%s>' \"${CUE_1}\" \"${CUE_1}\" \"${CUE_2}\"");
    assert_eq!(bash(&script, "a"), "<a><a><true>");
}

#[test]
fn commands_inside_commands_have_quotes_of_their_own() {
    check(
        "printf '<%s>' \"$(printf %s ${{ inputs.x }}; printf x)\"",
        "printf '<%s>' \"$(printf %s \"${CUE_1}\"; printf x)\"",
        |text| format!("<{text}x>"),
    );
    check(
        "printf '<%s>' \"$(printf %s \"${{ inputs.x }}\"; printf x)\"",
        "printf '<%s>' \"$(printf %s \"${CUE_1}\"; printf x)\"",
        |text| format!("<{text}x>"),
    );
    check(
        "Y=`printf '%s.' ${{ inputs.x }}`; printf '<%s>' \"$Y\"",
        "Y=`printf '%s.' \"${CUE_1}\"`; printf '<%s>' \"$Y\"",
        |text| format!("<{text}.>"),
    );
    check(
        "Y=$(case a in (b) echo no;; a) printf '%s.' ${{ inputs.x }};; esac); printf '<%s>' \"$Y\" ${{ inputs.x }}",
        "Y=$(case a in (b) echo no;; a) printf '%s.' \"${CUE_1}\";; esac); printf '<%s>' \"$Y\" \"${CUE_1}\"",
        |text| format!("<{text}.><{text}>"),
    );
}

#[test]
fn here_documents_take_values_as_they_are() {
    check("cat <<EOF\na ${{ inputs.x }} 'b'\nEOF", "cat <<EOF\na ${CUE_1} 'b'\nEOF", |text| {
        format!("a {text} 'b'\n")
    });
    check(
        "cat <<A; cat <<'B'\n${{ inputs.x }}\nA\n$HOME '\nB\nprintf '<%s>' ${{ inputs.x }}",
        "cat <<A; cat <<'B'\n${CUE_1}\nA\n$HOME '\nB\nprintf '<%s>' \"${CUE_1}\"",
        |text| format!("{text}\n$HOME '\n<{text}>"),
    );
    check("cat <<< ${{ inputs.x }}", "cat <<< \"${CUE_1}\"", |text| format!("{text}\n"));
}

#[test]
fn what_stands_in_a_comment_is_left_out() {
    check(
        "# it's ${{ inputs.x }}\nprintf '<%s>' ${{ inputs.x }} # and ${{\n inputs.x }}' more",
        "# it's …\nprintf '<%s>' \"${CUE_1}\" # and …' more",
        |text| format!("<{text}>"),
    );
    check("printf '<%s>' a#${{ inputs.x }} $#", "printf '<%s>' a#\"${CUE_1}\" $#", |text| {
        format!("<a#{text}><0>")
    });
}

#[test]
fn tests_and_branches_take_values_as_words() {
    check(
        "if [[ ${{ inputs.x }} == plain ]]; then echo yes; else echo no; fi",
        "if [[ \"${CUE_1}\" == plain ]]; then echo yes; else echo no; fi",
        |text| {
            if text == "plain" { "yes\n".to_owned() } else { "no\n".to_owned() }
        },
    );
    check(
        "case ${{ inputs.x }} in plain) echo yes;; *) echo no;; esac",
        "case \"${CUE_1}\" in plain) echo yes;; *) echo no;; esac",
        |text| {
            if text == "plain" { "yes\n".to_owned() } else { "no\n".to_owned() }
        },
    );
    check(
        "for it in ${{ inputs.x }} b; do printf '<%s>' \"$it\"; done",
        "for it in \"${CUE_1}\" b; do printf '<%s>' \"$it\"; done",
        |text| format!("<{text}><b>"),
    );
    check(
        "echo $((1 + (2))) \"${HOME:+x}\"; printf '<%s>' ${{ inputs.x }}",
        "echo $((1 + (2))) \"${HOME:+x}\"; printf '<%s>' \"${CUE_1}\"",
        |text| format!("3 x\n<{text}>"),
    );
}

/// The advice with which the checker refuses a script; `None` if it accepts it.
#[track_caller]
fn refused(run: &str) -> Option<String> {
    let indented = run.replace('\n', "\n      ");
    let text =
        format!("timeout: 1m\ninputs: {{x: string}}\nsteps:\n  - id: a\n    run: |\n      {indented}\n");
    let (workflow, said) = super::read(&text);
    let found = said.iter().find(|diagnostic| diagnostic.is_error());
    assert_eq!(workflow.is_none(), found.is_some());
    found.map(|found| {
        assert_eq!(found.code, "shell-quoting", "{run}: {}", found.message);
        assert!(
            found.message.starts_with("this command reads its arguments as code"),
            "{run}: {}",
            found.message
        );
        found.text(false)
    })
}

#[test]
fn no_value_stands_in_code_of_another_language() {
    for (run, help) in [
        ("python3 -c \"print('${{ inputs.x }}')\"", "os.environ[\"VALUE\"]"),
        ("python3.11 -Ic \"print('${{ inputs.x }}')\"", "os.environ"),
        ("/usr/bin/python -c\"print('${{ inputs.x }}')\"", "os.environ"),
        ("sudo -u www python -u -c \"print('${{ inputs.x }}')\"", "os.environ"),
        ("'python3' '-c' \"print(${{ inputs.x }})\"", "os.environ"),
        ("p\\ython3 -c \"print(${{ inputs.x }})\"", "os.environ"),
        ("python3 <<EOF\nprint('${{ inputs.x }}')\nEOF", "os.environ"),
        ("python3 - a b <<EOF\nprint('${{ inputs.x }}')\nEOF", "os.environ"),
        ("python3 <<< \"print(${{ inputs.x }})\"", "os.environ"),
        ("bash <<< \"echo ${{ inputs.x }}\"", "bash -c"),
        ("xargs perl -ne \"print if /${{ inputs.x }}/\"", "$ENV{VALUE}"),
        ("perl -E \"say '${{ inputs.x }}'\"", "$ENV{VALUE}"),
        ("ruby -rjson -e \"puts '${{ inputs.x }}'\"", "ENV[\"VALUE\"]"),
        ("node -e \"console.log('${{ inputs.x }}')\"", "process.env.VALUE"),
        ("node --eval=\"console.log('${{ inputs.x }}')\"", "process.env.VALUE"),
        ("nodejs -p ${{ inputs.x }}", "process.env.VALUE"),
        ("deno eval \"console.log('${{ inputs.x }}')\"", "process.env.VALUE"),
        ("php -r \"echo '${{ inputs.x }}';\"", "getenv"),
        ("awk \"{ print \\\"${{ inputs.x }}\\\" }\" a.txt", "ENVIRON[\"VALUE\"]"),
        ("seq 3 | gawk -F , -v n=1 \"/${{ inputs.x }}/\"", "ENVIRON"),
        ("awk -e \"/${{ inputs.x }}/\" a.txt", "ENVIRON"),
        ("awk ${{ inputs.x }} a.txt", "ENVIRON"),
        ("find . -exec awk \"/${{ inputs.x }}/\" {} +", "ENVIRON"),
        ("sed -i \"s/@@/${{ inputs.x }}/\" a.txt", "sed knows no variables"),
        ("sed -n -e p -e \"s/a/${{ inputs.x }}/\" a.txt", "sed knows no variables"),
    ] {
        let said = refused(run).unwrap_or_else(|| panic!("{run} was let through"));
        assert!(said.contains(help), "{run}: {said}");
        assert!(said.contains("`env:`") || help == "bash -c", "{run}: {said}");
    }
}

#[test]
fn what_is_data_to_another_language_is_let_through_and_stays_data() {
    for run in [
        "python3 report.py ${{ inputs.x }}",
        "python3 -m json.tool ${{ inputs.x }}",
        "python3 report.py <<EOF\n${{ inputs.x }}\nEOF",
        "perl -w -MCGI report.pl ${{ inputs.x }}",
        "node --enable-source-maps report.js ${{ inputs.x }}",
        "sed -f rules.sed ${{ inputs.x }}",
        "echo awk ${{ inputs.x }}",
        "git log --author=sed ${{ inputs.x }}",
    ] {
        assert_eq!(refused(run), None, "{run}");
    }
    check(
        "printf 'a\\n' | awk -v n=1 '{ printf \"<%s>\", n }' && printf '<%s>' ${{ inputs.x }}",
        "printf 'a\\n' | awk -v n=1 '{ printf \"<%s>\", n }' && printf '<%s>' \"${CUE_1}\"",
        |text| format!("<1><{text}>"),
    );
    check(
        "V=${{ inputs.x }} awk 'BEGIN { printf \"<%s>\", ENVIRON[\"V\"] }'",
        "V=\"${CUE_1}\" awk 'BEGIN { printf \"<%s>\", ENVIRON[\"V\"] }'",
        |text| format!("<{text}>"),
    );
    check(
        "V=${{ inputs.x }} perl -e 'printf \"<%s>\", $ENV{V}'",
        "V=\"${CUE_1}\" perl -e 'printf \"<%s>\", $ENV{V}'",
        |text| format!("<{text}>"),
    );
}

#[test]
fn a_script_without_expressions_is_not_touched() {
    let text = "cat <<'EOF' | sh -c 'cat; echo \"$0\"'\n$(x) `y` \"\nEOF\necho $'a\\'b' \"$(echo ')')\"";
    let script = script_of(text);
    assert_eq!(script.script.trim_end(), text);
    assert!(script.bindings.is_empty());
}

#[test]
fn an_object_reaches_a_script_as_text() {
    let script = script_of("printf '<%s>' ${{ toJSON(inputs) }}");
    let shown: Value = serde_json::from_str(bash(&script, "$(x)").trim_matches(['<', '>'])).expect("JSON");
    assert_eq!(shown, json!({"x": "$(x)"}));
}
