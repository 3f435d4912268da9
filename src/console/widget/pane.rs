//! Panes and dialogs: a border with a name above and a hint below, and the room inside.

use crate::{Glyphs, Role, Theme, text};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr;

/// The appearance of a pane.
#[derive(Clone, Copy, Debug)]
pub struct PaneLook<'a> {
    /// The theme that gives the styles.
    pub theme: &'a Theme,
    /// The set of signs to use.
    pub glyphs: Glyphs,
    /// True if this pane takes the keys.
    pub focus: bool,
    /// True if the pane shows the past: its border is broken.
    pub past: bool,
}

/// Lines of a border: horizontal, vertical, and the corners from the top left, clockwise.
struct Lines {
    across: &'static str,
    down: &'static str,
    corners: [&'static str; 4],
}

const ROUNDED: Lines = Lines { across: "─", down: "│", corners: ["╭", "╮", "╯", "╰"] };
const BROKEN: Lines = Lines { across: "┄", down: "┆", corners: ["┌", "┐", "┘", "└"] };
const DOUBLE: Lines = Lines { across: "═", down: "║", corners: ["╔", "╗", "╝", "╚"] };
const ASCII: Lines = Lines { across: "-", down: "|", corners: ["+"; 4] };
const ASCII_BROKEN: Lines = Lines { across: ".", down: ":", corners: ["."; 4] };
const ASCII_DOUBLE: Lines = Lines { across: "=", down: "|", corners: ["#"; 4] };

/// A rounded pane: `╭─ title ───╮`, `╰─── footer ─╯`. Returns the room inside.
pub fn pane(buf: &mut Buffer, area: Rect, title: &str, footer: &str, look: PaneLook<'_>) -> Rect {
    let lines =
        if look.past { look.glyphs.pick(&BROKEN, &ASCII_BROKEN) } else { look.glyphs.pick(&ROUNDED, &ASCII) };
    let border = look.theme.role(if look.focus { Role::BorderFocus } else { Role::Border });
    bordered(buf, area, (title, footer), lines, border, look)
}

/// A dialog: a double line over whatever stood there. Returns the room inside.
pub fn dialog(buf: &mut Buffer, area: Rect, title: &str, look: PaneLook<'_>) -> Rect {
    fill(buf, area, look.theme.ground());
    let lines = look.glyphs.pick(&DOUBLE, &ASCII_DOUBLE);
    bordered(buf, area, (title, ""), lines, look.theme.role(Role::BorderFocus), look)
}

/// Blanks of one style.
pub fn fill(buf: &mut Buffer, area: Rect, style: Style) {
    let area = area.intersection(buf.area);
    for position in area.positions() {
        let cell = &mut buf[position];
        cell.reset();
        cell.set_style(style);
    }
}

/// A rectangle of at most this size in the middle of an area.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}

fn bordered(
    buf: &mut Buffer,
    area: Rect,
    (title, footer): (&str, &str),
    lines: &Lines,
    border: Style,
    look: PaneLook<'_>,
) -> Rect {
    let area = area.intersection(buf.area);
    if area.width < 2 || area.height < 2 {
        return Rect::new(area.x, area.y, 0, 0);
    }
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    for x in area.x + 1..right {
        text::put(buf, area, x, area.y, lines.across, border);
        text::put(buf, area, x, bottom, lines.across, border);
    }
    for y in area.y + 1..bottom {
        text::put(buf, area, area.x, y, lines.down, border);
        text::put(buf, area, right, y, lines.down, border);
    }
    let corners = [(area.x, area.y), (right, area.y), (right, bottom), (area.x, bottom)];
    for ((x, y), corner) in corners.into_iter().zip(lines.corners) {
        text::put(buf, area, x, y, corner, border);
    }
    // A label keeps two cells of the line at either end.
    let room = usize::from(area.width).saturating_sub(6);
    if !title.is_empty() && room > 0 {
        let label = format!(" {} ", look.glyphs.fit(title, room));
        text::put(buf, area, area.x + 2, area.y, &label, look.theme.role(Role::Title));
    }
    if !footer.is_empty() && room > 0 {
        let label = format!(" {} ", look.glyphs.fit(footer, room));
        let width = u16::try_from(label.width()).unwrap_or(area.width);
        text::put(buf, area, right.saturating_sub(1 + width), bottom, &label, look.theme.role(Role::Muted));
    }
    Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::to_text;

    fn look(theme: &Theme, ascii: bool) -> PaneLook<'_> {
        PaneLook { theme, glyphs: Glyphs { ascii }, focus: false, past: false }
    }

    #[test]
    fn a_pane_has_its_name_above_and_its_hint_below() {
        let theme = Theme::default();
        let mut buf = Buffer::empty(Rect::new(0, 0, 16, 3));
        let inside = pane(&mut buf, Rect::new(0, 0, 16, 3), "runs", "p hide", look(&theme, false));
        assert_eq!(to_text(&buf), "╭─ runs ───────╮\n│              │\n╰───── p hide ─╯\n");
        assert_eq!(inside, Rect::new(1, 1, 14, 1));
    }

    #[test]
    fn a_dialog_has_a_double_line_also_in_ascii() {
        let theme = Theme::default();
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 3));
        dialog(&mut buf, Rect::new(0, 0, 12, 3), "Approve this?", look(&theme, false));
        assert_eq!(to_text(&buf), "╔═ Appro… ═╗\n║          ║\n╚══════════╝\n");
        dialog(&mut buf, Rect::new(0, 0, 12, 3), "Stop?", look(&theme, true));
        assert_eq!(to_text(&buf), "#= Stop? ==#\n|          |\n#==========#\n");
    }

    #[test]
    fn no_pane_is_too_small_to_be_drawn() {
        let theme = Theme::default();
        for width in 0..8 {
            for height in 0..4 {
                let mut buf = Buffer::empty(Rect::new(0, 0, 8, 4));
                let area = centred(Rect::new(0, 0, 8, 4), width, height);
                let inside = pane(&mut buf, area, "title", "footer", look(&theme, false));
                assert!(inside.width <= area.width && inside.height <= area.height);
            }
        }
    }
}
