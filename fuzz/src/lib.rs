//! One function for each door through which foreign bytes come in, and what must hold for any of them. That it returns at all is
//! most of it; what else is asked stands with each. `targets/` holds one small program for each, which libFuzzer drives.

use cuelight_base::{
    Actor, Channel, McpCall, Proof, Schema, Seq, Span, StepIx, Timestamp, Untrusted, Value, ValueMap,
    is_unseen, next_scheduled, safe_pieces, safe_text as safe,
};
use cuelight_console::{
    Danger, Key, Keymap, LookOfScreen, Message, Model, Press, Query, Seat, Theme, draw, parse_keys,
    put_untrusted, to_text, update,
};
use cuelight_definition::{Files, fmt, read};
use cuelight_engine::{CauseOfLaunch, Command, Event, Launching, Revoked, World};
use cuelight_expression::{MapLookup, Template, evaluate, parse};
use cuelight_gateway::{
    Claims, KeyRing, McpHeard, Permission, Signed, Signer, mcp_heard, peek, sign, sign_payload,
};
use cuelight_import::{ImportAs, import_argo, import_dagu, import_github, import_wfformat};
use cuelight_plan::{GraphFormat, graph, lower};
use cuelight_projection::Board;
use cuelight_runtime::People;
use cuelight_store::{FileNote, KeyKind, Note, SpoolReader, TokenKey, TokenKeys, read_notes, verify_chain};
use cuelight_tool::{lifeline_frames, parse_outputs};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use std::{
    fs,
    str::from_utf8,
    sync::{Arc, OnceLock},
};

mod api;

pub use api::{api, end_api};

/// The moment at which everything happens here.
const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A workspace with nothing in it.
struct Nothing;

impl Files for Nothing {
    fn read(&self, _path: &str) -> Result<String, String> {
        Err("there is no such file".to_owned())
    }
}

/// A workflow file is read, checked and planned. What is refused is refused for a reason that stands in the text.
pub fn workflow(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    let (workflow, findings) = read("fuzz.yaml", text, &Nothing);
    for finding in &findings {
        assert!(!finding.message.is_empty() && finding.line >= 1 && finding.column >= 1, "{finding:?}");
    }
    let Some(workflow) = workflow else {
        assert!(!findings.is_empty(), "it was refused, and nobody says why");
        return;
    };
    if let Ok(plan) = lower(&workflow, ValueMap::default()) {
        for (index, step) in plan.steps.iter().enumerate() {
            let own = StepIx(u32::try_from(index).expect("a plan has a limit"));
            assert!(!step.needs.contains(&own), "a step needs itself: {}", step.id);
        }
        let _drawn = graph(&plan, GraphFormat::Mermaid);
    }
}

/// What has been brought into canonical form is in canonical form.
pub fn format(bytes: &[u8]) {
    let Some(once) = from_utf8(bytes).ok().and_then(|text| fmt(text).ok()) else { return };
    let twice = fmt(&once).unwrap_or_else(|why| panic!("its own form cannot be read: {why:?}\n{once}"));
    assert_eq!(once, twice, "once is enough");
}

/// An expression, and a text with holes.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    if let Ok(read) = parse(text) {
        let _value = evaluate(&read, &MapLookup::default());
    }
    let _template = Template::parse(text);
}

/// Nothing that is drawn moves a cursor, or hides or turns what stands beside it; nothing is dropped in silence.
pub fn safe_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        let shown = safe(line);
        assert!(!shown.chars().any(is_unseen), "{shown:?} would reach the screen");
        assert_eq!(shown.is_empty(), line.is_empty(), "something was dropped in silence");
        let pieces: String = safe_pieces(line).into_iter().map(|piece| piece.text).collect();
        assert_eq!(pieces, shown, "both say the same");
        let area = Rect::new(0, 0, 40, 2);
        let mut buf = Buffer::empty(area);
        put_untrusted(&mut buf, area, (3, 1), &Untrusted::new(line), Style::new(), &Theme::default());
        let cells = buf.content.iter().flat_map(|value| value.symbol().chars());
        assert!(!cells.into_iter().any(char::is_control), "a control character stands in a cell");
    }
}

