//! Colours that programs write into their output: the escape code `ESC [ … m` (SGR) and no other. The parser reads
//! hue and weight, and drops backgrounds, blinking, concealed and reversed text, so that no colour hides a text.
//!
//! All other escape codes stay in the text; [`crate::safe_text`] shows them as signs.

use crate::{Untrusted, safe_text};
use std::borrow::Cow;

/// Bytes of the longest code that is read as a colour; a longer one stays in the text.
const CODE_BYTES_MAX: usize = 64;

/// The look that a program gave a stretch of its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sgr {
    /// The colour of the letters, when it is not the default one.
    pub hue: Option<Hue>,
    /// True for bold letters.
    pub bold: bool,
    /// True for faint letters.
    pub faint: bool,
    /// True for slanted letters.
    pub italic: bool,
    /// True for underlined letters.
    pub underlined: bool,
}

/// A colour of letters, so far as a theme can show it on its own ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hue {
    /// Black, white and what lies between.
    Gray,
    /// Red and bright red.
    Red,
    /// Green and bright green.
    Green,
    /// Yellow, orange and brown.
    Yellow,
    /// Blue and bright blue.
    Blue,
    /// Magenta, violet and pink.
    Magenta,
    /// Cyan, turquoise and teal.
    Cyan,
}

/// The hues of the codes 30 to 37.
const HUES: [Hue; 8] =
    [Hue::Gray, Hue::Red, Hue::Green, Hue::Yellow, Hue::Blue, Hue::Magenta, Hue::Cyan, Hue::Gray];

impl Sgr {
    /// Applies a whole code, from `ESC` to `m`. Unknown numbers change nothing.
    pub fn apply(&mut self, code: &[u8]) {
        let inside = code.get(2..code.len().saturating_sub(1)).unwrap_or_default();
        let mut numbers = inside.split(|byte| matches!(byte, b';' | b':')).map(number);
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.faint = true,
                3 => self.italic = true,
                4 => self.underlined = true,
                22 => (self.bold, self.faint) = (false, false),
                23 => self.italic = false,
                24 => self.underlined = false,
                30..=37 => self.hue = Some(HUES[usize::from(number - 30)]),
                39 => self.hue = None,
                90..=97 => self.hue = Some(HUES[usize::from(number - 90)]),
                38 => self.hue = long_hue(&mut numbers).or(self.hue),
                // The numbers of the colour belong to the background; they are no codes of their own.
                48 | 58 => drop(long_hue(&mut numbers)),
                _ => {}
            }
        }
    }
}

/// A missing number is 0, as terminals read it; one that is too large is none that is known.
fn number(digits: &[u8]) -> u16 {
    if digits.is_empty() {
        return 0;
    }
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(u16::MAX)
}

/// The hue behind `38`: `5;N` of 256 colours, or `2;R;G;B`.
fn long_hue(numbers: &mut impl Iterator<Item = u16>) -> Option<Hue> {
    match numbers.next()? {
        5 => Some(match numbers.next()? {
            number @ 0..=15 => HUES[usize::from(number % 8)],
            number @ 16..=231 => {
                let cube = number - 16;
                hue_of(cube / 36 * 51, cube / 6 % 6 * 51, cube % 6 * 51)
            }
            _ => Hue::Gray,
        }),
        2 => Some(hue_of(numbers.next()?, numbers.next()?, numbers.next()?)),
        _ => None,
    }
}

/// The nearest hue of red, green and blue.
fn hue_of(red: u16, green: u16, blue: u16) -> Hue {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    if most - least < 40 {
        return Hue::Gray;
    }
    let is_high = |part: u16| part > least + (most - least) / 2;
    match (is_high(red), is_high(green), is_high(blue)) {
        (true, true, _) => Hue::Yellow,
        (true, _, true) => Hue::Magenta,
        (_, true, true) => Hue::Cyan,
        (true, ..) => Hue::Red,
        (_, true, _) => Hue::Green,
        _ => Hue::Blue,
    }
}

/// Length of the colour code with which these bytes begin; none where they begin with no whole one.
pub fn sgr_length(bytes: &[u8]) -> Option<usize> {
    let inside = bytes.strip_prefix(b"\x1b[")?;
    let digits = inside.iter().take(CODE_BYTES_MAX).take_while(|byte| is_number(**byte)).count();
    (inside.get(digits) == Some(&b'm')).then_some(digits + 3)
}

/// Length of the unfinished colour code with which these bytes end; 0 where there is none.
pub fn open_sgr_length(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(CODE_BYTES_MAX);
    let Some(begin) = bytes[from..].iter().rposition(|byte| *byte == 0x1b) else { return 0 };
    let code = &bytes[from + begin..];
    match code.get(1) {
        None => code.len(),
        Some(b'[') if code[2..].iter().all(|byte| is_number(*byte)) => code.len(),
        Some(_) => 0,
    }
}

