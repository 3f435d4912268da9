//! Colour depth of a terminal, and the nearest colour to one that it lacks.

use ratatui::style::Color;

/// The number of colours that the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// None: `NO_COLOR`, or a terminal without.
    None,
    /// The sixteen colours of the terminal's own palette.
    Ansi16,
    /// The xterm palette of 256.
    Indexed256,
    /// Red, green and blue as they are.
    #[default]
    Truecolor,
}

impl Depth {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "no colours",
            Self::Ansi16 => "16 colours",
            Self::Indexed256 => "256 colours",
            Self::Truecolor => "true colours",
        }
    }
}

/// The sixteen names in the order of their numbers, and the values xterm gives them.
const SIXTEEN: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0x00, 0x00, 0x00]),
    (Color::Red, [0xcd, 0x31, 0x31]),
    (Color::Green, [0x0d, 0xbc, 0x79]),
    (Color::Yellow, [0xd7, 0xba, 0x3d]),
    (Color::Blue, [0x3f, 0x84, 0xe0]),
    (Color::Magenta, [0xbc, 0x5f, 0xbc]),
    (Color::Cyan, [0x2b, 0xb5, 0xcf]),
    (Color::Gray, [0xcc, 0xcc, 0xcc]),
    (Color::DarkGray, [0x76, 0x7c, 0x88]),
    (Color::LightRed, [0xf1, 0x6c, 0x6c]),
    (Color::LightGreen, [0x43, 0xd8, 0x95]),
    (Color::LightYellow, [0xf5, 0xdc, 0x5c]),
    (Color::LightBlue, [0x6c, 0xa6, 0xf5]),
    (Color::LightMagenta, [0xd6, 0x86, 0xd6]),
    (Color::LightCyan, [0x49, 0xd3, 0xe8]),
    (Color::White, [0xff, 0xff, 0xff]),
];

const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Red, green and blue of a colour; none for the terminal's own.
pub(crate) fn rgb_of(color: Color) -> Option<[u8; 3]> {
    match color {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(index) => Some(rgb_of_index(index)),
        named => SIXTEEN.iter().find(|(name, _)| *name == named).map(|(_, rgb)| *rgb),
    }
}

fn rgb_of_index(index: u8) -> [u8; 3] {
    match index {
        0..=15 => SIXTEEN[usize::from(index)].1,
        16..=231 => {
            let cube = index - 16;
            [CUBE[usize::from(cube / 36)], CUBE[usize::from(cube / 6 % 6)], CUBE[usize::from(cube % 6)]]
        }
        grey => [8 + (grey - 232) * 10; 3],
    }
}

pub(super) fn nearest_of_16(color: Color) -> Color {
    match color {
        Color::Rgb(..) | Color::Indexed(_) => {
            let wanted = rgb_of(color).expect("not the terminal's own");
            let nearest = SIXTEEN.iter().min_by_key(|(_, rgb)| distance(wanted, *rgb));
            nearest.expect("there are sixteen").0
        }
        named => named,
    }
}

pub(super) fn nearest_of_256(color: Color) -> Color {
    let Color::Rgb(r, g, b) = color else { return color };
    let nearest = (16..=255_u8).min_by_key(|index| distance([r, g, b], rgb_of_index(*index)));
    Color::Indexed(nearest.expect("there are 240"))
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}
