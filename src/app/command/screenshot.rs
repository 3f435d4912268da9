//! `screenshot`: a picture of the console without a terminal, for reports, documents and people who were not
//! there.
//!
//! The screen is the real one, at a seat that may only look; what it wants to read is read, and all else it asks for is
//! left undone.

use super::{
    named,
    screen::{self, Look},
};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
    wiring::{self, Seat},
};
use clap::Args;
use cuelight_base::{RunId, Span};
use cuelight_console::{Link, Message, Model, Wish, look_up, parse_keys, picture_of, text_of, update};
use cuelight_runtime::{Clock, Desk, SystemClock, Trouble as DeskTrouble};
use std::{collections::VecDeque, fs, path::PathBuf, process::ExitCode, sync::Arc};

#[derive(Debug, Args)]
pub(super) struct ScreenshotArgs {
    /// View to draw
    #[arg(long, value_name = "NAME", default_value = "runs", value_parser = ["runs", "dag", "gates", "errors", "health", "logs", "time", "audit", "agents", "tools"])]
    pub(super) view: String,
    /// The run that is looked at; else the newest
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Columns and rows
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "160x48", value_parser = size)]
    pub(super) size: (u16, u16),
    /// Keys that are pressed first
    #[arg(long, default_value = "", value_name = "KEYS")]
    pub(super) keys: String,
    /// File to write: *.svg is a picture, else text; standard output when not given
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// Parses a size such as `160x48` into columns and rows.
fn size(text: &str) -> Result<(u16, u16), String> {
    const MOST: u16 = 1_000;
    let read = |width: &str| width.parse().ok().filter(|width| (1..=MOST).contains(width));
    let parts = text.split_once('x').and_then(|(width, height)| Some((read(width)?, read(height)?)));
    parts.ok_or_else(|| format!("it looks like 160x48, and neither is above {MOST}"))
}

/// Limit of reads before a picture is taken; more than any view needs at once.
const READS_MAX: usize = 10_000;

pub(super) async fn screenshot(config: &Config, out: Output, look: &Look, args: &ScreenshotArgs) -> Outcome {
    let keys = if args.keys.is_empty() { Ok(Vec::new()) } else { parse_keys(&args.keys) };
    let keys = keys.map_err(|why| {
        Trouble::usage(format!("could not read --keys: {}", cuelight_base::safe_text(&why)))
    })?;
    let (seat, run) = match args.run.as_deref() {
        Some(run) => named::look_at(config, run).await.map(|(seat, run)| (seat, Some(run)))?,
        None => (wiring::look(config).await?, None),
    };
    let taken = picture(&seat, look, args, keys, run).await;
    seat.leave().await;
    let model = taken?;
    let Some(file) = &args.output else {
        out.raw(text_of(&model).as_bytes());
        return Ok(ExitCode::SUCCESS);
    };
    let is_svg = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    let content = if is_svg { picture_of(&model) } else { text_of(&model) };
    let path = config.here.join(file);
    fs::write(&path, content).map_err(|why| {
        Trouble::failed(format!("could not save {}: {why}; name another file", path.display()))
    })?;
    say(&format!("saved {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

/// The keys that open a view; those without a number are opened by name.
fn keys_of(view: &str) -> String {
    const NUMBERED: [&str; 8] = ["runs", "dag", "gates", "errors", "health", "logs", "time", "audit"];
    match NUMBERED.iter().position(|text| *text == view) {
        Some(at) => (at + 1).to_string(),
        None => format!(": {} enter", view.chars().map(|c| c.to_string()).collect::<Vec<_>>().join(" ")),
    }
}

/// The screen as it is when all keys were pressed and all that it wanted was read.
async fn picture(
    seat: &Seat,
    look: &Look,
    args: &ScreenshotArgs,
    keys: Vec<cuelight_console::Press>,
    run: Option<RunId>,
) -> Result<Model, Trouble> {
    let seen = seat.desk.boards().borrow().clone();
    let newest = || seen.board.summaries().last().map(|summary| summary.id);
    if let Some(run) = run.filter(|run| seen.board.summary(*run).is_none()) {
        return Err(Trouble::usage(format!("could not find run {run}; `cuelight runs` lists the runs")));
    }
    let (place, chosen, keymap) = screen::to_look_at(seat, look)?;
    let mut at = SystemClock.now();
    let mut model = Model::new(place, chosen, Arc::new(keymap), args.size, at);
    model.link = match seen.trouble {
        None => Link::Live,
        Some(DeskTrouble::Holding(why) | DeskTrouble::Stopped(why) | DeskTrouble::TakenOver(why)) => {
            Link::Unwritten { why }
        }
        Some(DeskTrouble::Unheard(why)) => Link::Unheard { why },
        Some(DeskTrouble::Strays(why)) => Link::Strays { why },
        Some(DeskTrouble::Lost(why)) => Link::Lost { since: at, why },
        Some(DeskTrouble::Unowned) => Link::Unowned,
    };
    if let Some(run) = run.or_else(newest) {
        model.look_at(run);
    }
    let mut reads = 0;
    send(seat, &mut model, Message::Board(seen.board), &mut reads).await;
    let opening = parse_keys(&keys_of(&args.view)).map_err(Trouble::failed)?;
    for press in opening.into_iter().chain(keys) {
        // As slowly as a person: what was on the screen for a moment only is not answered.
        at = at + Span::seconds(1);
        send(seat, &mut model, Message::Drawn(at), &mut reads).await;
        at = at + Span::seconds(1);
        send(seat, &mut model, Message::Key { press, repeat: false, at }, &mut reads).await;
    }
    send(seat, &mut model, Message::Drawn(at), &mut reads).await;
    Ok(model)
}

/// One message, and all that is read because of it.
async fn send(seat: &Seat, model: &mut Model, message: Message, reads: &mut usize) {
    let mut wishes: VecDeque<Wish> = update(model, message).into();
    while let Some(wish) = wishes.pop_front() {
        if *reads >= READS_MAX {
            return;
        }
        *reads += 1;
        let answer = match wish {
            Wish::Read { request, want } => {
                Message::Sheet { request, sheet: look_up(&seat.desk, want).await }
            }
            Wish::Preview { request, command } => {
                Message::Preview { request, outcome: seat.desk.preview(*command).await }
            }
            Wish::Arrange { request, scene } => {
                let arranged = scene.arranged();
                Message::Arranged { request, arranged, took: Span(0), at: model.now }
            }
            // A picture asks for nothing to be done.
            _ => continue,
        };
        wishes.extend(update(model, answer));
    }
}
