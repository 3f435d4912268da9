//! Tool calls that a model asks for, assembled from the pieces of a stream. A name and arguments are foreign
//! text, and stay that: the engine checks that the tool exists and accepts them.

use cuelight_base::{MODEL_ARGUMENTS_BYTES_MAX, ToolAsked, Value};

/// Calls of one answer that are kept; what is more than may be asked for is told so.
const CALLS_KEPT: usize = 64;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 200;
/// Characters of an id of a provider.
const ID_CHARS_MAX: usize = 64;
/// Bytes of what a provider wants to see again.
const OWN_BYTES_MAX: usize = 32 * 1024;

/// The calls of one answer.
#[derive(Default)]
pub(super) struct Calls {
    all: Vec<Piece>,
    /// Total bytes of all arguments.
    bytes: usize,
}

/// One of them, as far as it has come.
#[derive(Default)]
struct Piece {
    /// Index of the call at the provider.
    place: u64,
    id: String,
    name: String,
    arguments: String,
    is_too_large: bool,
    own: Option<String>,
}

impl Calls {
    /// Number of calls that have begun.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The name of the first, once it is known.
    pub(super) fn first(&self) -> Option<&str> {
        self.all.first().map(|word| word.name.as_str())
    }

    /// A call begins at this place.
    pub(super) fn begin(&mut self, place: u64, id: &str, name: &str) {
        if self.all.len() < CALLS_KEPT {
            let name = name.chars().take(NAME_CHARS_MAX).collect();
            self.all.push(Piece { place, id: id.to_owned(), name, ..Piece::default() });
        }
    }

    /// True if this begins a new call at this index instead of continuing the last one. Some servers give all
    /// calls of an answer the same index.
    pub(super) fn is_new(&self, place: u64, id: &str) -> bool {
        let last = self.all.iter().rfind(|word| word.place == place);
        last.is_none_or(|word| !id.is_empty() && word.id != id)
    }

    /// More of the arguments of the one at this place.
    pub(super) fn more(&mut self, place: u64, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
        let is_room = self.bytes <= MODEL_ARGUMENTS_BYTES_MAX;
        let Some(piece) = self.all.iter_mut().rfind(|word| word.place == place) else { return };
        if is_room && !piece.is_too_large {
            piece.arguments.push_str(text);
        } else {
            (piece.is_too_large, piece.arguments) = (true, String::new());
        }
    }

    /// Stores the provider's own data of the last call; the provider wants it back in the next request.
    pub(super) fn own(&mut self, text: &str) {
        if let Some(last) = self.all.last_mut().filter(|_| text.len() <= OWN_BYTES_MAX) {
            last.own = Some(text.to_owned());
        }
    }

    /// All of them, each with an id of its own; `round` is how many came before this answer.
    pub(super) fn finish(self, round: usize) -> Vec<ToolAsked> {
        let mut out: Vec<ToolAsked> = Vec::new();
        for (number, word) in (1..).zip(self.all) {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let is_sane = !word.id.is_empty() && word.id.len() <= ID_CHARS_MAX && word.id.chars().all(plain);
            let is_new = out.iter().all(|other| other.id != word.id);
            let id = if is_sane && is_new { word.id } else { format!("call_{}_{number}", round + 1) };
            let (arguments, unreadable) = match read(&word.arguments, word.is_too_large) {
                Ok(Value::Object(given)) => (Some(given), String::new()),
                Ok(_) => (None, "they are no JSON object".to_owned()),
                Err(why) => (None, why),
            };
            out.push(ToolAsked { id, name: word.name, arguments, unreadable, own: word.own });
        }
        out
    }
}

/// The name of a call as providers take it back: what no tool is called is refused by some of them in what was said, too.
pub(super) fn sent_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' };
    let name: String = name.chars().take(ID_CHARS_MAX).map(plain).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

fn read(text: &str, is_too_large: bool) -> Result<Value, String> {
    if is_too_large {
        return Err(format!("they have more than {MODEL_ARGUMENTS_BYTES_MAX} bytes"));
    }
    // A tool that is given nothing is called with nothing.
    let text = if text.trim().is_empty() { "{}" } else { text };
    cuelight_base::read_json(text).map_err(|error| format!("they are no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pieces_of_several_calls_are_put_together_each_by_its_place() {
        let mut calls = Calls::default();
        calls.begin(0, "a", "first");
        calls.begin(1, "a", "second");
        calls.more(0, "{\"x\"");
        calls.more(1, "{}");
        calls.more(0, ": 1}");
        calls.begin(2, "odd id!", "third");
        calls.more(2, "{\"x\": ");
        let all = calls.finish(1);
        let ids: Vec<&str> = all.iter().map(|tool_asked| tool_asked.id.as_str()).collect();
        assert_eq!(ids, ["a", "call_2_2", "call_2_3"]);
        assert_eq!(all[0].arguments.clone().map(Value::Object), Some(json!({"x": 1})));
        assert!(all[2].arguments.is_none() && all[2].unreadable.contains("no JSON"), "{}", all[2].unreadable);
    }

    #[test]
    fn a_name_that_is_none_goes_back_as_one() {
        assert_eq!(["file_read", "file.read\n", ""].map(sent_name), ["file_read", "file_read_", "unnamed"]);
    }

    #[test]
    fn what_is_too_large_is_never_kept() {
        let mut calls = Calls::default();
        calls.begin(0, "a", &"n".repeat(1000));
        (0..600).for_each(|_| calls.more(0, &"\\u001b".repeat(100)));
        (0..1000).for_each(|index| calls.begin(index + 1, "b", "more"));
        assert_eq!(calls.len(), CALLS_KEPT);
        let all = calls.finish(0);
        assert_eq!(all[0].name.len(), NAME_CHARS_MAX);
        assert!(
            all[0].arguments.is_none() && all[0].unreadable.contains("more than"),
            "{}",
            all[0].unreadable
        );
    }
}
