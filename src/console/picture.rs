//! Screens as pictures: text, text with styles for snapshots, and SVG for screenshots and the key that exports.
//!
//! Nothing is drawn here; a filled buffer comes in, a string goes out. Writing it somewhere is the caller's.

use crate::{Role, Theme, theme::rgb_of};
use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// The screen as lines, blanks at their ends cut.
pub fn to_text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let mut line = String::new();
        let mut x = buf.area.left();
        while x < buf.area.right() {
            let symbol = buf[(x, y)].symbol();
            line.push_str(symbol);
            x += cells_of(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The screen as lines, then one line for each stretch of one style, by row and columns from 1:
/// `2:1-58 fg=warn bg=- bold`. Colours are named by the roles of the theme, best [`Theme::for_snapshots`].
pub fn snap(buf: &Buffer, theme: &Theme) -> String {
    let mut out = to_text(buf);
    let plain = Look::of(&Cell::default());
    let ground = Look {
        fg: theme.role(Role::Text).fg.unwrap_or_default(),
        bg: theme.role(Role::Bg).bg.unwrap_or_default(),
        mods: Modifier::empty(),
    };
    for y in buf.area.top()..buf.area.bottom() {
        for run in runs(buf, y, Look::of) {
            if run.style != plain && run.style != ground {
                let (row, first, last) =
                    (y - buf.area.y + 1, run.from - buf.area.x + 1, run.end - buf.area.x);
                let (fg, bg) = (color_name(run.style.fg, theme), color_name(run.style.bg, theme));
                write!(out, "{row}:{first}-{last} fg={fg} bg={bg}").expect("a String takes all text");
                for (modifier, name) in MODIFIERS {
                    if run.style.mods.contains(modifier) {
                        write!(out, " {name}").expect("a String takes all text");
                    }
                }
                out.push('\n');
            }
        }
    }
    out
}

/// The size of a cell. The height is the line height of the font, 1.164 em, so that boxes join.
const CELL_WIDTH: f64 = 9.633;
const FONT_SIZE: f64 = 16.0;
const CELL_HEIGHT: f64 = FONT_SIZE * 1.164;
const MARGIN: f64 = 10.0;
/// The terminal's own colours are not known; these stand for them.
const OWN_TEXT: [u8; 3] = [0xd8, 0xdd, 0xe7];
const OWN_GROUND: [u8; 3] = [0x12, 0x15, 0x1c];

/// The screen as a picture. The theme gives text and ground where the screen says "the terminal's own".
pub fn to_svg(buf: &Buffer, theme: &Theme) -> String {
    let width = f64::from(buf.area.width) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f64::from(buf.area.height) * CELL_HEIGHT + 2.0 * MARGIN;
    let own = Own {
        text: theme.role(Role::Text).fg.and_then(rgb_of).unwrap_or(OWN_TEXT),
        ground: theme.role(Role::Bg).bg.and_then(rgb_of).unwrap_or(OWN_GROUND),
    };
    let mut out = String::new();
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.1} {height:.1}\" font-family=\"'DejaVu Sans Mono', 'JetBrains Mono', monospace\" \
         font-size=\"{FONT_SIZE}\">"
    )
    .expect("a String takes all text");
    writeln!(out, "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>", hex(own.ground))
        .expect("a String takes all text");
    for y in buf.area.top()..buf.area.bottom() {
        let runs: Vec<_> = runs(buf, y, |cell| Ink::of(cell, &own)).collect();
        for run in &runs {
            write_ground(&mut out, buf, y, run, &own);
        }
        for run in &runs {
            write_text(&mut out, buf, y, run);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The style of a cell in a snapshot.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    fg: Color,
    bg: Color,
    mods: Modifier,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, mods: cell.modifier }
    }
}

const MODIFIERS: [(Modifier, &str); 4] = [
    (Modifier::BOLD, "bold"),
    (Modifier::REVERSED, "reversed"),
    (Modifier::UNDERLINED, "underlined"),
    (Modifier::ITALIC, "italic"),
];

fn color_name(color: Color, theme: &Theme) -> String {
    match color {
        Color::Reset => "-".to_owned(),
        color => theme.role_of(color).map_or_else(|| format!("{color}"), |role| role.name().to_owned()),
    }
}

/// The colours assumed for the terminal's own text and ground.
struct Own {
    text: [u8; 3],
    ground: [u8; 3],
}

/// The colours a cell is painted with: reversal is done, so that runs are what is seen.
#[derive(Clone, Copy, PartialEq)]
struct Ink {
    text: [u8; 3],
    ground: [u8; 3],
    bold: bool,
    underlined: bool,
    italic: bool,
}

impl Ink {
    fn of(cell: &Cell, own: &Own) -> Self {
        let text = rgb_of(cell.fg).unwrap_or(own.text);
        let ground = rgb_of(cell.bg).unwrap_or(own.ground);
        let reversed = cell.modifier.contains(Modifier::REVERSED);
        let (text, ground) = if reversed { (ground, text) } else { (text, ground) };
        Self {
            text,
            ground,
            bold: cell.modifier.contains(Modifier::BOLD),
            underlined: cell.modifier.contains(Modifier::UNDERLINED),
            italic: cell.modifier.contains(Modifier::ITALIC),
        }
    }
}

