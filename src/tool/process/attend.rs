//! Attendance of a running process: its time, its number of processes, its signs of life, and its end.

use super::call::Progress;
use super::intake::Intake;
use super::leader::Leader;
use crate::pulse::Pulse;
use cuelight_base::{AGENT_LOST_AFTER, Span};
use rustix::process::Signal;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// After the leader has ended, a pipe that somebody else holds open is left when it has been silent so long …
const QUIET: Duration = Duration::from_millis(200);
/// … or has gone on for so long.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// Between two looks at what is left of a step that is ended, …
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// … and how many there are after the last resort.
const LOOKS_AFTER_KILL: u32 = 500;
/// Between two counts of the processes of a step whose number is limited.
const COUNT_PAUSE: Duration = Duration::from_millis(50);

/// Why we ended it.
#[derive(Clone, Copy)]
pub(super) enum Stop {
    Cancelled,
    TimedOut(Span),
    Silent {
        after: Span,
        heartbeat: Span,
    },
    /// It had more processes than this.
    TooMany(u64),
}

/// Limits of time and of processes, and the signs of life that are due meanwhile.
pub(super) struct Limits<'a> {
    pub(super) timeout: Option<Span>,
    pub(super) grace: Span,
    pub(super) heartbeat: Option<Span>,
    /// Limit of the number of processes.
    pub(super) processes: Option<u64>,
    /// The file for its outputs: touching it is a sign of life.
    pub(super) output: &'a Path,
}

/// Stays with a process until its leader is dead and its pipe is closed or given up.
pub(super) async fn attend(
    leader: &mut Leader,
    intake: &mut Intake,
    limits: &Limits<'_>,
    cancel: &CancellationToken,
    progress: &mut (impl FnMut(Progress<'_>) + Send),
) -> Option<Stop> {
    let mut stop = None;
    let mut killed = false;
    let timer = sleep(limits.timeout.unwrap_or_default().to_std());
    let beat = sleep(limits.heartbeat.unwrap_or_default().to_std());
    let mut pulse = Pulse::of(limits.output);
    let count = sleep(COUNT_PAUSE);
    tokio::pin!(timer, beat, count);
    loop {
        let armed = stop.is_some() && !killed || stop.is_none() && limits.timeout.is_some();
        let beats = stop.is_none() && limits.heartbeat.is_some();
        tokio::select! {
            biased;
            () = leader.exited() => break,
            () = cancel.cancelled(), if stop.is_none() => {
                stop = Some(Stop::Cancelled);
                leader.ask_to_end();
                timer.set(sleep(limits.grace.to_std()));
            }
            () = &mut timer, if armed => {
                if stop.is_some() {
                    leader.signal(Signal::KILL);
                    killed = true;
                } else {
                    stop = limits.timeout.map(Stop::TimedOut);
                    leader.ask_to_end();
                    timer.set(sleep(limits.grace.to_std()));
                }
            }
            () = &mut count, if stop.is_none() && limits.processes.is_some() => {
                let most = limits.processes.unwrap_or(u64::MAX);
                if leader.has_more_than(most) {
                    // Not asked: whoever forks without end would go on while it is.
                    stop = Some(Stop::TooMany(most));
                    leader.hold_kin();
                    leader.signal_kin(Signal::KILL);
                    leader.signal(Signal::KILL);
                    killed = true;
                }
                count.set(sleep(COUNT_PAUSE));
            }
            () = intake.take(progress), if intake.pipe.is_some() => {
                if let Some(heartbeat) = limits.heartbeat.filter(|_| beats) {
                    pulse.heard();
                    beat.set(sleep(heartbeat.to_std()));
                }
            }
            () = &mut beat, if beats => {
                let heartbeat = limits.heartbeat.unwrap_or_default();
                let after = pulse.missed(heartbeat);
                if pulse.is_late() {
                    let lost = Span(heartbeat.0.saturating_mul(AGENT_LOST_AFTER));
                    intake.remark(&format!("— late: nothing heard for {after}; after {lost} it counts as lost —"), progress);
                }
                if pulse.is_lost() {
                    stop = Some(Stop::Silent { after, heartbeat });
                    leader.ask_to_end();
                    timer.set(sleep(limits.grace.to_std()));
                } else {
                    beat.set(sleep(heartbeat.to_std()));
                }
            }
        }
    }
    // Whoever was asked to end keeps the rest of the grace for its children; else silence decides.
    let asked = stop.is_some() && !killed;
    if !asked {
        timer.set(sleep(DRAIN_MAX));
    }
    while intake.pipe.is_some() {
        tokio::select! {
            biased;
            () = &mut timer => break,
            () = intake.take(progress) => {}
            () = sleep(QUIET), if !asked => break,
        }
    }
    if stop.is_some() {
        // What has left its group was asked to end as well, and has as long.
        while asked && !timer.is_elapsed() && leader.has_left() {
            sleep(LOOK_PAUSE).await;
        }
        for _ in 0..LOOKS_AFTER_KILL {
            if leader.signal_kin(Signal::KILL) == 0 {
                break;
            }
            sleep(LOOK_PAUSE).await;
            // What grows as quickly as it is ended starts nothing more.
            leader.hold_kin();
        }
    }
    stop
}
