//! Measures the cost of a frame at 200x60: keys, events and ticks, then the drawing, with runs of 10 to
//! 10,000 steps and with 100,000 lines of output. Also the layout of a folded graph.
//!
//! Large graphs are arranged on another thread; the column `elsewhere` shows its time.
//!
//! `cargo bench --bench draw`. Judged by P9: a frame in ≤ 2 ms; the layout of 1,000 folded steps in ≤ 5 ms.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and prints figures"
)]

mod support;

use cuelight_base::{Arrivals, AttemptId, Channel, Seq, Span, Timestamp};
use cuelight_console::{
    DagGraph, DagNode, DagView, Danger, Keymap, LookOfScreen, Lookup, Mark, Message, Model, Scene, Seat,
    Sheet, Theme, Wish, Zoom, draw, fold, layout, parse_keys, update,
};
use cuelight_engine::{AttemptEvent, Command, Event, Fact, Outcome, World};
use cuelight_projection::Board;
use ratatui::{buffer::Buffer, layout::Rect};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use support::{actor, launching, layered};

const SIZE: (u16, u16) = (200, 60);
const FRAMES: usize = 60;

fn main() {
    println!(
        "{:<44} {:>12} {:>12} {:>12} {:>12}",
        "200x60, medians in us", "update", "draw", "p99 of both", "elsewhere"
    );
    for steps in [10, 1_000, 10_000] {
        let mut screen = Screen::of(steps);
        screen.press("2");
        screen.measured(&format!("{steps} steps, a key"), |screen, at| {
            screen.key(if at % 2 == 0 { "j" } else { "k" })
        });
        screen.measured(&format!("{steps} steps, a step ends"), |screen, _| screen.go_on());
        screen.measured(&format!("{steps} steps, a second passes"), |screen, _| screen.second());
        screen.press("1");
        screen.measured(&format!("{steps} steps beside the list, a step ends"), |screen, _| screen.go_on());
    }
    let mut screen = Screen::of(10);
    screen.press("2 L");
    let (call, lines) = (screen.running[0], 100_000);
    screen.output(call, lines);
    screen.measured("100,000 lines of output, a key", |screen, at| {
        screen.key(if at % 20 < 10 { "PgUp" } else { "PgDn" })
    });
    screen.press("G");
    screen.measured("100,000 lines of output, ten more", |screen, _| {
        let text = screen.lines(10);
        let from = screen.written - text.len() as u64;
        Message::Output { attempt: call, from, bytes: text.into(), came: Some(screen.now) }
    });
    laid_out();
}

/// A console that looks at a run in mid course.
struct Screen {
    world: World,
    board: Arc<Board>,
    seq: Seq,
    now: Timestamp,
    running: VecDeque<AttemptId>,
    written: u64,
    model: Model,
    theme: Theme,
    /// Pictures that are to be made elsewhere.
    asked: Vec<(u64, Box<Scene>)>,
}

impl Screen {
    /// Half of the steps have ended.
    fn of(steps: u32) -> Self {
        let now = Timestamp(1_800_000_000_000);
        let seat = Seat {
            actor: actor(Channel::Console),
            environment: "PROD".to_owned(),
            danger: Danger::Production,
            place: "local".to_owned(),
            read_only: false,
            is_far: false,
            answers_at: None,
            people: Vec::new(),
        };
        let look = LookOfScreen { theme: "dark".to_owned(), ..LookOfScreen::default() };
        let mut screen = Self {
            world: World::default(),
            board: Arc::default(),
            seq: Seq(0),
            now,
            running: VecDeque::new(),
            written: 0,
            model: Model::new(seat, look, Arc::new(Keymap::default()), SIZE, now),
            theme: Theme::default(),
            asked: Vec::new(),
        };
        let plan = cuelight_plan::Plan { max_parallel: 8, ..layered(steps) };
        screen.decide(launching(plan));
        for _ in 0..steps / 2 {
            let _next = screen.go_on();
        }
        let board = Message::Board(Arc::clone(&screen.board));
        screen.send(board);
        screen
    }

    fn decide(&mut self, command: Command) {
        let mut events: Vec<Event> = Vec::new();
        self.world.handle(command, self.now, &mut events).expect("it is taken");
        for event in events {
            self.seq = Seq(self.seq.0 + 1);
            Arc::make_mut(&mut self.board).apply(self.seq, &event);
            if let Fact::Attempt(run, step, number, AttemptEvent::Started { .. }) = &event.fact {
                self.running.push_back(AttemptId { run: *run, step: *step, number: *number });
            }
        }
    }

    /// One more step ends; the board that follows.
    fn go_on(&mut self) -> Message {
        self.now = self.now + Span(7);
        if let Some(attempt) = self.running.pop_front() {
            self.decide(Command::AttemptEnded { attempt, outcome: Box::new(Outcome::default()) });
        }
        // As the loop does before each board.
        self.send(Message::Tick(self.now));
        Message::Board(Arc::clone(&self.board))
    }