/// Events as they stand in a log: what can be read is written the same again.
pub fn event(bytes: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Event>(bytes) else { return };
    let written = serde_json::to_vec(&event).expect("it was read");
    let again: Event = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(event, again);
}

/// Signed heads, as a file that may be cut anywhere, one alone, and the note beside an export.
pub fn heads(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    if let Ok((_, whole)) = read_notes(text) {
        assert!(
            whole <= text.len() && read_notes(&text[..whole]).is_ok(),
            "the whole part can be read alone"
        );
    }
    let _note = Note::parse(text);
    let _file = FileNote::parse(text);
}

/// An exported chain: without its keys nothing is believed.
pub fn chain(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    let _verdict = verify_chain(text, &[]);
}

/// The language of filters, and its mistakes.
pub fn query(bytes: &[u8]) {
    const KNOWN: [&str; 4] = ["state", "workflow", "risk", "age"];
    let Ok(text) = from_utf8(bytes) else { return };
    let query = Query::parse(text, &KNOWN);
    let _problem = Query::problem(text, &KNOWN);
    let fits = query.fits(|name| format!("{name} of it"), "some words of a row");
    assert!(fits || !query.is_empty(), "what asks for nothing fits everything");
}

/// A keymap of an operator.
pub fn keymap(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    let _keymap = Keymap::with_user(text);
    let _keys = parse_keys(text);
}

/// A theme of an operator.
pub fn theme(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    let _theme = Theme::parse(text, Some(&Theme::default()));
}

/// A JSON schema of a tool, and a value held against it: the first line and the rest.
pub fn schema(bytes: &[u8]) {
    let Some((schema, value)) = from_utf8(bytes).ok().and_then(|text| text.split_once('\n')) else { return };
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return };
    let Ok(schema) = Schema::read(&schema) else { return };
    if let Ok(value) = serde_json::from_str::<Value>(value) {
        let _problems = schema.problems(&value);
    }
}

/// What an agent says over MCP, and what a server says of a tool: it is answered, and says the same as itself.
pub fn mcp(bytes: &[u8]) {
    if let McpHeard::Reply(reply) = mcp_heard(bytes) {
        assert_eq!(reply["jsonrpc"], "2.0");
    }
    if let Ok(says) = serde_json::from_slice::<Value>(bytes) {
        assert_eq!(McpCall::of("tool", &says).changed(&says), None);
    }
}

/// What somebody shows for a token: only the one that our key has signed opens anything, byte for byte.
pub fn token(bytes: &[u8]) {
    static KNOWN: OnceLock<(KeyRing, String)> = OnceLock::new();
    let Ok(text) = from_utf8(bytes) else { return };
    let (ring, good) = KNOWN.get_or_init(|| {
        // The second is the public half of a key that is in RFC 8032, so anybody can read the other half there.
        let far = *b"\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";
        let keys = [("one", KeyKind::Secret([9; 32])), ("far", KeyKind::Public(far))];
        let key = |(kid, kind): (&str, KeyKind)| TokenKey {
            kid: kid.to_owned(),
            issuer: "cuelight/1".to_owned(),
            made_at: NOW,
            until: None,
            kind,
        };
        let keys = TokenKeys { audience: "cuelight/1".to_owned(), keys: keys.into_iter().map(key).collect() };
        let people = Arc::new(People::read("").expect("nobody"));
        let ring = KeyRing { keys: Arc::new(keys), people, project: "shop".into(), engine: 1000 };
        let claims = Claims {
            iss: "cuelight/1".to_owned(),
            aud: "cuelight/1".to_owned(),
            sub: "reviewer-1".to_owned(),
            agent_type: Some("qa".to_owned()),
            project_id: "shop".to_owned(),
            permissions: vec![Permission::ReadGates],
            exp: NOW.0 / 1000 + 600,
            nbf: None,
            iat: NOW.0 / 1000,
            jti: "t1".to_owned(),
            renewed: 0,
            call: None,
        };
        (ring, sign(&claims, "one", &Signer::Secret(&[9; 32])))
    });
    let _told = peek(text);
    let opens = ring.check(text, NOW, &Revoked::default()).is_ok();
    assert_eq!(opens, text == good, "{text}");
}

