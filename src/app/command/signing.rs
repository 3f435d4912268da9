//! An answer that somebody signs with a key of ssh, here or wherever the key is. `ssh-keygen` signs; whether the signature counts
//! is judged by the engine.

use super::beside;
use crate::{
    app::{args::DecideArgs, exit::Trouble},
    engine::{Actor, Decision, Proof, STATEMENT_NAMESPACE, Signature, statement},
};
use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// What becomes of an answer.
pub(super) enum Signed {
    /// It is given, by whoever it says.
    Given,
    /// It waits for a signature; what to do.
    Written(String),
}

/// Gives an answer its author, where that is not whoever sits here.
pub(super) fn sign(decision: &mut Decision, trace: &str, args: &DecideArgs) -> Result<Signed, Trouble> {
    if let Some(path) = &args.signed {
        take_in(decision, path)?;
        return Ok(Signed::Given);
    }
    let Some(name) = &args.signer else { return Ok(Signed::Given) };
    decision.by = signing(name, String::new(), String::new(), &decision.by);
    let text = statement(decision, trace);
    if let Some(path) = &args.statement {
        let failed = |why| Trouble::not_recorded(format!("could not write {}: {why}", path.display()));
        fs::write(path, &text).map_err(failed)?;
        let (file, word) = (path.display(), decision.verdict.word());
        return Ok(Signed::Written(format!(
            "{file} is to be signed by {name}: ssh-keygen -Y sign -n {STATEMENT_NAMESPACE} -f ~/.ssh/id_ed25519 {file}\n\
             then, here, with {file}.sig beside it: cuelight {word} {} --signed {file}",
            decision.gate
        )));
    }
    let home = std::env::home_dir().unwrap_or_default().join(".ssh/id_ed25519");
    let armored = ask_to_sign(args.key.as_ref().unwrap_or(&home), &text)?;
    decision.by = signing(name, text, armored, &decision.by);
    Ok(Signed::Given)
}

/// Somebody who says that they have signed. Who they are is for the engine to find out.
fn signing(name: &str, statement: String, armored: String, here: &Actor) -> Actor {
    let signature = Signature { person: String::new(), key: String::new(), statement, armored };
    let proof = Proof::Signature(Box::new(signature));
    Actor { name: name.to_owned(), proof, groups: Vec::new(), channel: here.channel }
}

/// Has `ssh-keygen` sign, which asks for a passphrase or an agent as its user is used to.
#[expect(
    clippy::disallowed_methods,
    reason = "the keys are in the hands of the user's own ssh, and stay there"
)]
fn ask_to_sign(key: &Path, text: &str) -> Result<String, Trouble> {
    let failed = |why: String| {
        let key = key.display();
        Trouble::failed(format!(
            "could not sign with {key}: {why}; give the key of the one who answers with --key"
        ))
    };
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", STATEMENT_NAMESPACE, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| failed(format!("ssh-keygen does not start: {why}")))?;
    if let Some(mut input) = child.stdin.take() {
        // What it does not read it says in its own words.
        drop(input.write_all(text.as_bytes()));
    }
    let done = child.wait_with_output().map_err(|why| failed(why.to_string()))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(failed(crate::base::safe_text(said.lines().last().unwrap_or("it does not say why"))));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Takes what was signed elsewhere: the answer is what stands there, and nothing else.
fn take_in(decision: &mut Decision, path: &Path) -> Result<(), Trouble> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|why| {
            let path = path.display();
            Trouble::usage(format!(
                "could not read {path}: {why}; it was written with --statement, and FILE.sig by ssh-keygen"
            ))
        })
    };
    let (text, armored) = (read(path)?, read(&beside(path, ".sig"))?);
    let line =
        |name: &str| -> Option<&str> { text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' ')) };
    let words = |name: &str| serde_json::from_str::<Value>(line(name)?).ok()?.as_str().map(str::to_owned);
    let (Some(by), Some(id), Some(reason), Some(answer)) =
        (words("by"), words("id"), words("reason"), line("answer"))
    else {
        return Err(Trouble::usage(format!(
            "could not take {}: it is no answer of cuelight",
            path.display()
        )));
    };
    let asked = decision.verdict.word();
    if answer.strip_suffix("-alone").unwrap_or(answer) != asked {
        let why = format!("could not {asked}: what {by} has signed is {answer}");
        return Err(Trouble::usage(why));
    }
    decision.break_glass = answer.ends_with("-alone");
    decision.id = crate::base::DecisionId(id);
    decision.reason = reason;
    decision.by = signing(&by, text.clone(), armored, &decision.by);
    Ok(())
}
