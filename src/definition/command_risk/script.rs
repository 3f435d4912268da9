//! A script as its simple commands and their words: quotes, expansions and redirections are taken apart.

use super::Judge;

/// One word, as the shell would hand it on.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    pub(super) text: String,
    /// Something in it is put in by the shell: a variable, a pattern, a list in braces.
    pub(super) expands: bool,
    /// That stands at its beginning.
    pub(super) begins_expanded: bool,
}

/// A program and its words.
#[derive(Debug, Default)]
pub(super) struct Simple {
    pub(super) words: Vec<Word>,
    /// It reads what the one before it writes.
    pub(super) is_fed: bool,
    /// It writes to a file.
    pub(super) writes: bool,
}

impl Simple {
    /// Takes the word that has ended.
    fn end(&mut self, word: &mut Option<Word>) {
        self.words.extend(word.take());
    }
}

impl Judge {
    /// Commands of a script, each by itself. What is put in by another command is judged as one of its own.
    pub(super) fn split(&mut self, text: &str, depth: u32) -> Vec<Simple> {
        let mut all = Vec::new();
        let mut now = Simple::default();
        let mut word: Option<Word> = None;
        let letters: Vec<char> = text.chars().collect();
        let mut at = 0;
        while let Some(letter) = letters.get(at).copied() {
            let next = letters.get(at + 1).copied();
            at += 1;
            match letter {
                '\\' if next == Some('\n') => at += 1,
                '\\' if next == Some('\n') => at += 1,
                '\\' | '\'' | '"' | '$' | '`' => {
                    at = self.letter(&letters, at - 1, word.get_or_insert_default(), depth);
                }
                ' ' | '\t' => now.end(&mut word),
                '#' if word.is_none() => {
                    at += letters[at..].iter().take_while(|c| **c != '\n').count();
                }
                '>' | '<' => at = self.redirected(&letters, at - 1, &mut now, &mut word, depth),
                '&' if next == Some('>') => now.end(&mut word),
                ';' | '&' | '|' | '\n' | '(' | ')' => {
                    now.end(&mut word);
                    self.is_clear &= !"()".contains(letter);
                    let is_pipe =
                        letter == '|' && next != Some('|') && letters.get(at.wrapping_sub(2)) != Some(&'|');
                    let is_fed = is_pipe || now.is_fed && now.words.is_empty();
                    all.push(std::mem::take(&mut now));
                    now.is_fed = is_fed;
                }
                '*' | '?' | '[' | '{' if letter != '[' || next.is_some_and(|c| c != ' ') => {
                    let word = word.get_or_insert_default();
                    // A list in braces may become any word, a pattern only a name that is there.
                    word.begins_expanded |=
                        letter == '{' && next != Some(' ') || word.text.is_empty() && letter != '{';
                    word.expands = true;
                    word.text.push(letter);
                }
                _ => word.get_or_insert_default().text.push(letter),
            }
        }
        now.end(&mut word);
        all.push(now);
        all.retain(|simple| !simple.words.is_empty() || simple.writes);
        all
    }

    /// Takes what stands in double quotes, and gives back where it ends.
    fn double_quoted(&mut self, letters: &[char], from: usize, word: &mut Word, depth: u32) -> usize {
        let mut at = from;
        while let Some(letter) = letters.get(at).copied() {
            match letter {
                '"' => return at + 1,
                '\\' => {
                    word.text.extend(letters.get(at + 1));
                    at += 2;
                }
                '$' | '`' => at = self.expansion(letters, at, word, depth),
                _ => {
                    word.text.push(letter);
                    at += 1;
                }
            }
        }
        self.unended(&letters[from.min(letters.len())..].iter().collect::<String>(), depth);
        at
    }

    /// A quotation mark without its second may be none: what follows it is judged as well.
    fn unended(&mut self, text: &str, depth: u32) {
        self.is_clear = false;
        self.script(text, depth + 1);
    }