/// A stretch of cells of one style in one row.
struct Run<S> {
    from: u16,
    end: u16,
    style: S,
}

fn runs<'b, S: PartialEq + Copy + 'b>(
    buf: &'b Buffer,
    y: u16,
    style: impl Fn(&Cell) -> S + 'b,
) -> impl Iterator<Item = Run<S>> + 'b {
    let mut x = buf.area.left();
    std::iter::from_fn(move || {
        let from = x;
        if from >= buf.area.right() {
            return None;
        }
        let first = style(&buf[(from, y)]);
        while x < buf.area.right() && style(&buf[(x, y)]) == first {
            // The second cell of a wide character belongs to the first, whatever its own style.
            x += cells_of(buf[(x, y)].symbol());
        }
        x = x.min(buf.area.right());
        Some(Run { from, end: x, style: first })
    })
}

/// The width of a symbol in cells, at least one.
fn cells_of(symbol: &str) -> u16 {
    u16::try_from(symbol.width()).unwrap_or(1).max(1)
}

fn write_ground(out: &mut String, buf: &Buffer, y: u16, run: &Run<Ink>, own: &Own) {
    if run.style.ground != own.ground {
        let (x, top) = (left_of(buf, run.from), top_of(buf, y));
        let width = f64::from(run.end - run.from) * CELL_WIDTH;
        let fill = hex(run.style.ground);
        // A hair more than the cell, so that no seam shows between rows.
        let height = CELL_HEIGHT + 0.4;
        writeln!(
            out,
            "<rect x=\"{x:.2}\" y=\"{top:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\"/>"
        )
        .expect("a String takes all text");
    }
}

/// One element for each word of a run: blanks are not written, so nothing can collapse or drift.
fn write_text(out: &mut String, buf: &Buffer, y: u16, run: &Run<Ink>) {
    let mut from = run.from;
    while from < run.end {
        let mut x = from;
        let (mut text, mut trailing) = (String::new(), 0_u16);
        while x < run.end && trailing < 2 {
            let symbol = buf[(x, y)].symbol();
            trailing = if symbol == " " { trailing + 1 } else { 0 };
            text.push_str(symbol);
            x += cells_of(symbol);
        }
        let words = text.trim_end();
        if words.trim_start().is_empty() {
            from = x;
            continue;
        }
        let leading = u16::try_from(words.len() - words.trim_start().len()).unwrap_or(0);
        write_words(out, buf, (from + leading, y), words.trim_start(), run.style);
        from = x;
    }
}

fn write_words(out: &mut String, buf: &Buffer, (x, y): (u16, u16), words: &str, ink: Ink) {
    let baseline = top_of(buf, y) + FONT_SIZE * 0.928;
    let length = f64::from(u16::try_from(words.width()).unwrap_or(u16::MAX)) * CELL_WIDTH;
    write!(
        out,
        "<text x=\"{:.2}\" y=\"{baseline:.2}\" textLength=\"{length:.2}\" lengthAdjust=\"spacingAndGlyphs\" \
         xml:space=\"preserve\" fill=\"{}\"",
        left_of(buf, x),
        hex(ink.text)
    )
    .expect("a String takes all text");
    for (there, attribute) in [
        (ink.bold, " font-weight=\"bold\""),
        (ink.underlined, " text-decoration=\"underline\""),
        (ink.italic, " font-style=\"italic\""),
    ] {
        if there {
            out.push_str(attribute);
        }
    }
    out.push('>');
    for c in words.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push_str("</text>\n");
}

fn left_of(buf: &Buffer, x: u16) -> f64 {
    MARGIN + f64::from(x - buf.area.x) * CELL_WIDTH
}

fn top_of(buf: &Buffer, y: u16) -> f64 {
    MARGIN + f64::from(y - buf.area.y) * CELL_HEIGHT
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Glyphs, Mark, put};
    use ratatui::layout::Rect;

    fn screen(theme: &Theme) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 2));
        let area = buf.area;
        put(&mut buf, area, 0, 0, "日 a<b & c", theme.role(Role::Text));
        put(&mut buf, area, 1, 1, Mark::GateLate.sign(Glyphs::default()), Mark::GateLate.style(theme));
        buf
    }

    #[test]
    fn a_snapshot_names_roles_and_a_moved_highlight_is_another_snapshot() {
        let theme = Theme::for_snapshots();
        let buf = screen(&theme);
        assert_eq!(
            snap(&buf, &theme),
            "日 a<b & c\n ◆\n1:1-10 fg=text bg=-\n2:2-2 fg=gate bg=- bold reversed\n"
        );
    }

    #[test]
    fn an_svg_escapes_keeps_widths_and_applies_the_reversal() {
        let theme = Theme::built_in("dark").expect("shipped");
        let svg = to_svg(&screen(&theme), &theme);
        assert!(svg.contains(">日 a&lt;b &amp; c</text>"), "{svg}");
        assert!(svg.contains("textLength=\"96.33\""), "{svg}");
        assert!(svg.contains("fill=\"#ffb067\"/>"), "the ground of a reversed sign is its colour: {svg}");
    }
}
