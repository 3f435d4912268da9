//! Detects a dark or light ground of a terminal, from its answer to a query and from its environment.
//!
//! `terminal` sends the query; this module reads the answer.

/// The ground of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ground {
    /// Light text on a dark ground.
    #[default]
    Dark,
    /// Dark text on a light ground.
    Light,
}

impl Ground {
    /// The ground from `COLORFGBG`: its last number is the ground's colour, as in `15;0`.
    pub fn of_colorfgbg(text: &str) -> Option<Self> {
        match text.rsplit(';').next()?.parse::<u8>().ok()? {
            7 | 9..=15 => Some(Self::Light),
            0..=6 | 8 => Some(Self::Dark),
            16.. => None,
        }
    }

    /// The ground from a terminal's answer to OSC 11: `rgb:ffff/ffff/ffff`, each part of one to four digits.
    pub(super) fn of_answer(answer: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(answer);
        let (_, rest) = text.split_once("]11;")?;
        let (_, parts) = rest.split_once("rgb:").or_else(|| rest.split_once("rgba:"))?;
        let part = |text: &str| {
            let digits: String = text.chars().take_while(char::is_ascii_hexdigit).take(4).collect();
            let most = 16_u32.checked_pow(u32::try_from(digits.len()).ok()?)? - 1;
            let value = u32::from_str_radix(&digits, 16).ok()?;
            Some(value * 1000 / most.max(1))
        };
        let mut parts = parts.split('/').map(part);
        let (red, green, blue) = (parts.next()??, parts.next()??, parts.next()??);
        // The weight of each for the eye, in thousandths.
        let light = (red * 299 + green * 587 + blue * 114) / 1000;
        Some(if light >= 500 { Self::Light } else { Self::Dark })
    }
}

/// Ends the wait: what every terminal answers, and answers last.
pub(super) fn is_answered(answer: &[u8]) -> bool {
    let begins = |at: &usize| answer[*at..].starts_with(b"\x1b[?");
    (0..answer.len()).rev().find(begins).is_some_and(|at| answer[at..].contains(&b'c'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_terminal_tells_its_ground() {
        let check = |answer: &[u8], expected| assert_eq!(Ground::of_answer(answer), expected, "{answer:?}");
        check(b"\x1b]11;rgb:0000/2b2b/3636\x07\x1b[?62c", Some(Ground::Dark));
        check(b"\x1b]11;rgb:fdfd/f6f6/e3e3\x1b\\\x1b[?62c", Some(Ground::Light));
        check(b"\x1b]11;rgb:f/f/f\x07", Some(Ground::Light));
        check(b"\x1b]11;rgba:10/10/10/ff\x07", Some(Ground::Dark));
        check(b"\x1b[?62c", None);
        check(b"\x1b]11;rgb:zz/0/0\x07", None);
        check(b"\x1b]11;rgb:ffff/ffff\x07", None);
        check(&[0xff; 300], None);
    }

    #[test]
    fn the_wait_ends_with_what_every_terminal_answers() {
        assert!(is_answered(b"\x1b]11;rgb:0/0/0\x07\x1b[?62;4c"));
        assert!(!is_answered(b"\x1b]11;rgb:cc/cc/cc\x07"));
        assert!(!is_answered(b"\x1b]11;rgb:cc/cc/cc\x07\x1b[?62"));
    }

    #[test]
    fn the_environment_tells_it_too() {
        let check = |text, expected| assert_eq!(Ground::of_colorfgbg(text), expected, "{text}");
        check("15;0", Some(Ground::Dark));
        check("0;default;15", Some(Ground::Light));
        check("0;7", Some(Ground::Light));
        check("12;8", Some(Ground::Dark));
        check("default;default", None);
        check("", None);
    }
}
