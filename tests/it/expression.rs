//! Expressions: text in, value or error out. GitHub's own cases are read from outside; ours stand here.

use std::{fs, path::Path};

use cuelight_base::{Value, ValueMap, shorten};
use cuelight_expression::{
    EvalError, ExprErrorKind, Lookup, MapLookup, Names, NoHash, Part, StatusFunction, Template, evaluate,
    evaluate_truth, parse, parse_with, to_text, truthy,
};
use proptest::prelude::*;
use serde_json::json;

/// Lower limit for GitHub's official cases: with fewer, they were not read.
const OFFICIAL_CASES_MIN: usize = 600;

fn contexts() -> MapLookup {
    let Value::Object(map) = json!({
        "steps": {
            "build": { "outputs": { "tag": "v1.2", "Count": 3 }, "result": "success" },
            "test": { "outputs": { "tag": "none" }, "result": "failure" },
        },
        "matrix": { "os": "linux", "versions": [1, 2.5, 10], "step": "BUILD" },
        "inputs": { "name": "it's", "id": 123_456_789_012_345_678_u64, "price": 1.0, "none": null, "flag": false },
    }) else {
        unreachable!("written as an object")
    };
    MapLookup::new(map)
}

/// The value as JSON, or the error's text.
#[track_caller]
fn check(text: &str, expected: &str) {
    let said = match parse(text) {
        Ok(expr) => {
            evaluate(&expr, &contexts()).map_or_else(|error| error.to_string(), |value| value.to_string())
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(said, expected, "{}", shorten(text, 200));
}

#[track_caller]
fn check_template(text: &str, expected: &str) {
    let said = match Template::parse(text) {
        Ok(template) => {
            template.evaluate(&contexts()).map_or_else(|error| error.to_string(), |value| value.to_string())
        }
        Err(error) => format!("{} {:?}: {error}", error.position, &text[error.span.clone()]),
    };
    assert_eq!(said, expected, "{}", shorten(text, 200));
}

#[track_caller]
fn check_error(text: &str, kind: ExprErrorKind, position: usize) {
    let error = parse(text).expect_err("a mistake");
    assert_eq!((error.kind, error.position), (kind, position), "{}", shorten(text, 200));
}

#[test]
fn every_official_case_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/expressions");
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("skipped: GitHub's cases are not at {}", folder.display());
        return;
    };
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        let file = file.expect("the folder can be listed").path();
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a file of cases is UTF-8");
        let groups: ValueMap = serde_json::from_str(&text).expect("a file of cases is JSON");
        for case in groups.values().flat_map(|group| group.as_array().expect("a group is a list")) {
            count += 1;
            if let Err(said) = official_case(case) {
                wrong.push(format!("{}: {}: {said}", file.display(), case["expr"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= OFFICIAL_CASES_MIN, "only {count} cases were read");
}

fn official_case(case: &Value) -> Result<(), String> {
    let text = case["expr"].as_str().expect("an expression");
    let contexts = case["contexts"].as_object().cloned().unwrap_or_default();
    let names = Names::contexts(contexts.keys().map(String::as_str));
    let (kind, said) = match parse_with(text, &names) {
        Err(error) => (if error.kind.is_lexing() { "lexing" } else { "parsing" }, error.to_string()),
        Ok(expr) => match evaluate(&expr, &MapLookup::new(contexts)) {
            Err(error) => ("evaluation", error.to_string()),
            Ok(value) => {
                let expected = &case["result"];
                let same = expected["kind"] == kind_name(&value) && same_value(&expected["value"], &value);
                return if same { Ok(()) } else { Err(format!("{value} instead of {expected}")) };
            }
        },
    };
    // A case gives the beginning of the text.
    let expected = &case["err"];
    let same =
        expected["kind"] == kind && expected["value"].as_str().is_some_and(|value| said.starts_with(value));
    if same { Ok(()) } else { Err(format!("{kind} error {said:?} instead of {expected}")) }
}

fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}

fn same_value(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => one.as_f64() == two.as_f64(),
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same_value(one, two))
        }
        (Value::Object(one), Value::Object(two)) => {
            one.len() == two.len()
                && one.iter().zip(two).all(|(one, two)| one.0 == two.0 && same_value(one.1, two.1))
        }
        _ => one == two,
    }
}

