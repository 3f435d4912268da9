//! An answer that somebody signs with a key of ssh, here or wherever the key is. `ssh-keygen` signs; whether the signature counts
//! is judged by the engine.

use super::{ask_text, form};
use crate::{exit::Trouble, output::say};
use clap::Args;
use cuelight_base::{
    Actor, DecisionId, Proof, Signature, Value, ValueMap, canonical_json, read_json, safe_text,
};
use cuelight_engine::{Ask, Decision, STATEMENT_NAMESPACE, Statement, ask_hash, form_digest};
use cuelight_projection::GateView;
use cuelight_runtime::signing_key;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// An answer that somebody signs.
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// Answer as a person of people.toml, proven with an SSH key, and not as the user of this terminal
    #[arg(long = "as", value_name = "NAME", conflicts_with = "signed")]
    pub(super) signer: Option<String>,
    /// The key that signs; its .pub file where an agent holds it; else the `id_ed25519` in `~/.ssh`
    #[arg(long, value_name = "FILE", requires = "signer")]
    pub(super) key: Option<PathBuf>,
    /// Write the statement to sign to this file, and answer nothing yet
    #[arg(long, value_name = "FILE", requires = "signer", conflicts_with = "key")]
    pub(super) statement: Option<PathBuf>,
    /// Submit a statement that was signed elsewhere: the file, with FILE.sig beside it
    #[arg(long, value_name = "FILE")]
    pub(super) signed: Option<PathBuf>,
}

impl SignArgs {
    /// True when somebody other than the user of this terminal answers.
    pub(super) const fn is_given(&self) -> bool {
        self.signer.is_some() || self.signed.is_some()
    }
}

/// Beside an answer: the ask, the values of its form, and its signature.
const ASK: &str = "ask";
const FORM: &str = "form";
const SIGNATURE: &str = "sig";

/// The outcome of giving an answer.
pub(super) enum Signed {
    /// It is given, by the person that it names.
    Given,
    /// It waits for a signature; what to do.
    Written(String),
}

/// Gives an answer its author, where that is not the user of this terminal: at a gate of a run with a trace,
/// in a log with a name.
pub(super) fn sign(
    decision: &mut Decision,
    gate: &GateView,
    (trace, log): (&str, &str),
    args: &SignArgs,
) -> Result<Signed, Trouble> {
    if let Some(path) = &args.signed {
        take_in(decision, path)?;
        return Ok(Signed::Given);
    }
    let Some(name) = &args.signer else { return Ok(Signed::Given) };
    decision.by = signing(name, String::new(), String::new(), &decision.by);
    let text = Statement::of(decision, trace, log).to_string();
    let key = if gate.ask.touch { "id_ed25519_sk" } else { "id_ed25519" };
    if let Some(path) = &args.statement {
        let key = format!("~/.ssh/{key}");
        let mut files =
            vec![(path.clone(), text), (path.with_added_extension(ASK), canonical_json(&gate.ask))];
        if !decision.form.is_empty() {
            files.push((path.with_added_extension(FORM), canonical_json(&decision.form)));
        }
        for (path, text) in &files {
            fs::write(path, text)
                .map_err(|why| Trouble::not_recorded(format!("could not write {}: {why}", path.display())))?;
        }
        let file = path.display();
        let again = if decision.overrides {
            format!("run skip {} {} --reason {:?}", gate.ask.run, gate.ask.step, safe_text(&decision.reason))
        } else {
            format!("{} {}", decision.verdict.word(), decision.gate)
        };
        let with = if decision.form.is_empty() { String::new() } else { format!(", {file}.{FORM}") };
        return Ok(Signed::Written(format!(
            "{file}{with} and {file}.{ASK} are for {name}, who reads what is asked: cuelight audit verify {file}\n\
             and signs: ssh-keygen -Y sign -n {STATEMENT_NAMESPACE} -f {key} {file}\n\
             then, here, with {file}.sig beside it: cuelight {again} --signed {file}"
        )));
    }
    let home = std::env::home_dir().unwrap_or_default().join(".ssh").join(key);
    if gate.ask.touch {
        say("Touch your security key when it blinks.");
    }
    let armored = ask_to_sign(args.key.as_ref().unwrap_or(&home), &text)?;
    decision.by = signing(name, text, armored, &decision.by);
    Ok(Signed::Given)
}

