//! The trail and its proof: whether the log holds, and the keys that sign it.

use crate::{
    config::Config,
    exit::{FAILED, NOT_RECORDED, Outcome, Trouble},
    output::{Output, say},
};
use clap::{Args, Subcommand};
use cuelight_base::{Seq, Span, Timestamp, counted};
use cuelight_runtime::{Clock as _, Entropy, SystemClock};
use cuelight_store::{
    Heads, Note, NoteKey, Owner, Reader, StoreError, Verified, Workspace, check_heads, key_trouble,
    read_notes, rotate_key, verify,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::{fs, path::PathBuf, process::ExitCode};

/// A log that holds, as `audit verify --json` tells it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Verified")]
pub(super) struct VerifiedAnswer {
    /// True always: a log that does not hold is a failure.
    holds: bool,
    records: u64,
    head: HeadAnswer,
    /// The last record that is signed.
    signed: u64,
    /// Signed heads that were compared.
    notes: usize,
    keys: Vec<String>,
}

/// The last record of the log, and the hash of the chain there.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Head")]
struct HeadAnswer {
    seq: u64,
    hash: String,
}

#[derive(Debug, Args)]
pub(super) struct AuditVerifyArgs {
    /// Receipt or export to verify, on any machine and without a workspace
    #[arg(conflicts_with_all = ["from", "anchors", "json"])]
    pub(super) file: Option<PathBuf>,
    /// Set by the old spelling, which always named a file
    #[arg(long, hide = true, requires = "file")]
    pub(super) a_file: bool,
    /// A signed head from elsewhere: only what came after it is looked at
    #[arg(long, value_name = "NOTE")]
    pub(super) from: Option<PathBuf>,
    /// Trusted key; else the first one of the workspace and those it vouches for, or the one that the file names
    #[arg(long, value_name = "KEY")]
    pub(super) key: Vec<NoteKey>,
    /// Signed heads that were kept elsewhere
    #[arg(long, value_name = "FILE")]
    pub(super) anchors: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    pub(super) command: Option<KeysCommand>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Print the public keys, oldest first
    #[command(after_help = "Example: cuelight keys show")]
    Show,
    /// Sign the log with a new key from now on
    #[command(after_help = "Example: cuelight keys rotate")]
    Rotate,
}

/// The log holds, but records at its end are unsigned for longer than [`SIGNED_WITHIN`].
const NOT_ANCHORED: u8 = 3;
/// An engine that runs signs its head at least so often.
const SIGNED_WITHIN: Span = Span::seconds(90);

fn unreadable(error: StoreError) -> Trouble {
    Trouble::not_recorded(error.to_string())
}

pub(super) fn workspace(config: &Config) -> Result<Workspace, Trouble> {
    let found = config.find()?.map(|workspace| config.to_look_at(workspace));
    found.ok_or_else(|| Trouble::usage("could not find a workspace here or above; name one with --workspace"))
}

/// Verifies that every record is unchanged and that the signed heads match.
pub(super) fn audit_verify(config: &Config, out: Output, args: &AuditVerifyArgs) -> Outcome {
    let workspace = workspace(config)?;
    let reader = Reader::open(&workspace).map_err(unreadable)?;
    let heads =
        Heads::of(&workspace).map_err(|error| Trouble { code: FAILED, message: error.to_string() })?;
    let believed = heads.believed(&args.key);
    let anchors = anchors(args)?;
    let from = match &args.from {
        None => Seq(1),
        Some(path) => begin_at(&reader, &notes_in(path)?, &believed)?,
    };
    let verified = match verify(&reader, from) {
        Ok(verified) => verified,
        Err(broken) => return Err(Trouble { code: FAILED, message: broken.to_string() }),
    };
    let held: Vec<Note> = heads.notes.iter().chain(&anchors).cloned().collect();
    let signed = match check_heads(&reader, &held, &believed).map_err(unreadable)? {
        Ok(signed) => signed,
        Err(trouble) => {
            return Err(Trouble { code: FAILED, message: format!("could not verify the log: {trouble}") });
        }
    };
    let since = unsigned_since(&reader, signed, verified)?;
    let is_late = since.is_some_and(|since| SystemClock.now().since(since) > SIGNED_WITHIN);
    if args.json {
        let (seq, hash) = verified.head;
        out.json(&VerifiedAnswer {
            holds: true,
            records: verified.records,
            head: HeadAnswer { seq: seq.0, hash: hash.to_string() },
            signed: signed.0,
            notes: held.len(),
            keys: believed.iter().map(ToString::to_string).collect(),
        });
    } else {
        told(out, (verified, signed, is_late), (&believed, !args.key.is_empty()), anchors.len());
    }
    if let Some(why) = key_trouble(&workspace) {
        say(&why);
    }
    Ok(match since {
        Some(since) if is_late => {
            say(&format!(
                "nothing after record {signed} is signed, since {since}; `cuelight serve --until-idle` signs it"
            ));
            ExitCode::from(NOT_ANCHORED)
        }
        Some(_) | None => ExitCode::SUCCESS,
    })
}

fn told(
    out: Output,
    (verified, signed, is_late): (Verified, Seq, bool),
    (believed, keys_given): (&[NoteKey], bool),
    anchors: usize,
) {
    let (head, hash) = verified.head;
    out.line(&format!("holds   {} records, up to {head} ({hash})", verified.records));
    let unsigned = usize::try_from(head.0.saturating_sub(signed.0)).unwrap_or(usize::MAX);
    out.line(&match (unsigned, is_late) {
        (0, _) => format!("signed  up to {signed}"),
        (many, true) => format!("signed  up to {signed}; {} after it NOT SIGNED", counted(many, "record", "records")),
        (many, false) => format!(
            "signed  up to {signed}; {} after it, younger than {SIGNED_WITHIN}, which an engine signs within a minute",
            counted(many, "record", "records")
        ),
    });
    for key in believed {
        out.line(&format!("key     {key}"));
    }
    if !keys_given {
        out.line("key     NOT VERIFIED: the keys are those of this workspace; give --key KEY to verify them");
    }
    out.line(&match anchors {
        0 => "copy    NOT VERIFIED against a head that is kept elsewhere; give --anchors FILE".to_owned(),
        many => format!(
            "copy    verified against {}",
            counted(many, "head from elsewhere", "heads from elsewhere")
        ),
    });
}

/// When the first record that no head covers was written.
fn unsigned_since(reader: &Reader, signed: Seq, verified: Verified) -> Result<Option<Timestamp>, Trouble> {
    if signed >= verified.head.0 {
        return Ok(None);
    }
    let next = reader.events(Seq(signed.0 + 1), 1).map_err(unreadable)?;
    Ok(next.first().map(|(_, event)| event.at))
}

fn anchors(args: &AuditVerifyArgs) -> Result<Vec<Note>, Trouble> {
    args.anchors.as_ref().map_or_else(|| Ok(Vec::new()), |path| notes_in(path))
}

fn notes_in(path: &std::path::Path) -> Result<Vec<Note>, Trouble> {
    let failed = |why: String| Trouble::usage(format!("could not read {}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    // One note alone need not end with an empty line.
    let (notes, _) = read_notes(&format!("{}\n\n", text.trim_end_matches('\n'))).map_err(failed)?;
    if notes.is_empty() { Err(failed("it holds no signed head".to_owned())) } else { Ok(notes) }
}

/// A head that somebody holds vouches for what is before it.
fn begin_at(reader: &Reader, notes: &[Note], believed: &[NoteKey]) -> Result<Seq, Trouble> {
    let checked = check_heads(reader, notes, believed).map_err(unreadable)?;
    let signed = checked
        .map_err(|error| Trouble { code: FAILED, message: format!("could not verify the log: {error}") })?;
    Ok(Seq(signed.0 + 1))
}

/// The keys heads are signed with.
pub(super) fn keys(config: &Config, out: Output, args: &KeysArgs) -> Outcome {
    let workspace = workspace(config)?;
    match args.command {
        None | Some(KeysCommand::Show) => {
            let heads = Heads::of(&workspace).map_err(unreadable)?;
            let believed = heads.believed(&[]);
            if heads.keys.is_empty() {
                out.line("no key yet; the first engine of this workspace makes one");
            }
            for key in &heads.keys {
                let tied = if believed.contains(key) { "" } else { "   (no key before it vouches for it)" };
                out.line(&format!("{key}{tied}"));
            }
            if let Some(why) = key_trouble(&workspace) {
                say(&why);
            }
        }
        Some(KeysCommand::Rotate) => {
            config.require_trust(&workspace)?;
            let _owner = Owner::take(&workspace).map_err(|error| Trouble {
                code: NOT_RECORDED,
                message: format!("{error}; keys are changed while no engine runs"),
            })?;
            out.line(&rotate_key(&workspace, &Entropy.secret()).map_err(unreadable)?.to_string());
        }
    }
    Ok(ExitCode::SUCCESS)
}