#[test]
fn a_path_is_found_in_any_case_of_letters() {
    check("STEPS.Build.outputs.count", "3");
    check("steps[matrix.step].outputs['TAG']", r#""v1.2""#);
    check("matrix.versions[2]", "10");
    check("matrix['versions'][' 0x1 ']", "2.5");
    check("matrix.versions[true]", "2.5");
    check("matrix.versions.*", "[1,2.5,10]");
    check("steps.*.outputs.tag", r#"["v1.2","none"]"#);
    check("contains(steps.*.result, 'FAILURE')", "true");
    check("fromJSON('{\"a\":[{\"b\":7}]}').a[0].b", "7");
    check("'\u{130}' == 'i'", "false");
}

#[test]
fn what_is_missing_is_null() {
    check("steps.nowhere.outputs.tag", "null");
    check("nothing", "null");
    check("inputs.name.first.second", "null");
    check("matrix.versions[-1] == null", "true");
    check("inputs.none || 'default'", r#""default""#);
}

#[test]
fn an_object_equals_only_itself() {
    check("steps == Steps", "true");
    check("steps.build == steps['BUILD']", "true");
    check("steps.build == steps.test", "false");
    check("steps == matrix", "false");
    check("fromJSON('{}') == fromJSON('{}')", "false");
    check("inputs.nothing == inputs.none", "true");
}

#[test]
fn numbers_are_written_as_github_writes_them() {
    for (written, expected) in [
        ("1.0", "1"),
        ("0.1", "0.1"),
        ("123456.789", "123456.789"),
        ("123456789012345", "123456789012345"),
        ("1234567890123456789", "1.23456789012346E+18"),
        ("0.0001", "0.0001"),
        ("0.000012", "1.2E-05"),
        ("1e400", "Infinity"),
        ("-0", "0"),
        ("0xffffffffff", "1099511627775"),
        ("-Infinity", "-Infinity"),
        ("NaN", "NaN"),
        ("999999999999999.9", "1E+15"),
    ] {
        check(&format!("format('{{0}}', {written})"), &json!(expected).to_string());
        check(&format!("toJSON({written})"), &json!(expected).to_string());
    }
    check("1.5", "1.5");
    check("2.0", "2");
    check("NaN", "null");
    check("Infinity", r#""Infinity""#);
}

#[test]
fn a_whole_number_that_passes_through_keeps_its_digits() {
    check("inputs.id", "123456789012345678");
    check("format('{0}', inputs.id)", r#""123456789012345678""#);
    check("inputs.price", "1.0");
    check("format('{0}', inputs.price)", r#""1""#);
    check("fromJSON('1e400') == Infinity", "true");
    assert_eq!(to_text(&json!([1])), "Array");
    assert!(truthy(&json!({})) && !truthy(&json!(0.0)) && !truthy(&json!("")));
}

#[test]
fn json_is_written_with_two_spaces() {
    check(
        "toJSON(fromJSON('{\"a\":[1,{}],\"b\":\"\\n\"}'))",
        r#""{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"\\n\"\n}""#,
    );
    check("toJSON(matrix.*[0])", r#""[\n  1\n]""#);
    check("fromJSON('')", "Error parsing fromJSON: empty input");
    check("fromJSON('[')", "Error parsing fromJSON: EOF while parsing a list at line 1 column 1");
}

#[test]
fn a_format_says_what_is_wrong_with_it() {
    check(
        "format('{1}', 1)",
        "The following format string references more arguments than were supplied: {1}",
    );
    for pattern in ["{}", "{x}", "{0", "{+0}", "{256}", "{ 0}"] {
        check(
            &format!("format('{pattern}', 1)"),
            &format!("The following format string is invalid: {pattern}"),
        );
    }
}

#[test]
fn only_what_is_chosen_is_evaluated() {
    check("false && fromJSON('bad')", "false");
    check("'a' || fromJSON('bad')", r#""a""#);
    check("case(true, 1, fromJSON('bad'))", "1");
    check("case(false, fromJSON('bad'), 2)", "2");
}

#[test]
fn a_mistake_has_a_kind_and_a_place() {
    check_error("", ExprErrorKind::Empty, 1);
    check_error(" \n ", ExprErrorKind::Empty, 1);
    check_error("'ä' ä", ExprErrorKind::IllegalSymbol, 5);
    check_error("a.", ExprErrorKind::UnexpectedEnd, 2);
    check_error("a[", ExprErrorKind::UnexpectedEnd, 2);
    check_error("a[1", ExprErrorKind::UnexpectedEnd, 3);
    check_error("join(1,)", ExprErrorKind::UnexpectedSymbol, 8);
    check_error("join(1", ExprErrorKind::UnexpectedEnd, 6);
    check_error("'a'[0]", ExprErrorKind::UnexpectedSymbol, 4);
    check_error("(a))", ExprErrorKind::UnexpectedSymbol, 4);
    check_error("a == ", ExprErrorKind::UnexpectedEnd, 3);
    check_error("\"a\"", ExprErrorKind::IllegalSymbol, 1);
    check_error("1 + 2", ExprErrorKind::IllegalSymbol, 3);
    check_error("a && !frob(1)", ExprErrorKind::UnrecognizedFunction, 7);
    check_error("join()", ExprErrorKind::TooFewParameters, 1);
    check_error("toJSON(1, 2)", ExprErrorKind::TooManyParameters, 1);
    check_error("case(true, 1, false, 2)", ExprErrorKind::EvenParameters, 1);
    check(
        "always(1)",
        "Too many parameters supplied: 'always'. Located at position 1 within expression: always(1)",
    );
}

#[test]
fn names_can_be_limited() {
    let names = Names::contexts(["env"]).without(&[cuelight_expression::Function::Success]);
    assert!(parse_with("ENV.x && always()", &names).is_ok());
    let kind = |text| parse_with(text, &names).expect_err("not allowed here").kind;
    assert_eq!(kind("inputs.x"), ExprErrorKind::UnrecognizedNamedValue);
    assert_eq!(kind("success()"), ExprErrorKind::UnrecognizedFunction);
}

#[test]
fn hostile_expressions_end_in_an_error() {
    let nested =
        |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    for times in [51, 4_000] {
        for (open, close) in [("(", ")"), ("!", ""), ("a[", "]"), ("1==(", ")"), ("1<", ""), ("1!=", "")] {
            check_error(&nested(open, close, times), ExprErrorKind::TooDeep, 1);
        }
    }
    check_error(&"(".repeat(10_000), ExprErrorKind::TooDeep, 1);
    check_error(&format!("a{}", ".b".repeat(10_000)), ExprErrorKind::TooDeep, 1);
    check_error(&nested("(", ")", 100_000), ExprErrorKind::TooLong, 1);
    check("1 &&", "Unexpected end of expression: '&&'. Located at position 3 within expression: 1 &&");
    check(&format!("{}true", "1&&".repeat(6_000)), "true");
    let deep = format!("fromJSON('{}{}')", "[".repeat(9_000), "]".repeat(9_000));
    check(&deep, "Error parsing fromJSON: recursion limit exceeded at line 1 column 128");
}

#[test]
fn a_text_cannot_outgrow_its_limit() {
    let mut text = "'0123456789012345678901234567890123456789'".to_owned();
    for _ in 0..12 {
        text = format!("format('{{0}}{{0}}{{0}}{{0}}{{0}}{{0}}{{0}}{{0}}', {text})");
    }
    let large = "The value would be larger than 10485760 bytes; make it smaller, or pass it in a file";
    check(&text, large);
    check_template(&format!("a ${{{{ {text} }}}}"), large);
    let half = "format('{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}', ".repeat(5) + "'0123456789'" + &")".repeat(5);
    check(&format!("startsWith({half}, '01')"), "true");
    check(&format!("format('{{0}}', {})", [half.as_str(); 9].join(", ")), large);
}

#[test]
fn a_template_of_one_hole_keeps_the_type() {
    check_template("${{ matrix.versions }}", "[1,2.5,10]");
    check_template("${{inputs.flag}}", "false");
    check_template(" ${{ inputs.flag }}", r#"" false""#);
    check_template("v${{ matrix.versions[1] }}-${{ matrix.os }}!", r#""v2.5-linux!""#);
    check_template("${{ matrix }}${{ inputs.none }}", r#""Object""#);
    check_template("plain $ {{ }} text", r#""plain $ {{ }} text""#);
    check_template("${{ '}}' }}", r#""}}""#);
    check_template("${{ 'it''s }}' }}", r#""it's }}""#);
    check_template("", r#""""#);
}

#[test]
fn a_template_says_where_it_is_wrong() {
    let unclosed = "The expression is not closed. An unescaped ${{ sequence was found, but the closing }} sequence was not found.";
    check_template("ä ${{ a }} ${{ b", &format!("12 \"${{{{\": {unclosed}"));
    check_template("${{ 'a }}", &format!("1 \"${{{{\": {unclosed}"));
    check_template("a ${{ }}", "3 \"${{ }}\": An expression was expected");
    check_template(
        "ü: ${{  a b }}",
        "11 \"b\": Unexpected symbol: 'b'. Located at position 3 within expression: a b",
    );
}

#[test]
fn a_template_knows_its_holes() {
    let text = "a ${{  b.c }} d ${{ e }}";
    let template = Template::parse(text).expect("well formed");
    let said: Vec<_> = template
        .holes()
        .map(|hole| (&text[hole.span.clone()], &text[hole.inner.clone()], hole.source.as_str()))
        .collect();
    assert_eq!(said, [("${{  b.c }}", "b.c", "b.c"), ("${{ e }}", "e", "e")]);
    assert!(!template.is_plain());
    assert_eq!(template.parts()[0], Part::Text("a ".to_owned()));
    assert!(Template::parse("no hole").expect("well formed").is_plain());
}

#[test]
fn a_tree_tells_what_it_reads_and_calls() {
    let text =
        "steps.a['b-c'][1].d && toJSON(needs) == steps[matrix.x].y || fromJSON(env.z)[vars.k] && run.*.q";
    let expr = parse(text).expect("well formed");
    let said: Vec<String> = expr
        .references()
        .iter()
        .map(|reference| {
            format!(
                "{} {} {} {}",
                reference.root,
                reference.path.join("/"),
                reference.is_open,
                &text[reference.span.clone()]
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "steps a/b-c/1/d false steps.a['b-c'][1].d",
            "needs  false needs",
            "steps  true steps",
            "matrix x false matrix.x",
            "env z false env.z",
            "vars k false vars.k",
            "run  true run",
        ]
    );
    let names: Vec<_> = expr.functions().iter().map(|function| function.0.name()).collect();
    assert_eq!(names, ["toJSON", "fromJSON"]);
    assert!(!expr.uses_status_function());
    assert!(parse("!(Failure() && a)").expect("well formed").uses_status_function());
}

/// Writes down what it is asked.
struct Asked;

impl Lookup for Asked {
    fn lookup(&self, root: &str, path: &[&str]) -> Option<Value> {
        Some(Value::String(format!("{root}/{}", path.join("/"))))
    }

    fn status(&self, which: StatusFunction) -> bool {
        which == StatusFunction::Failure
    }

    fn hash_files(&self, patterns: &[String]) -> Result<String, NoHash> {
        match patterns {
            [pattern] if pattern == "known" => Ok("abc".to_owned()),
            [pattern] if pattern == "huge" => Err(NoHash::Failed("could not hash huge".to_owned())),
            _ => Err(NoHash::NotRead),
        }
    }
}

#[test]
fn a_path_is_asked_for_in_one_question() {
    let said = |text| evaluate(&parse(text).expect("well formed"), &Asked);
    assert_eq!(said("steps.x.outputs.y"), Ok(json!("steps/x/outputs/y")));
    assert_eq!(said("steps[format('{0}', 1)]['b'][2]"), Ok(json!("steps/1/b/2")));
    assert_eq!(said("toJSON(steps)"), Ok(json!("\"steps/\"")));
    assert_eq!(said("steps.*.outputs"), Ok(json!([])));
}

#[test]
fn status_and_hashes_are_asked_of_the_lookup() {
    let truth = |text| evaluate_truth(&parse(text).expect("well formed"), &Asked);
    assert_eq!(truth("failure() && !success() && !cancelled() && !always()"), Ok(true));
    assert_eq!(truth("hashFiles('known') == 'abc'"), Ok(true));
    assert_eq!(truth("Infinity"), Ok(true));
    assert_eq!(truth("NaN"), Ok(false));
    let needed = EvalError::NeedsFiles(vec!["**/a".to_owned(), "b".to_owned()]);
    assert_eq!(truth("hashFiles('**/a', 'b') == 'abc'"), Err(needed));
    let failed = EvalError::Function("hashFiles: could not hash huge".to_owned());
    assert_eq!(truth("hashFiles('huge') == ''"), Err(failed));
}

/// Pieces that make an expression more often than characters do.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "steps",
        ".",
        "*",
        "[",
        "]",
        "(",
        ")",
        ",",
        "!",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        " ",
        "'a'",
        "''",
        "0",
        "1.5",
        "-Infinity",
        "NaN",
        "null",
        "true",
        "format(",
        "toJSON(",
        "fromJSON(",
        "join(",
        "contains(",
        "case(",
        "matrix.versions",
        "'{0}'",
        "inputs.id",
        "${{",
        "}}",
        "hashFiles(",
        "ß",
        "'[{}]'",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|value| value.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![".*", pieces()]) {
        if let Ok(expr) = parse(&text) {
            expr.references();
            drop(evaluate(&expr, &contexts()));
        }
        match Template::parse(&text) {
            Ok(template) => drop(template.evaluate(&contexts())),
            Err(error) => prop_assert!(text.get(error.span).is_some()),
        }
    }

    #[test]
    fn every_literal_text_comes_back(text in ".*") {
        let expr = parse(&format!("'{}'", text.replace('\'', "''")));
        prop_assert_eq!(evaluate(&expr.expect("well formed"), &contexts()), Ok(Value::String(text)));
    }

    #[test]
    fn json_goes_there_and_back(number in any::<i64>(), text in ".*") {
        let value = json!({ "a": [number, text], "b": null });
        let Value::Object(map) = json!({ "it": value }) else { unreachable!("written as an object") };
        let expr = parse("fromJSON(toJSON(it))").expect("well formed");
        prop_assert_eq!(evaluate(&expr, &MapLookup::new(map)), Ok(value));
    }
}