fn is_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b';' | b':')
}

/// The bytes in stretches of one look each, without the codes. Each stretch has at least one byte.
pub fn sgr_stretches(bytes: &[u8]) -> Vec<(Sgr, &[u8])> {
    let (mut out, mut look) = (Vec::new(), Sgr::default());
    let (mut begin, mut at) = (0, 0);
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == 0x1b) {
        at += next;
        let Some(length) = sgr_length(&bytes[at..]) else {
            at += 1;
            continue;
        };
        if at > begin {
            out.push((look, &bytes[begin..at]));
        }
        look.apply(&bytes[at..at + length]);
        at += length;
        begin = at;
    }
    if begin < bytes.len() {
        out.push((look, &bytes[begin..]));
    }
    out
}

/// Bytes without the colour codes in them.
pub fn bytes_without_sgr(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&0x1b) {
        return Cow::Borrowed(bytes);
    }
    let parts: Vec<&[u8]> = sgr_stretches(bytes).into_iter().map(|(_, part)| part).collect();
    Cow::Owned(parts.concat())
}

/// A text without its colour codes.
pub fn without_sgr(text: &str) -> String {
    // Codes are ASCII, so nothing is cut inside of a character.
    String::from_utf8_lossy(&bytes_without_sgr(text.as_bytes())).into_owned()
}

/// One line of a program's output as it may be shown without colours.
pub fn output_line(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    safe_text(&without_sgr(Untrusted::from_bytes(line).raw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn red() -> Sgr {
        Sgr { hue: Some(Hue::Red), ..Sgr::default() }
    }

    #[test]
    fn colours_are_read_and_everything_else_stays_in_the_text() {
        let plain = Sgr::default();
        let all = b"a\x1b[31mb\x1b[1mc\x1b[0md\x1b[2Je\x1b[?25lf\x1b]0;t\x07g";
        let expected: [(Sgr, &[u8]); 4] = [
            (plain, b"a"),
            (red(), b"b"),
            (Sgr { bold: true, ..red() }, b"c"),
            (plain, b"d\x1b[2Je\x1b[?25lf\x1b]0;t\x07g"),
        ];
        assert_eq!(sgr_stretches(all), expected);
        assert_eq!(without_sgr("\u{1b}[1;38;5;196mERROR\u{1b}[m: 日\u{1b}["), "ERROR: 日\u{1b}[");
        assert_eq!(output_line(b"\x1b[32mok\x1b[m \x1b[2J\xff\r"), "ok ␛[2J⟨FF⟩");
    }

    #[test]
    fn what_would_hide_a_text_is_dropped() {
        for code in ["8", "7", "5", "40", "100", "48;5;0", "48;2;1;1;1", "58:5:1"] {
            let mut look = Sgr::default();
            look.apply(format!("\u{1b}[{code}m").as_bytes());
            assert_eq!(look, Sgr::default(), "{code}");
        }
    }

    #[test]
    fn long_colours_have_the_nearest_hue() {
        for (code, hue) in [
            ("38;5;196", Hue::Red),
            ("38;5;46", Hue::Green),
            ("38;5;240", Hue::Gray),
            ("38;2;255;165;0", Hue::Yellow),
            ("38:2:80:80:250", Hue::Blue),
            ("38;2;0;200;200", Hue::Cyan),
            ("95", Hue::Magenta),
        ] {
            let mut look = Sgr::default();
            look.apply(format!("\u{1b}[{code}m").as_bytes());
            assert_eq!(look.hue, Some(hue), "{code}");
        }
    }

    #[test]
    fn broken_half_and_endless_codes_are_harmless() {
        let mut look = red();
        for code in ["\u{1b}[38m", "\u{1b}[38;5m", "\u{1b}[38;2;1m", "\u{1b}[99999999999m", "\u{1b}[;;;m"] {
            look.apply(code.as_bytes());
        }
        assert_eq!(look, Sgr::default(), "`;;;` is three times 0");
        let endless = format!("\u{1b}[{}m", "1;".repeat(100_000));
        assert_eq!(sgr_length(endless.as_bytes()), None);
        assert_eq!(sgr_stretches("\u{1b}[31m".repeat(100_000).as_bytes()), []);
        for (text, length) in
            [("x\u{1b}", 1), ("x\u{1b}[", 2), ("x\u{1b}[3;", 4), ("x\u{1b}[3m", 0), ("x", 0)]
        {
            assert_eq!(open_sgr_length(text.as_bytes()), length, "{text:?}");
        }
    }
}
