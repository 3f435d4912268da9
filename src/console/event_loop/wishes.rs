//! Carries out the wishes of `update`: questions to the desk, pictures, and the terminal.

use super::{Screen, options::Leave};
use crate::{Answer, Message, Role, Wish, graph::arranger::Arranger, look_up, terminal, update};
use cuelight_base::DecisionId;
use cuelight_engine::Command;
use cuelight_runtime::{Clock as _, Desk, InputText, LaunchRequest, Reply, Request, Source};
use futures_util::FutureExt as _;
use std::io;
use tokio::sync::mpsc;

impl<D: Desk> Screen<D> {
    pub(super) fn carry_out(&mut self, wish: Wish) -> io::Result<()> {
        let desk = self.desk.clone();
        let desk = || desk.expect("nothing is asked before the desk is there");
        match wish {
            Wish::Submit { request, mut command } => {
                if let Command::Decide(decision) = &mut *command
                    && decision.id.0.is_empty()
                {
                    decision.id = DecisionId(self.entropy.decision_id().0);
                }
                let asked = Request { id: self.entropy.request_id(), command: *command };
                let desk = desk();
                self.answers.push(
                    async move { Message::Reply { request, answer: answer(desk.submit(asked).await) } }
                        .boxed(),
                );
            }
            Wish::Preview { request, command } => {
                let desk = desk();
                self.answers.push(
                    async move { Message::Preview { request, outcome: desk.preview(*command).await } }
                        .boxed(),
                );
            }
            Wish::Launch { request, path, words } => {
                let words = words.into_iter().map(|(name, text)| InputText { name, text }).collect();
                let launch = LaunchRequest {
                    words,
                    ..LaunchRequest::of(self.entropy.request_id(), Source::Path(path))
                };
                let desk = desk();
                self.answers.push(
                    async move { Message::Reply { request, answer: answer(desk.launch(launch).await) } }
                        .boxed(),
                );
            }
            Wish::Read { request, want } => {
                let desk = desk();
                self.answers.push(
                    async move { Message::Sheet { request, sheet: look_up(&desk, want).await } }.boxed(),
                );
            }
            Wish::Arrange { request, scene } => {
                self.arranging = self.clock.now();
                if self.pictures.is_none() {
                    let (made, pictures) = mpsc::channel(1);
                    let made = move |request, arranged| {
                        // Nobody wants it any more when the screen is being left.
                        let _left = made.blocking_send((request, arranged));
                    };
                    self.pictures = Some((Arranger::start(made)?, pictures));
                }
                if let Some((arranger, _)) = &mut self.pictures {
                    arranger.arrange(request, scene);
                }
            }
            Wish::Edit(text) => self.edit = Some(text),
            Wish::Copy(text) => terminal::copy(&text)?,
            Wish::Export { name, content } => {
                let answer = match (self.options.export)(&name, &content) {
                    Ok(place) => Answer::Noted(format!("saved {place}")),
                    Err(why) => Answer::NotRecorded(why),
                };
                for wish in update(&mut self.model, Message::Reply { request: 0, answer }) {
                    self.carry_out(wish)?;
                }
            }
            Wish::Bell if self.options.silent => {}
            Wish::Bell => terminal::bell()?,
            Wish::Notify(text) => terminal::notify(self.options.notify, &text)?,
            Wish::Redraw => {
                self.terminal.forget();
                self.read_themes()?;
            }
            Wish::Mouse(on) => self.terminal.set_mouse(on)?,
            Wish::Quit => self.leave = Some(Leave::Left),
            Wish::Stop => self.leave = Some(Leave::Stopped),
            Wish::Suspend if terminal::has_shell() => self.suspends = true,
            Wish::Suspend => {
                let text = "no shell is above this program to bring it back; ZZ leaves";
                update::toast(&mut self.model, text, Role::Warn);
            }
        }
        Ok(())
    }
}

fn answer(reply: Reply) -> Answer {
    match reply {
        Reply::Recorded(receipt) => Answer::Recorded { seq: receipt.seq, run: receipt.run },
        Reply::Refused(refusal) => Answer::Refused(refusal),
        Reply::Invalid { report, .. } => Answer::Invalid(report),
        Reply::NotRecorded(why) => Answer::NotRecorded(why),
    }
}
