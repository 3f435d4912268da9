//! A stream as a reader sees it: without terminal sequences and without the line ends of wrapped encodings, its escapes decoded; and for each
//! byte of that the place it has in the stream.

/// Bytes of one terminal sequence; a longer one is text.
const SEQUENCE_BYTES_MAX: usize = 64;
/// Digits of a number in an HTML escape, zeros before it included.
const HTML_DIGITS_MAX: usize = 10;
/// Letters of an encoding before a line end that make it the end of a wrapped line.
const WRAPPED_LETTERS_MIN: usize = 32;

/// Names of characters in HTML that secrets are made of.
const HTML: &[(&[u8], u8)] = &[
    (b"Hat", b'^'),
    (b"NewLine", b'\n'),
    (b"Tab", b'\t'),
    (b"UnderBar", b'_'),
    (b"amp", b'&'),
    (b"AMP", b'&'),
    (b"apos", b'\''),
    (b"ast", b'*'),
    (b"bsol", b'\\'),
    (b"colon", b':'),
    (b"comma", b','),
    (b"commat", b'@'),
    (b"dollar", b'$'),
    (b"equals", b'='),
    (b"excl", b'!'),
    (b"grave", b'`'),
    (b"gt", b'>'),
    (b"GT", b'>'),
    (b"lbrace", b'{'),
    (b"lbrack", b'['),
    (b"lcub", b'{'),
    (b"lowbar", b'_'),
    (b"lpar", b'('),
    (b"lsqb", b'['),
    (b"lt", b'<'),
    (b"LT", b'<'),
    (b"midast", b'*'),
    (b"num", b'#'),
    (b"percnt", b'%'),
    (b"period", b'.'),
    (b"plus", b'+'),
    (b"quest", b'?'),
    (b"quot", b'"'),
    (b"QUOT", b'"'),
    (b"rbrace", b'}'),
    (b"rbrack", b']'),
    (b"rcub", b'}'),
    (b"rpar", b')'),
    (b"rsqb", b']'),
    (b"semi", b';'),
    (b"sol", b'/'),
    (b"verbar", b'|'),
    (b"vert", b'|'),
];

/// The unit at one place of the stream.
enum Unit {
    /// A byte that stands for itself.
    Plain,
    /// So many bytes that a reader does not see.
    Unseen(usize),
    /// So many bytes that stand for one letter.
    Escape(usize, char),
    /// So many bytes that stand for one byte.
    Byte(usize, u8),
    /// The beginning of an escape whose end has not come.
    OpenEscape,
    /// The beginning of a terminal sequence whose end has not come.
    OpenSequence,
}

/// The bytes as they read, each with its place.
pub(super) struct Reading {
    text: Vec<u8>,
    /// Start and end in the stream of each byte.
    places: Vec<(usize, usize)>,
    /// From here on the stream cannot be read yet.
    open: usize,
}

impl Reading {
    /// Nothing where the stream reads as it stands. `letters` stand right before it on the same line. Escapes are only
    /// decoded where that is asked for, and an escape that is still open is text when nothing more comes.
    pub(super) fn of(held: &[u8], letters: usize, decodes: &[u8], is_last: bool) -> Option<Self> {
        let is_sign = |byte: &u8| match byte {
            b'%' | b'&' | b'\\' => decodes.contains(byte),
            byte => matches!(byte, b'\x1b' | b'\n') && decodes.is_empty(),
        };
        // With one kind of escape, the reading of that kind alone is the same.
        let is_of_several = |sign: &&u8| held.contains(sign);
        if !held.iter().any(is_sign) || decodes.len() > 1 && decodes.iter().filter(is_of_several).count() < 2
        {
            return None;
        }
        let (mut text, mut places) = (Vec::with_capacity(held.len()), Vec::with_capacity(held.len()));
        let (mut at, mut letters, mut wrapped, mut changed) = (0, letters, false, false);
        let mut open = held.len();
        while at < held.len() {
            if wrapped && matches!(held[at], b' ' | b'\t') {
                (at, changed) = (at + 1, true);
                continue;
            }
            let was_wrapped = std::mem::take(&mut wrapped);
            let unit = match unit(&held[at..]) {
                Unit::Escape(..) | Unit::Byte(..) | Unit::OpenEscape if !decodes.contains(&held[at]) => {
                    Unit::Plain
                }
                Unit::OpenEscape | Unit::OpenSequence if is_last => Unit::Plain,
                unit => unit,
            };
            let (length, unit) = match unit {
                Unit::Plain => (1, None),
                Unit::Unseen(length) => {
                    (at, changed, wrapped) = (at + length, true, was_wrapped);
                    continue;
                }
                Unit::Escape(length, letter) => (length, Some(letter)),
                Unit::Byte(length, byte) => {
                    changed = true;
                    letters = if is_letter(byte) { letters + 1 } else { 0 };
                    text.push(byte);
                    places.push((at, at + length));
                    at += length;
                    continue;
                }
                Unit::OpenEscape => {
                    (open, changed) = (at, true);
                    break;
                }
                Unit::OpenSequence => {
                    changed = true;
                    break;
                }
            };
            let mut buffer = [0; 4];
            let bytes = match unit {
                Some(letter) => {
                    changed = true;
                    letter.encode_utf8(&mut buffer).as_bytes()
                }
                None => &held[at..=at],
            };
            let is_end =
                matches!(bytes, b"\n") || (bytes == b"\r" && matches!(held.get(at + 1), None | Some(b'\n')));
            if is_end && letters >= WRAPPED_LETTERS_MIN {
                changed = true;
                wrapped = bytes == b"\n";
                if wrapped {
                    letters = 0;
                }
            } else {
                letters = if bytes.iter().all(|byte| is_letter(*byte)) { letters + 1 } else { 0 };
                text.extend_from_slice(bytes);
                places.extend(bytes.iter().map(|_| (at, at + length)));
            }
            at += length;
        }
        changed.then_some(Self { text, places, open })
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The place in the stream of a byte of the text; of its end, the place up to which the stream has been read.
    pub(super) fn place(&self, at: usize) -> usize {
        self.places.get(at).map_or(self.open, |place| place.0)
    }

    /// The place in the stream of a stretch of the text.
    pub(super) fn range(&self, start: usize, end: usize) -> (usize, usize) {
        (self.places[start].0, self.places[end - 1].1)
    }
}

/// Letters of an encoding at the end of these bytes, on one line; `before` stood right before them.
pub(super) fn letters_after(bytes: &[u8], before: usize) -> usize {
    let own = bytes.iter().rev().take_while(|byte| is_letter(**byte) || **byte == b'\r').count();
    if own == bytes.len() { before + own } else { own }
}

/// A letter of base64, base32 or hex.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn unit(rest: &[u8]) -> Unit {
    match rest[0] {
        b'\x1b' => sequence(rest),
        b'%' => number(rest, 1, 2),
        b'&' => html(rest),
        b'\\' => match rest.get(1) {
            None => Unit::OpenEscape,
            Some(b'x') => number(rest, 2, 2),
            Some(b'u') => number(rest, 2, 4),
            Some(_) => Unit::Plain,
        },
        _ => Unit::Plain,
    }
}

