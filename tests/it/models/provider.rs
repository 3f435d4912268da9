//! A stand-in for the three providers: a listener on 127.0.0.1 that answers with recorded documents, or goes wrong as real
//! ones do. Nothing leaves the machine.

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

/// A request that the provider received.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) line: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Heard {
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|field| field.0 == name).map_or("", |field| field.1.as_str())
    }
}

/// An answer of the provider.
pub(super) struct Part {
    status: &'static str,
    kind: &'static str,
    fields: String,
    /// Sent one after the other.
    pieces: Vec<Vec<u8>>,
    /// The line breaks before the answer is at its end.
    is_cut: bool,
    /// Nothing after the first piece before this is told.
    wait: Option<Receiver<()>>,
    /// The last piece comes again and again, as fast as it is taken.
    is_endless: bool,
}

/// A stream of events.
pub(super) fn stream(text: &str) -> Part {
    Part {
        status: "200 OK",
        kind: "text/event-stream; charset=utf-8",
        fields: String::new(),
        pieces: vec![text.as_bytes().to_vec()],
        is_cut: false,
        wait: None,
        is_endless: false,
    }
}

/// An answer that refuses.
pub(super) fn refusal(status: &'static str, text: &str) -> Part {
    Part { status, kind: "application/json", ..stream(text) }
}

/// Chat completions that say this text, with what they used.
pub(super) fn says(text: &str, asked: u64, answered: u64) -> Part {
    let event = |value: Value| format!("data: {value}\n\n");
    let (first, second) = text.split_at(text.len() / 2);
    let word = |text: &str| {
        event(
            json!({"model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}),
        )
    };
    let words = word(first) + &word(second);
    let end = event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
    let used =
        event(json!({"choices": [], "usage": {"prompt_tokens": asked, "completion_tokens": answered}}));
    stream(&format!("{words}{end}{used}data: [DONE]\n\n"))
}

/// Chat completions that ask for tools, each with its id, its name and its arguments as text, in pieces.
pub(super) fn asks(calls: &[(&str, &str, &str)]) -> Part {
    let event = |value: Value| format!("data: {value}\n\n");
    let delta = |value: Value| {
        event(json!({"model": "m", "choices": [{"index": 0, "delta": value, "finish_reason": null}]}))
    };
    let mut all = delta(json!({"role": "assistant", "content": null}));
    for (index, (id, name, given)) in calls.iter().enumerate() {
        let about = json!({"name": name, "arguments": ""});
        all += &delta(
            json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": about}]}),
        );
        let half =
            (0..=given.len() / 2).rev().find(|index| given.is_char_boundary(*index)).unwrap_or_default();
        let (first, second) = given.split_at(half);
        for piece in [first, second] {
            all += &delta(json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}));
        }
    }
    all += &event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}));
    all += &event(json!({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}));
    stream(&format!("{all}data: [DONE]\n\n"))
}

impl Part {
    pub(super) fn with(self, field: &str) -> Self {
        Self { fields: format!("{field}\r\n"), ..self }
    }

    pub(super) fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// Only the first bytes of it, and then the line breaks.
    pub(super) fn cut(mut self, bytes: usize) -> Self {
        self.pieces[0].truncate(bytes);
        Self { is_cut: true, ..self }
    }

    /// The same, and the line ends as if that were all.
    pub(super) fn short(mut self, bytes: usize) -> Self {
        self.pieces[0].truncate(bytes);
        self
    }

    /// Splits the answer into single bytes.
    pub(super) fn in_bytes(self) -> Self {
        let pieces = self.pieces.concat().into_iter().map(|piece| vec![piece]).collect();
        Self { pieces, ..self }
    }

    /// The first bytes of it, and the rest when that is told.
    pub(super) fn waits(self, bytes: usize, wait: Receiver<()>) -> Self {
        let (first, rest) = self.pieces[0].split_at(bytes);
        Self { pieces: vec![first.to_vec(), rest.to_vec()], wait: Some(wait), ..self }
    }

    /// The same, again and again.
    pub(super) fn endless(self) -> Self {
        Self { is_endless: true, ..self }
    }

    fn play(self, stream: &mut TcpStream) -> std::io::Result<()> {
        let Self { status, kind, fields, pieces, is_cut, wait, is_endless } = self;
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{fields}Transfer-Encoding: chunked\r\n\r\n"
        )?;
        let again = pieces.last().filter(|_| is_endless).into_iter().cycle();
        for (index, piece) in pieces.iter().chain(again).enumerate() {
            if let Some(wait) = wait.as_ref().filter(|_| index == 1) {
                wait.recv().unwrap_or_default();
            }
            write!(stream, "{:x}\r\n", piece.len())?;
            stream.write_all(piece)?;
            stream.write_all(b"\r\n")?;
        }
        if is_cut { Ok(()) } else { stream.write_all(b"0\r\n\r\n") }
    }
}

/// Answers each connection with the next part, then is gone.
pub(super) struct Provider {
    pub(super) port: u16,
    heard: Receiver<Heard>,
}

impl Provider {
    pub(super) fn play(parts: Vec<Part>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, heard) = sync_channel(64);
        #[expect(clippy::disallowed_methods, reason = "the other side is no part of the program")]
        let _owner = thread::spawn(move || {
            for part in parts {
                let Ok((mut stream, _)) = listener.accept() else { return };
                if let Some(heard) = hear(&stream) {
                    drop(tell.try_send(heard));
                }
                // Whoever goes away in the middle is no matter of ours.
                drop(part.play(&mut stream));
                drop(stream.shutdown(Shutdown::Write));
                // What is still on its way is read, or the system would answer with a reset.
                drop(stream.read(&mut [0; 1024]));
            }
        });
        Self { port, heard }
    }

    /// The next request that the provider received.
    pub(super) fn heard(&self) -> Heard {
        self.heard.recv().expect("it was asked")
    }

    /// Number of further requests.
    pub(super) fn asked(&self) -> usize {
        self.heard.try_iter().count()
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

fn hear(stream: &TcpStream) -> Option<Heard> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut fields = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => fields.push((name.to_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length =
        fields.iter().find(|field| field.0 == "content-length").and_then(|field| field.1.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Heard { line: line.trim().to_owned(), fields, body: serde_json::from_slice(&body).ok()? })
}