/// A signed message: its id, its time and its signatures, a line each, and what was sent. Nothing counts but what our key signs for these very
/// bytes, under this id and at this time.
pub fn webhook(bytes: &[u8]) {
    const SECRET: [u8; 32] = [9; 32];
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().and_then(|line| from_utf8(line).ok()).unwrap_or_default();
    let (id, timestamp, signatures) = (line(), line(), line());
    let payload = lines.next().unwrap_or_default();
    if (Signed { id, timestamp, signatures }).check(payload, std::iter::once(&SECRET), NOW).is_ok() {
        let seconds: i64 = timestamp.parse().expect("what counts has a time");
        assert!(NOW.0.abs_diff(seconds * 1000) <= 300_000, "what counts is not old");
        let ours = sign_payload(&SECRET, id, seconds, payload);
        assert!(signatures.split_whitespace().any(|word| word == ours), "{signatures} is not {ours}");
    }
}

/// What a step wrote into the file of its outputs.
pub fn outputs(bytes: &[u8]) {
    let _outputs = parse_outputs(bytes);
}

/// What an engine and its guard say to each other, as it stands or as what one frame holds: what can be read is written, and
/// that says the same.
pub fn lifeline(bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let framed = |kind: u8| [&[kind], &length[..], bytes].concat();
    for said in [bytes.to_vec(), framed(b'j'), framed(b'o')] {
        let Ok(frames) = lifeline_frames(&said) else { continue };
        let again = lifeline_frames(&frames.concat()).expect("what was written can be read");
        assert_eq!(frames, again);
    }
}