    /// Takes what begins with `$` or a backtick, and gives back where it ends.
    fn expansion(&mut self, letters: &[char], at: usize, word: &mut Word, depth: u32) -> usize {
        let next = letters.get(at + 1).copied();
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        word.begins_expanded |= word.text.is_empty();
        word.expands = true;
        match (letters[at], next) {
            ('`', _) | ('$', Some('(')) => {
                self.is_clear = false;
                let from = if letters[at] == '`' { at + 1 } else { at + 2 };
                let mut open = 1;
                let end = letters[from..].iter().position(|c| {
                    open += match (letters[at], c) {
                        ('`', '`') | ('$', ')') => -1,
                        ('$', '(') => 1,
                        _ => 0,
                    };
                    open == 0
                });
                let end = end.map_or(letters.len(), |index| from + index);
                let inside: String = letters[from..end].iter().collect();
                self.script(&inside, depth + 1);
                end + 1
            }
            ('$', Some('{')) => {
                let inside: Vec<char> =
                    letters[at + 2..].iter().take_while(|c| **c != '}').copied().collect();
                // More than a name computes, assigns, or runs something.
                self.is_clear &= !inside.is_empty() && inside.iter().all(is_name);
                word.text.push('$');
                at + 3 + inside.len()
            }
            ('$', Some(c)) if is_name(&c) => {
                word.text.push('$');
                at + 1 + letters[at + 1..].iter().take_while(|letter| is_name(letter)).count()
            }
            ('$', Some('\'' | '"')) => {
                self.is_clear = false;
                let inside: String = letters[at + 2..].iter().take_while(|c| **c != '\'').collect();
                if ["\\x", "\\u", "\\U", "\\0", "\\1"].iter().any(|text| inside.contains(text)) {
                    self.raise("letters are written by their numbers");
                }
                at + 1
            }
            _ => {
                // `$[…]` computes, `$~x` and `$^x` are an expansion in some shells.
                self.is_clear &= next.is_none_or(|c| c.is_whitespace() || "?$!#@*-\"/.,;|&)".contains(c));
                word.text.push('$');
                at + 1
            }
        }
    }

    /// Takes a redirection with the word behind it, and gives back where it ends.
    fn redirected(
        &mut self,
        letters: &[char],
        mut at: usize,
        now: &mut Simple,
        word: &mut Option<Word>,
        depth: u32,
    ) -> usize {
        // A number before it is that of a descriptor.
        match word.take() {
            Some(word) if word.text.chars().all(|c| c.is_ascii_digit()) => {}
            other => now.words.extend(other),
        }
        let from = at;
        at += letters[at..].iter().take_while(|c| "<>&|".contains(**c)).count();
        let sign: String = letters[from..at].iter().collect();
        at += letters[at..].iter().take_while(|c| " \t".contains(**c)).count();
        let (target, end) = self.target(letters, at, depth);
        let bare = target.text.as_str();
        let is_descriptor = sign.ends_with('&') && bare.chars().all(|c| c.is_ascii_digit() || c == '-');
        let is_nothing = ["/dev/null", "/dev/stdout", "/dev/stderr"].contains(&bare);
        // A name that the shell makes up may be that of a device, or of an address.
        let reads = sign == "<" && !bare.is_empty() && !target.begins_expanded && !bare.starts_with("/dev/");
        if bare.starts_with("/dev/") && sign.contains('>') && !is_nothing && !bare.starts_with("/dev/tty") {
            self.raise("it writes to a device");
        }
        if !(is_descriptor || is_nothing || reads) {
            self.is_clear = false;
            now.writes = true;
        }
        // A here-document, a process, or a sign that no shell has: its words are read as words of the command as well.
        if sign == "<" || sign.contains('>') { end } else { at }
    }

    /// The word that a redirection opens, read like any other word, and the place where it ends.
    fn target(&mut self, letters: &[char], from: usize, depth: u32) -> (Word, usize) {
        let (mut word, mut at) = (Word::default(), from);
        while let Some(letter) = letters.get(at).copied() {
            match letter {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '*' | '?' | '[' | '{' => {
                    word.begins_expanded |= word.text.is_empty() || letter == '{';
                    word.expands = true;
                    word.text.push(letter);
                    at += 1;
                }
                _ => at = self.letter(letters, at, &mut word, depth),
            }
        }
        (word, at)
    }

    /// Takes a letter of a word with all that it quotes or expands, and gives back where that ends.
    fn letter(&mut self, letters: &[char], at: usize, word: &mut Word, depth: u32) -> usize {
        match letters[at] {
            '\\' => {
                word.text.extend(letters.get(at + 1).filter(|c| **c != '\n'));
                at + 2
            }
            '\'' => {
                let inside: String = letters[at + 1..].iter().take_while(|c| **c != '\'').collect();
                word.text.push_str(&inside);
                let end = at + inside.chars().count() + 2;
                if end > letters.len() {
                    self.unended(&inside, depth);
                }
                end
            }
            '"' => self.double_quoted(letters, at + 1, word, depth),
            '$' | '`' => self.expansion(letters, at, word, depth),
            letter => {
                word.text.push(letter);
                at + 1
            }
        }
    }
}
