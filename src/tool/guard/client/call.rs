//! One call under a guard: it is run, or attended where it was found running.

use super::line::{Line, Request, Told, ear};
use super::{GUARD_DIED, Guarded, Guards, WATCH_PAUSE, Where, guard_lives};
use crate::guard::frame;
use crate::guard::frame::{Ask, Asked, Output};
use crate::guard::record::Log;
use crate::{Answer, Call, Executed, Host, Progress, end_orphans};
use cuelight_base::{KILL_GRACE, Launch, Program};
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Between two looks whether a guard is held up, while calls run under it.
pub(super) const HELD_UP_PAUSE: Duration = Duration::from_secs(2);

impl Guards {
    /// Makes a call under the guard. `executes` is what it was approved to execute.
    pub async fn run(
        &self,
        host: &Host,
        launch: &Launch,
        executes: Option<(Program, Vec<Executed>)>,
        call: &Call,
        cancel: &CancellationToken,
        progress: impl FnMut(Progress<'_>) + Send,
    ) -> Guarded {
        let not_started = |said: String| {
            Guarded::Ended(Box::new(Answer::not_started(None, format!("could not start: {said}"))), None)
        };
        let secrets = match host.secrets_of(launch) {
            Ok((secrets, _)) => secrets,
            Err(said) => return not_started(said),
        };
        let secrets = secrets.iter().map(|(name, secret)| (name.clone(), secret.reveal().to_vec())).collect();
        let asked = Asked { call: call.clone(), launch: launch.clone(), secrets, executes };
        let frame = match frame::message(&Ask::Launch(Box::new(asked))) {
            Ok(frame) => frame,
            Err(error) => return not_started(format!("it cannot be told to its guard: {error}")),
        };
        let line = match self.line().await {
            Ok(line) => line,
            Err(error) => {
                return not_started(format!(
                    "its guard does not start: {error}; `cuelight doctor` says more"
                ));
            }
        };
        let (ear, mouth) = ear();
        let attempt = call.attempt.clone();
        let request = Request::Launch { frame, attempt: attempt.clone(), ear };
        if line.0.send(request).await.is_err() {
            return Guarded::Lost(GUARD_DIED.to_owned());
        }
        self.attend(&line, &attempt, launch.ends_with_console, mouth, cancel, progress).await
    }

    /// Stays with a call that was found running.
    pub async fn attach(
        &self,
        attempt: &str,
        cancel: &CancellationToken,
        progress: impl FnMut(Progress<'_>) + Send,
    ) -> Guarded {
        let place = self.found.lock().unwrap_or_else(PoisonError::into_inner).remove(attempt);
        match place {
            None => Guarded::Lost(GUARD_DIED.to_owned()),
            Some(Where::Apart(log)) => self.watch(&log, attempt, cancel).await,
            Some(Where::Line(line)) => {
                let (ear, mouth) = ear();
                let listen = Request::Listen { attempt: attempt.to_owned(), ear };
                if line.0.send(listen).await.is_err() {
                    return Guarded::Lost(GUARD_DIED.to_owned());
                }
                self.attend(&line, attempt, false, mouth, cancel, progress).await
            }
        }
    }

    /// The end of this call is in the log.
    pub fn forget(&self, attempt: String) {
        // A request that does not fit costs the guard a few bytes of memory.
        if let Ok(current) = self.current.try_lock()
            && let Some(line) = &current.line
        {
            drop(line.0.try_send(Request::Say(Ask::Forget { attempt })));
        }
    }

    async fn attend(
        &self,
        line: &Line,
        attempt: &str,
        ends_with_console: bool,
        (mut output, mut end): (mpsc::Receiver<Output>, oneshot::Receiver<Told>),
        cancel: &CancellationToken,
        mut progress: impl FnMut(Progress<'_>) + Send,
    ) -> Guarded {
        let mut asked = false;
        let told = loop {
            tokio::select! {
                biased;
                Some(item) = output.recv() => {
                    progress(Progress { bytes: &item.bytes, total: item.total, at: item.at });
                }
                told = &mut end => break told,
                () = cancel.cancelled(), if !asked => {
                    asked = true;
                    let closing = self.setup.closing.is_cancelled();
                    if closing && self.handing_over.load(Ordering::Relaxed) && !ends_with_console {
                        return Guarded::HandedOver;
                    }
                    let ask = Ask::End { attempt: attempt.to_owned(), closing };
                    // An error means that the guard is gone, which `end` tells as well.
                    drop(line.0.send(Request::Say(ask)).await);
                }
            }
        };
        match told {
            Ok(Told::Changed(files)) => Guarded::Changed(files),
            Ok(Told::Ended(end)) => match end.cut {
                None => Guarded::Ended(Box::new(end.answer), Some(end.ran_for)),
                Some(cut) => Guarded::Lost(cut.evidence().to_owned()),
            },
            Err(_) => Guarded::Lost(GUARD_DIED.to_owned()),
        }
    }

    /// Reads the records of a guard of another version until it has told, or has died.
    async fn watch(&self, log: &Path, attempt: &str, cancel: &CancellationToken) -> Guarded {
        let mut asked = false;
        loop {
            let lives = guard_lives(log);
            let read = Log::read(log).unwrap_or_default();
            if let Some(end) = read.ended.get(attempt) {
                return match end.cut {
                    None => Guarded::Ended(Box::new(end.answer.clone()), Some(end.ran_for)),
                    Some(cut) => Guarded::Lost(cut.evidence().to_owned()),
                };
            }
            if !lives {
                return Guarded::Lost(GUARD_DIED.to_owned());
            }
            if asked {
                sleep(WATCH_PAUSE).await;
                continue;
            }
            tokio::select! {
                () = cancel.cancelled() => {
                    if self.setup.closing.is_cancelled() {
                        return Guarded::HandedOver;
                    }
                    asked = true;
                    let _ = end_orphans(&self.setup.root, KILL_GRACE, |text| text == attempt).await;
                }
                () = sleep(WATCH_PAUSE) => {}
            }
        }
    }
}