    fn second(&mut self) -> Message {
        self.now = self.now + Span(1_000);
        Message::Tick(self.now)
    }

    fn key(&mut self, key: &str) -> Message {
        self.now = self.now + Span(400);
        let press = parse_keys(key).expect("a key")[0];
        Message::Key { press, repeat: false, at: self.now }
    }

    fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            let message = self.key(key);
            self.send(message);
            self.arrange();
        }
    }

    /// Arranges the requested graphs, as another thread would. Returns the time that it took.
    fn arrange(&mut self) -> Duration {
        let mut all = Duration::ZERO;
        while let Some((request, scene)) = self.asked.pop() {
            let began = Instant::now();
            let arranged = scene.arranged();
            drop(scene);
            all += began.elapsed();
            self.now = self.now + Span(20);
            self.send(Message::Arranged { request, arranged, took: Span(5), at: self.now });
        }
        all
    }

    /// A message, and empty answers to what is read.
    fn send(&mut self, message: Message) {
        for wish in update(&mut self.model, message) {
            if let Wish::Arrange { request, scene } = wish {
                self.asked.push((request, scene));
            } else if let Wish::Read { request, want: Lookup::Tail { .. } | Lookup::Output { .. } } = wish {
                let sheet = Sheet::Bytes {
                    from: self.written,
                    bytes: Vec::new(),
                    total: self.written,
                    times: Arrivals::default(),
                };
                self.send(Message::Sheet { request, sheet });
            }
        }
    }

    fn lines(&mut self, count: usize) -> Vec<u8> {
        let line = |index: usize| format!("2026-11-21T05:27:05Z INFO  worker: row {index} loaded in 12 ms\n");
        let text: String = (0..count).map(line).collect();
        self.written += text.len() as u64;
        text.into_bytes()
    }

    fn output(&mut self, attempt: AttemptId, lines: usize) {
        for _ in 0..lines / 100 {
            let (from, bytes) = (self.written, self.lines(100).into());
            self.send(Message::Output { attempt, from, bytes, came: Some(self.now) });
        }
    }

    fn measured(&mut self, what: &str, mut next: impl FnMut(&mut Self, usize) -> Message) {
        let (mut updates, mut draws, mut both) = (Vec::new(), Vec::new(), Vec::new());
        let mut elsewhere = Vec::new();
        let mut frame = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
        for at in 0..FRAMES {
            let message = next(self, at);
            let began = Instant::now();
            self.send(message);
            let updated = began.elapsed();
            frame.reset();
            draw(&self.model, &self.theme, &mut frame);
            let drawn = began.elapsed();
            updates.push(updated);
            draws.push(drawn.saturating_sub(updated));
            both.push(drawn);
            elsewhere.push(self.arrange());
        }
        let (update, draw, both) = (at(updates, 50), at(draws, 50), at(both, 99));
        let elsewhere = at(elsewhere, 50);
        println!("{what:<44} {update:>12} {draw:>12} {both:>12} {elsewhere:>12}");
    }
}

fn at(mut took: Vec<Duration>, percent: usize) -> u128 {
    took.sort();
    took[(took.len() - 1) * percent / 100].as_micros()
}

/// From a graph to a picture, as when it is opened.
fn laid_out() {
    for steps in [1_000_u32, 2_000, 10_000] {
        let node = |index: u32| {
            let middle = steps / 2;
            let mark = match index {
                _ if index < middle => Mark::Done,
                _ if index < middle + 8 => Mark::Runs,
                _ => Mark::Todo,
            };
            DagNode { hot: mark == Mark::Runs, ..DagNode::new(format!("s{index}"), mark) }
        };
        let edges = (0..steps).filter(|index| *index >= 100);
        let edges = edges
            .flat_map(|index| [(index - 100, index), (index - 100 - index % 100 + (index + 7) % 100, index)])
            .collect();
        let graph = DagGraph { nodes: (0..steps).map(node).collect(), edges };
        for zoom in [Zoom::Compact, Zoom::Outline, Zoom::Dots] {
            let view = DagView { zoom, room: 114, ..DagView::default() };
            let (mut folds, mut layouts) = (Vec::new(), Vec::new());
            for _ in 0..20 {
                let began = Instant::now();
                let shown = fold(&graph, &view);
                let folded = began.elapsed();
                let _picture = layout(&shown, None, zoom);
                folds.push(folded);
                layouts.push(began.elapsed().saturating_sub(folded));
            }
            let what = format!("{steps} steps, {zoom:?}: fold, layout");
            println!("{what:<44} {:>12} {:>12}", at(folds, 50), at(layouts, 50));
        }
    }
}