/// Files of output and the indexes beside them, as a disk or a hand left them: a line that says from which byte on, how many bytes
/// and how many lines are read, then each file behind a line of four dashes, its name first.
pub fn spool(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
    let asked = parts.next().map(String::from_utf8_lossy).unwrap_or_default();
    let mut numbers = asked.split(' ').map(|part| part.parse::<u64>().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    let (offset, length, lines) = (number(), number().clamp(1, 1 << 20), number() % 1_000);
    let dir = std::env::temp_dir().join(format!("cuelight-spool-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a directory");
    while parts.next().is_some() {
        let name = parts.next().map(String::from_utf8_lossy).unwrap_or_default();
        let mut file = Vec::new();
        while let Some(line) = parts.next_if(|part| *part != b"----") {
            file.extend([line, b"\n"].concat());
        }
        if ["log", "times"].iter().any(|prefix| name.starts_with(prefix))
            && !name.contains(['/', '\0'])
            && name.len() < 50
        {
            fs::write(dir.join(&*name), file).expect("written");
        }
    }
    let reader = SpoolReader::new(&dir);
    let read = || -> std::io::Result<()> {
        let total = reader.total()?;
        let _gap = reader.gap()?;
        let _count = reader.line_count()?;
        let stretch = reader.read(offset, length)?;
        assert!(stretch.bytes.len() as u64 <= length && stretch.offset >= offset, "it is what was asked for");
        assert!(stretch.bytes.is_empty() || stretch.end() <= total, "nothing is behind the end");
        let tail = reader.tail(length)?;
        assert!(tail.bytes.is_empty() || tail.end() == total, "the tail ends where all ends");
        let _times = reader.arrivals(offset, offset.saturating_add(length))?;
        let lines = usize::try_from(lines).unwrap_or(0);
        let some = reader.lines_from(offset, lines, length)?;
        assert!(some.bytes.iter().filter(|byte| **byte == b'\n').count() <= lines, "no line too many");
        assert!(offset > total || reader.lines_back(offset, lines)? <= offset, "back is not on");
        Ok(())
    };
    let read = read();
    fs::remove_dir_all(&dir).expect("ours");
    read.expect("each file can be read");
}

/// A workflow of another system, brought into a form of ours that passes the checker.
pub fn import(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    let recorded = |text: &str| import_wfformat(text, ImportAs::Noop);
    for made in
        [import_argo(text), import_dagu(text), import_github(text), recorded(text)].into_iter().flatten()
    {
        let (_, findings) = read("imported.yaml", &made.text, &Nothing);
        // Files that it calls are still to be imported.
        let wrong = findings.iter().find(|finding| finding.is_error() && finding.code != "subworkflow");
        assert!(wrong.is_none(), "{wrong:?} in\n{}", made.text);
    }
}

/// A schedule, a time zone: the first line and the rest.
pub fn cron(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    let (cron, zone) = text.split_once('\n').unwrap_or((text, "UTC"));
    if let Ok(Some(next)) = next_scheduled(cron, zone, NOW) {
        assert!(next > NOW, "the next time lies ahead");
    }
    let _span: Result<Span, _> = cron.parse();
}

/// Any keys in any order, a frame drawn after each: nothing that cannot be seen reaches a cell.
pub fn keys(bytes: &[u8]) {
    static BOARD: OnceLock<Arc<Board>> = OnceLock::new();
    let board = BOARD.get_or_init(|| Arc::new(waiting()));
    let seat = Seat {
        actor: person(Channel::Console),
        environment: "PROD".to_owned(),
        danger: Danger::Production,
        place: "local".to_owned(),
        read_only: false,
        is_far: false,
        answers_at: None,
        people: Vec::new(),
    };
    let size = (30 + u16::from(bytes.first().copied().unwrap_or(50)), 20);
    let mut model = Model::new(seat, LookOfScreen::default(), Arc::new(Keymap::default()), size, NOW);
    let mut now = NOW;
    let _asked = update(&mut model, Message::Board(Arc::clone(board)));
    for byte in bytes.iter().skip(1).take(40) {
        now = now + Span(100);
        let _asked = update(&mut model, Message::Key { press: press(*byte), repeat: byte % 7 == 0, at: now });
        let _asked = update(&mut model, Message::Drawn(now));
        let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        draw(&model, &Theme::default(), &mut buf);
        assert!(
            !to_text(&buf).chars().any(|c| c.is_control() && c != '\n'),
            "a control character on the screen"
        );
    }
}

/// A byte as a key: letters are themselves, the rest are the keys beside them.
fn press(byte: u8) -> Press {
    const NAMED: [Key; 13] = [
        Key::Enter,
        Key::Esc,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Delete,
        Key::Up,
        Key::Down,
        Key::Left,
        Key::Right,
        Key::Home,
        Key::End,
        Key::PageDown,
    ];
    match byte {
        b' '..=b'~' => Press::of(Key::Char(char::from(byte))),
        128..=140 => Press::of(NAMED[usize::from(byte - 128)]),
        141..=153 => Press::of(Key::F(byte - 140)),
        154..=179 => Press { ctrl: true, ..Press::of(Key::Char(char::from(b'a' + (byte - 154)))) },
        other => Press::of(Key::Char(char::from(other))),
    }
}

fn person(channel: Channel) -> Actor {
    Actor { name: "ann".to_owned(), proof: Proof::OsUser(1), groups: Vec::new(), channel }
}

/// A run that has come to a gate.
fn waiting() -> Board {
    const TEXT: &str = "name: fuzz\nsteps:\n  - {id: build, run: make}\n  - {id: go, gate: {prompt: Ship it?}}\n  - {id: ship, needs: go, run: ./ship}\n";
    let (workflow, findings) = read("fuzz.yaml", TEXT, &Nothing);
    let workflow = workflow.unwrap_or_else(|| panic!("{findings:?}"));
    let plan = lower(&workflow, ValueMap::default()).expect("it can be planned");
    let launching = Launching {
        plan,
        by: person(Channel::Command),
        seed: 7,
        cause: CauseOfLaunch::Asked,
        trace: "t".to_owned(),
        request: None,
    };
    let (mut world, mut events) = (World::default(), Vec::new());
    world.handle(Command::Launch(Box::new(launching)), NOW, &mut events).expect("it is taken");
    let mut board = Board::default();
    for (index, event) in events.iter().enumerate() {
        board.apply(Seq(index as u64 + 1), event);
    }
    board
}
