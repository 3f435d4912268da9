//! Reads for the screen at a desk: turns the screen's question into one of the desk, and the desk's page into
//! a sheet.
//!
//! The views decide what to ask, and use the answer.

use super::{Lookup, Offered, OfferedInput, Sheet};
use cuelight_runtime::{Desk, InputText, Offer, OutputPart, Page, Want};

/// Reads what the screen has asked for.
pub async fn look_up<D: Desk>(desk: &D, lookup: Lookup) -> Sheet {
    sheet(desk.read(want_of(lookup)).await)
}

fn want_of(lookup: Lookup) -> Want {
    match lookup {
        Lookup::Workflow { path, words } => {
            let text = |(name, text)| InputText { name, text };
            Want::Workflow { path, words: words.into_iter().map(text).collect() }
        }
        Lookup::Output { attempt, from } => Want::Output { attempt, part: OutputPart::From(from) },
        Lookup::Tail { attempt, lines } => Want::Output { attempt, part: OutputPart::LastLines(lines) },
        Lookup::Blob { digest, from } => Want::Blob { digest, from },
        Lookup::Records { after, limit } => Want::Records { after, limit },
        Lookup::Chain => Want::Chain,
        Lookup::Agents => Want::Agents,
        Lookup::Events { run, after, limit } => Want::Events { run, after, limit },
    }
}

fn offered(offer: Offer) -> Offered {
    let input = |input: cuelight_runtime::OfferedInput| OfferedInput {
        name: input.name,
        kind: input.kind,
        required: input.required,
        default: input.default,
        choices: input.choices,
        about: input.about,
    };
    Offered {
        files: offer.files,
        name: offer.name,
        about: offer.about,
        inputs: offer.inputs.into_iter().map(input).collect(),
        problems: offer.problems,
    }
}

fn sheet(page: Page) -> Sheet {
    match page {
        Page::Events { events, more } => Sheet::Events { events, more },
        Page::Records(records) => Sheet::Records(records),
        Page::Chain { records, head, broken } => Sheet::Chain { records, head, broken },
        Page::Bytes { from, bytes, total, times } => Sheet::Bytes { from, bytes, total, times },
        Page::Agents(about) => Sheet::Agents(about),
        Page::Workflow(offer) => Sheet::Workflow(offered(*offer)),
        Page::Plan(_) | Page::Past(_) => Sheet::Missing("could not show that here".to_owned()),
        Page::Missing(why) => Sheet::Missing(why),
    }
}
