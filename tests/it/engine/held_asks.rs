//! A correction keeps every ask that people have refused: in matrices computed during the run, of results without a
//! figure, of a run that ended long ago, and of each gate by itself.

use super::door::check;

/// A workflow and its correction.
fn both(before: &str, now: &str) -> String {
    format!("{before}\n=== corrected\n{now}")
}

fn refused(why: &str) -> String {
    format!("! could not retry r-1: {why}\n no r-2")
}

/// A matrix computed during the run, whose copies ask people about a result of low confidence: KEYS OF IT, ITS DEPENDENT.
fn computed(work: &str, keys: &str, last: &str) -> String {
    format!(
        "steps:
  - {{id: l, run: x, outputs: {{x: any}}}}
  - {{id: m, needs: l, matrix: {{k: \"${{{{ fromJSON(steps.l.outputs.x) }}}}\"}}, {work}{keys}}}
  - {{id: z{last}, run: x}}"
    )
}

#[test]
fn a_result_in_a_computed_matrix_that_people_refused_holds_the_run_after_a_correction() {
    let work = "run: x, outputs: {score: number}, confidence: {from: score, min: 0.7, below: gate}";
    let inner = format!("\n--- inner.yaml\nsteps:\n  - {{id: i, {work}}}");
    for (work, inner, asked) in [(work, "", "m[1]"), ("workflow: inner.yaml", inner.as_str(), "m[1]/i")] {
        let file = |keys: &str, last: &str| format!("{}{inner}", computed(work, keys, last));
        let was = file("", ", needs: m");
        let script = format!(
            "launch; ended l ok x=[1]; ended {asked} ok score=0.1; ann rejects {asked} : no; retry failed corrected"
        );
        for (now, why) in [
            (file("", ""), "z no longer waits for the gate m"),
            (file("", ", needs: m, if: always()"), "z no longer waits for the gate m"),
            (file(", on-error: continue", ", needs: m"), "the correction loosens the gate of m (`on-error`)"),
            (file(", on-error: skip", ", needs: m"), "the correction loosens the gate of m (`on-error`)"),
        ] {
            check(&both(&was, &now), &script, &refused(why));
        }
        let other = was.replace("needs: m, run: x", "needs: m, run: better");
        check(&both(&was, &other), &script, "r-2 created, corrected\n no r-2 z call");
    }
}
