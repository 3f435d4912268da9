//! One line of output and its source: its text, its cost and the minute in which it came.

use super::{LINE_COST, PIECE_BYTES_MAX};
use crate::logs::level::LogLevel;
use cuelight_base::{AttemptId, Seq, StepIx, Timestamp, open_sgr_length};

/// One line, or a piece of a long one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// The writer of the line, as an index in the list of sources.
    pub source: u32,
    /// Offset of the line in the output of its attempt.
    pub from: u64,
    /// Offset of the end of the part read so far, line end included.
    pub to: u64,
    /// The last state of the line.
    pub bytes: Vec<u8>,
    /// States before that were overwritten.
    pub overwritten: u32,
    /// True if this continues the piece before.
    pub goes_on: bool,
    /// True if the end of the line was read.
    pub ended: bool,
    /// Bytes that were not kept, instead of a line; nothing inside when nobody knows how many.
    pub gap: Option<Option<u64>>,
    pub hit: bool,
    pub fits: bool,
    /// A carriage return was read, and nothing after it.
    pub returned: bool,
    /// When its first byte came.
    pub at: Option<Timestamp>,
    /// The severity that the line states.
    pub level: LogLevel,
    /// The step that it is about, when no step wrote it.
    pub step: Option<StepIx>,
}

/// Speakers beside the steps, in words made from events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Voice {
    Engine,
    Gates,
    Agents,
}

impl Voice {
    /// Every voice beside the steps.
    pub(crate) const ALL: [Self; 3] = [Self::Engine, Self::Gates, Self::Agents];

    /// The word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Gates => "gates",
            Self::Agents => "agents",
        }
    }
}

/// The writer of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Call(AttemptId),
    Voice(Voice),
}

/// Something that was told beside the steps.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    pub voice: Voice,
    /// Its place among the events.
    pub seq: Seq,
    pub at: Timestamp,
    pub level: LogLevel,
    pub step: Option<StepIx>,
    pub text: String,
}

impl LogLine {
    /// Takes in bytes without line ends, up to the limit of a piece; returns how many.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for part in bytes.split_inclusive(|byte| *byte == b'\r') {
            let (text, returns) = match part {
                [text @ .., b'\r'] => (text, true),
                text => (text, false),
            };
            if !text.is_empty() {
                if self.returned {
                    self.bytes.clear();
                    self.overwritten = self.overwritten.saturating_add(1);
                    self.returned = false;
                }
                let room = PIECE_BYTES_MAX.saturating_sub(self.bytes.len());
                if text.len() > room {
                    let whole = whole_characters(text, room, self.bytes.is_empty());
                    // A code that is cut in two would show its halves.
                    let code = open_sgr_length(&text[..whole]);
                    let whole = if code < whole { whole - code } else { whole };
                    self.bytes.extend_from_slice(&text[..whole]);
                    return taken + whole;
                }
                self.bytes.extend_from_slice(text);
            }
            self.returned |= returns;
            taken += part.len();
        }
        taken
    }
}

/// The length of the longest prefix that fits without cutting a character; the first piece of a line may cut
/// one.
fn whole_characters(text: &[u8], room: usize, is_first: bool) -> usize {
    let back =
        (0..4).find(|back| room >= *back && text.get(room - back).is_none_or(|byte| byte & 0xc0 != 0x80));
    let whole = room - back.unwrap_or(0);
    if whole == 0 && is_first { room } else { whole }
}

/// The minute in which a line came, once for each line.
pub(super) fn minute_of(line: &LogLine) -> Option<i64> {
    line.at.filter(|_| !line.goes_on).map(|moment| moment.0.div_euclid(60_000))
}

pub(super) fn voice(sources: &[Source], source: u32) -> Option<Voice> {
    match sources.get(source as usize) {
        Some(Source::Voice(voice)) => Some(*voice),
        Some(Source::Call(_)) | None => None,
    }
}

pub(super) fn cost(line: &LogLine) -> usize {
    line.bytes.len() + LINE_COST
}