/// A CSI sequence (a colour is one), or the choice of a character set that `tput sgr0` sends before one.
fn sequence(rest: &[u8]) -> Unit {
    match rest.get(1) {
        None => Unit::OpenSequence,
        Some(b'(') if rest.len() < 3 => Unit::OpenSequence,
        Some(b'(') => Unit::Unseen(3),
        Some(b'[') => {
            let most = &rest[..rest.len().min(SEQUENCE_BYTES_MAX)];
            match most[2..].iter().position(|byte| !matches!(byte, 0x20..=0x3f)) {
                Some(at) if matches!(most[2 + at], 0x40..=0x7e) => Unit::Unseen(2 + at + 1),
                None if rest.len() < SEQUENCE_BYTES_MAX => Unit::OpenSequence,
                _ => Unit::Plain,
            }
        }
        Some(_) => Unit::Plain,
    }
}

/// So many hex digits after so many bytes: two of them are a byte, four a letter.
fn number(rest: &[u8], from: usize, digits: usize) -> Unit {
    let given = &rest[from..rest.len().min(from + digits)];
    if !given.iter().all(u8::is_ascii_hexdigit) {
        return Unit::Plain;
    }
    if given.len() < digits {
        return Unit::OpenEscape;
    }
    let value = given.iter().fold(0_u32, |all, byte| all << 4 | char::from(*byte).to_digit(16).unwrap_or(0));
    match u8::try_from(value) {
        Ok(byte) if digits == 2 => Unit::Byte(from + digits, byte),
        _ => char::from_u32(value).map_or(Unit::Plain, |value| Unit::Escape(from + digits, value)),
    }
}

fn html(rest: &[u8]) -> Unit {
    let Some(second) = rest.get(1) else { return Unit::OpenEscape };
    if *second != b'#' {
        let name: Vec<u8> = rest[1..].iter().copied().take_while(u8::is_ascii_alphabetic).collect();
        let known = HTML.iter().find(|pair| pair.0 == name);
        return match rest.get(1 + name.len()) {
            Some(b';') => known.map_or(Unit::Plain, |pair| Unit::Byte(name.len() + 2, pair.1)),
            Some(_) => Unit::Plain,
            None if HTML.iter().any(|pair| pair.0.starts_with(&name)) => Unit::OpenEscape,
            None => Unit::Plain,
        };
    }
    let (from, base) = if matches!(rest.get(2), Some(b'x' | b'X')) { (3, 16) } else { (2, 10) };
    let digits = &rest[from.min(rest.len())..];
    let count = digits.iter().take_while(|digit| char::from(**digit).is_digit(base)).count();
    if count > HTML_DIGITS_MAX {
        return Unit::Plain;
    }
    match digits.get(count) {
        None => Unit::OpenEscape,
        Some(b';') if count > 0 => {
            let value = digits[..count].iter().try_fold(0_u32, |all, digit| {
                all.checked_mul(base)?.checked_add(char::from(*digit).to_digit(base)?)
            });
            let letter = value.and_then(char::from_u32);
            letter.map_or(Unit::Plain, |letter| Unit::Escape(from + count + 1, letter))
        }
        Some(_) => Unit::Plain,
    }
}