/// An actor who claims to have signed. The engine verifies the claim.
fn signing(name: &str, statement: String, armored: String, here: &Actor) -> Actor {
    let signature = Signature { person: String::new(), key: String::new(), statement, armored, touch: None };
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
        return Err(failed(safe_text(said.lines().last().unwrap_or("it does not say why"))));
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
    let (text, armored) = (read(path)?, read(&path.with_added_extension(SIGNATURE))?);
    let Some(signed) = Statement::read(&text) else {
        return Err(Trouble::usage(format!(
            "could not take {}: it is no answer of cuelight",
            path.display()
        )));
    };
    if signed.verdict != decision.verdict {
        let (asked, by) = (decision.verdict.word(), safe_text(&signed.by));
        let why = format!("could not {asked}: what {by} has signed is {}", signed.verdict.word());
        return Err(Trouble::usage(why));
    }
    if signed.overrides != decision.overrides {
        let (is, verb) = if signed.overrides {
            ("an override", "hand it in with `cuelight run skip`")
        } else {
            ("no override", "hand it in with `cuelight approve`")
        };
        return Err(Trouble::usage(format!(
            "could not take {}: what {} has signed is {is}; {verb}",
            path.display(),
            safe_text(&signed.by)
        )));
    }
    if decision.form.is_empty() {
        decision.form = form_beside(path, &signed)
            .map_err(|why| Trouble::usage(format!("could not {}: {why}", decision.verdict.word())))?;
    }
    if signed.form != form_digest(&decision.form) {
        return Err(Trouble::usage(format!(
            "could not {}: {}; give the same with --set and --leave",
            decision.verdict.word(),
            other_values(&signed)
        )));
    }
    decision.break_glass = signed.break_glass;
    decision.overrides = signed.overrides;
    decision.id = DecisionId(signed.id);
    decision.reason = signed.reason;
    decision.by = signing(&signed.by, text, armored, &decision.by);
    Ok(())
}

/// The values whose hash somebody has signed, as they lie beside the answer; none for an answer without a form.
fn form_beside(path: &Path, signed: &Statement) -> Result<ValueMap, String> {
    if signed.form.is_none() {
        return Ok(ValueMap::new());
    }
    let file = path.with_added_extension(FORM);
    let shown = safe_text(&file.to_string_lossy());
    let text = fs::read_to_string(&file)
        .map_err(|why| format!("the values of its form cannot be read from {shown}: {why}"))?;
    let form: ValueMap =
        read_json(&text).map_err(|why| format!("{shown} holds no values of a form: {why}"))?;
    if signed.form == form_digest(&form) { Ok(form) } else { Err(other_values(signed)) }
}

fn other_values(signed: &Statement) -> String {
    format!("{} has signed other values of its form", safe_text(&signed.by))
}

/// True if a text is an answer to sign, or a signed one.
pub(super) fn is_statement(text: &str) -> bool {
    Statement::read(text).is_some()
}

/// The lines of an answer and of the ask beside it, if the ask file is there. A signed answer also shows the
/// key that signed it.
pub(super) fn looked_at(path: &Path, text: &str) -> Result<Vec<String>, String> {
    let signed = Statement::read(text).ok_or("it is no answer of cuelight")?;
    let alone = match (signed.break_glass, signed.overrides) {
        (true, _) => " (emergency approval)",
        (_, true) => ", as an override",
        _ => "",
    };
    let by = safe_text(&signed.by);
    let mut lines = vec![format!("answer     {}{alone}, by {by}", signed.verdict.word())];
    if !signed.reason.is_empty() {
        lines.push(format!("because    {}", safe_text(&signed.reason)));
    }
    lines.extend(form::lines(&form_beside(path, &signed)?));
    lines.push(format!(
        "at         {} epoch {}, of the log {}",
        signed.gate,
        signed.epoch,
        safe_text(&signed.log)
    ));
    lines.push(format!("ask        {}  {}", signed.ask.code(), signed.ask));
    match fs::read_to_string(path.with_added_extension(ASK)) {
        Ok(asked) => {
            lines.push(String::new());
            lines.extend(ask_text::of_ask(&ask_in(&asked, &signed)?));
            lines.push(String::new());
        }
        Err(_) => lines.push(format!("           what is asked is not here: {} is missing", name(path, ASK))),
    }
    lines.push(match fs::read_to_string(path.with_added_extension(SIGNATURE)) {
        Err(_) => format!("signed     not yet: {} is missing", name(path, SIGNATURE)),
        Ok(armored) => match signing_key(&armored, STATEMENT_NAMESPACE, text) {
            Some(key) => format!("signed     by {key}; NOT VERIFIED: if it is a key of {by} (compare it with `keys` in people.toml)"),
            None => return Err(format!("{} is no signature over it", name(path, SIGNATURE))),
        },
    });
    Ok(lines)
}

/// The ask whose hash was signed; shown whole, or not at all.
fn ask_in(text: &str, signed: &Statement) -> Result<Ask, String> {
    let ask: Ask = read_json(text).map_err(|error| format!("the ask beside it is none: {error}"))?;
    let is_whole = read_json::<Value>(text).is_ok_and(|json| canonical_json(&json) == canonical_json(&ask));
    match () {
        () if !is_whole => {
            Err("the ask beside it says more than this cuelight can show; use the one it comes from"
                .to_owned())
        }
        () if ask_hash(&ask) != signed.ask => {
            Err("the ask beside it is not the one that it answers; do not sign it".to_owned())
        }
        () => Ok(ask),
    }
}

fn name(path: &Path, extension: &str) -> String {
    safe_text(&path.with_added_extension(extension).to_string_lossy())
}
