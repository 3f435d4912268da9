//! Keys in, screen out: the console over boards that the real engine made. No terminal, no clock, no waiting.

mod again;
mod audit;
mod badly;
mod batch;
mod errors;
mod fixture;
mod gates;
mod graphs;
mod hands;
mod health;
mod help;
mod hostile;
mod keys;
mod launching;
mod leaving;
mod logs;
mod outputs;
mod panes;
mod past;
mod pictures;
mod safety;
mod screens;
mod seen;
mod shapes;
mod streams;
mod themes;
mod time;
mod travel;
mod words;

pub(crate) use seen::lines_of_ask;

use cuelight_base::{Actor, Channel, Span, Timestamp};
use cuelight_console::{
    Danger, Keymap, LookOfScreen, Message, Model, Seat, Theme, Wish, draw, parse_keys, to_text, update,
};
use cuelight_engine::Refusal;
use fixture::{Stage, actor, afternoon};
use outputs::Outputs;
use ratatui::{buffer::Buffer, layout::Rect};
use std::sync::Arc;

/// The seat of somebody at a terminal beside the engine of a production workspace.
pub(crate) fn seat(actor: Actor) -> Seat {
    Seat {
        actor,
        environment: "PROD".to_owned(),
        danger: Danger::Production,
        place: "local".to_owned(),
        read_only: false,
        is_far: false,
        answers_at: None,
        people: ["jon", "mira", "ops-lead"].map(str::to_owned).to_vec(),
    }
}

/// A console, and the engine it looks at.
struct Console {
    model: Model,
    stage: Stage,
    outputs: Outputs,
    at: Timestamp,
}

impl Console {
    fn new(stage: Stage, width: u16, height: u16) -> Self {
        let mut mira = actor("mira");
        mira.channel = Channel::Console;
        let seat = seat(mira);
        let look = LookOfScreen { theme: "dark".to_owned(), ..LookOfScreen::default() };
        let at = stage.now;
        let model = Model::new(seat, look, Arc::new(Keymap::default()), (width, height), at);
        let outputs = Outputs::of_afternoon(&stage);
        let mut console = Self { model, stage, outputs, at };
        console.see();
        console
    }

    fn of_afternoon(width: u16, height: u16) -> Self {
        Self::new(afternoon(), width, height)
    }

    /// The newest board reaches the screen.
    fn see(&mut self) -> Vec<Wish> {
        self.send(Message::Board(self.stage.board()))
    }

    /// A message, and the answers of the engine to what it asks.
    fn send(&mut self, message: Message) -> Vec<Wish> {
        let wishes = update(&mut self.model, message);
        for wish in &wishes {
            if let Wish::Preview { request, command } = wish {
                let command = past::completed(&self.stage.log, (**command).clone());
                let outcome: Result<_, Refusal> = self.stage.world.preview(command, self.at);
                let more = update(&mut self.model, Message::Preview { request: *request, outcome });
                assert!(more.is_empty(), "{more:?}");
            }
            if let Wish::Arrange { request, scene } = wish {
                let arranged = scene.arranged();
                self.send(Message::Arranged { request: *request, arranged, took: Span(1), at: self.at });
            }
            if let Wish::Read { request, want } = wish
                && let Some(sheet) = past::read(&self.stage.log, want)
            {
                self.send(Message::Sheet { request: *request, sheet });
            } else if let (Wish::Read { request, want }, Some(_)) = (wish, self.model.listens()) {
                let sheet = self.outputs.read(want);
                self.send(Message::Sheet { request: *request, sheet });
            }
        }
        wishes
    }

    /// Keys, parted by blanks, each a second after the one before and after a frame was drawn.
    fn press(&mut self, keys: &str) -> Vec<Wish> {
        if keys.is_empty() {
            return Vec::new();
        }
        let mut all = Vec::new();
        for press in parse_keys(keys).expect("keys") {
            self.at = self.at + Span(1_000);
            all.extend(self.send(Message::Drawn(self.at)));
            self.at = self.at + Span(400);
            all.extend(self.send(Message::Key { press, repeat: false, at: self.at }));
        }
        all
    }

    fn draw(&self, theme: &Theme) -> Buffer {
        let (width, height) = self.model.screen();
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        draw(&self.model, theme, &mut buf);
        buf
    }

    /// The step under the cursor.
    fn step_id(&self) -> String {
        let run = self.model.run().and_then(|run| self.model.board.run(run)).expect("a run is selected");
        run.step_id(self.model.step().expect("a step is selected"))
    }

    fn text(&self) -> String {
        to_text(&self.draw(&Theme::default()))
    }
}
