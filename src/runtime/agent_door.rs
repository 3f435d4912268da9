//! Connects agents that this engine starts to it: its address, and the token that the agent shows there. Both
//! are known when the agent's process begins, not when people approved it, and neither is ever in the log.
//! `gateway` checks tokens.

use super::Boards;
use cuelight_base::{AGENT_ADDRESS_VARIABLE, AGENT_TOKEN, AttemptId, Launch, SpawnedAgent, TextPart};
use cuelight_tool::{HandedOver, Host, Secret};
use std::{fmt, sync::Arc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Makes the token of an agent for one call: the end of a sentence where it cannot.
type Mint = Arc<dyn Fn(&SpawnedAgent, AttemptId) -> Result<String, String> + Send + Sync>;

/// The address at which an engine answers the agents that it starts, and the means to issue their tokens.
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

/// The address as far as it is known while an engine starts.
#[derive(Clone, Debug, Default)]
pub(super) enum Reached {
    /// It has not said yet whether it will listen.
    #[default]
    Unsaid,
    /// The engine listens nowhere.
    Nowhere,
    At(AgentDoor),
}

/// Gives calls the current address.
pub(super) type Reach = watch::Receiver<Reached>;

/// The call of an agent with what it needs to reach its engine, and what holds its token for it. Nothing where it was cancelled meanwhile.
///
/// # Errors
/// Why it cannot reach it.
pub(super) async fn equipped<'a>(
    host: &'a Host,
    launch: &Launch,
    agent: &SpawnedAgent,
    attempt: AttemptId,
    (mut reach, mut boards): (Reach, Boards),
    cancel: &CancellationToken,
) -> Option<Result<(Launch, HandedOver<'a>), String>> {
    let known = async {
        // A token counts while its call is seen to run: also by whoever asks at once.
        drop(boards.wait_for(|boards| boards.trouble.is_some() || boards.board.is_running(attempt)).await);
        reach.wait_for(|reach| !matches!(reach, Reached::Unsaid)).await.ok().map(|value| value.clone())
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
        let token = host.hand_over(&mut launch, AGENT_TOKEN, &attempt.to_string(), Secret::new(token));
        launch.env.push((AGENT_ADDRESS_VARIABLE.to_owned(), vec![TextPart::Text(door.url.clone())]));
        (launch, token)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seen, Trouble};
    use cuelight_base::{AGENT_TOKEN_VARIABLE, RunId, Span, StepIx};
    use cuelight_tool::{Call, SecretStore, run_process};
    use std::collections::BTreeMap;

    #[tokio::test]
    async fn the_token_of_a_call_that_never_began_is_kept_nowhere() {
        let dir = tempfile::tempdir().expect("a directory");
        let secrets = SecretStore::new(BTreeMap::new(), dir.path());
        let host = Host::new(dir.path().to_owned(), Vec::new(), secrets, Span(1));
        let door = AgentDoor::new("http://here".to_owned(), |_, call| Ok(format!("token of {call}")));
        let (_at, reach) = watch::channel(Reached::At(door));
        // Nothing is decided any more, so nobody waits to see it run.
        let seen = Seen { trouble: Some(Trouble::Unowned), ..Seen::default() };
        let (_seen, boards) = watch::channel(seen);
        let mut launch = Launch::of(["agent"]);
        launch.env.push((AGENT_TOKEN_VARIABLE.to_owned(), vec![TextPart::Secret(AGENT_TOKEN.to_owned())]));
        let agent = SpawnedAgent {
            name: "coder-1".to_owned(),
            agent_type: "coder".to_owned(),
            issue: "SHOP-12".to_owned(),
            project: "shop".to_owned(),
            permissions: Vec::new(),
            token_life: Span(1000),
        };
        let cancel = CancellationToken::new();
        let call = AttemptId { run: RunId(1), step: StepIx(0), number: 1 };
        let known = (reach, boards);
        let equipped = equipped(&host, &launch, &agent, call, known, &cancel).await;
        let (launch, token) = equipped.expect("not cancelled").expect("it is reached");
        // It is cancelled before its process begins.
        drop(token);
        let call = Call {
            attempt_dir: dir.path().join("attempt"),
            run: String::new(),
            step: String::new(),
            attempt: String::new(),
            effect_key: String::new(),
            tree: None,
            traceparent: None,
        };
        let answer = run_process(&host, &launch, None, &call, &cancel, |_| ()).await;
        let said = format!("{answer:?}");
        assert!(said.contains("agent.token/r-1.0.1") && said.contains("is no name of a secret"), "{said}");
    }
}
