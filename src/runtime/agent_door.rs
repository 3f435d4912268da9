//! How an agent that is started reaches its engine: where that answers, and the token it shows there. Both are known when its process
//! begins, not when people agreed to it, and neither is ever in the log. What a token is worth is for `gateway`.

use super::Boards;
use crate::{
    base::{AGENT_ADDRESS_VARIABLE, AGENT_TOKEN, AttemptId, Launch, SpawnedAgent, TextPart},
    tool::{Host, Secret},
};
use std::{fmt, sync::Arc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Makes the token of an agent for one call: the end of a sentence where it cannot.
type Mint = Arc<dyn Fn(&SpawnedAgent, AttemptId) -> Result<String, String> + Send + Sync>;

/// Where an engine answers agents that it starts, and what lets them in.
#[derive(Clone)]
pub struct AgentDoor {
    url: String,
    mint: Mint,
}

impl fmt::Debug for AgentDoor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "AgentDoor at {}", self.url)
    }
}

impl AgentDoor {
    /// `url` is without a path; `mint` makes a token for one call, or says why it cannot: the end of a sentence.
    pub fn new(
        url: String,
        mint: impl Fn(&SpawnedAgent, AttemptId) -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        Self { url, mint: Arc::new(mint) }
    }
}

/// What is known of it while an engine starts.
#[derive(Clone, Debug, Default)]
pub(super) enum Reached {
    /// It has not said yet whether it will listen.
    #[default]
    Unsaid,
    /// It listens nowhere.
    Nowhere,
    At(AgentDoor),
}

/// What calls know of it.
pub(super) type Reach = watch::Receiver<Reached>;

/// The call of an agent with what it needs to reach its engine. Nothing where it was cancelled meanwhile.
///
/// # Errors
/// Why it cannot reach it.
pub(super) async fn equipped(
    host: &Host,
    launch: &Launch,
    agent: &SpawnedAgent,
    attempt: AttemptId,
    (mut reach, mut boards): (Reach, Boards),
    cancel: &CancellationToken,
) -> Option<Result<Launch, String>> {
    let known = async {
        // A token counts while its call is seen to run: also by whoever asks at once.
        drop(boards.wait_for(|it| it.trouble.is_some() || it.board.is_running(attempt)).await);
        reach.wait_for(|it| !matches!(it, Reached::Unsaid)).await.ok().map(|it| it.clone())
    };
    let known = tokio::select! {
        biased;
        () = cancel.cancelled() => return None,
        known = known => known?,
    };
    let Reached::At(door) = known else {
        return Some(Err("its engine answers nobody over HTTP; start it with --listen".to_owned()));
    };
    Some((door.mint)(agent, attempt).map(|token| {
        let mut launch = launch.clone();
        host.hand_over(&mut launch, AGENT_TOKEN, &attempt.to_string(), Secret::new(token));
        launch.env.push((AGENT_ADDRESS_VARIABLE.to_owned(), vec![TextPart::Text(door.url.clone())]));
        launch
    }))
}
