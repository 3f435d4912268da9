//! Results and knowledge that agents leave for later ones: what follows when one is stored.

use crate::{Fact, Refusal, handle::Turn};
use cuelight_base::{Actor, RESULT_KEPT, Span};
use cuelight_exchange::{AgentResult, Knowledge, LibraryEvent, NewMessage, completed};
use serde_json::json;

/// The topic of the message that is sent when a result was stored.
const COMPLETED: &str = "agent_completed";
/// The wider subject of that topic.
const SUBJECT: &str = "implementation";

impl Turn<'_> {
    /// Stores the result of an agent's work, and tells the steps that wait for it.
    pub(super) fn hand_in(
        &mut self,
        result: AgentResult,
        kept_for: Option<Span>,
        by: Actor,
    ) -> Result<(), Refusal> {
        if self.world.exchange.library.has_result(&result).map_err(Refusal::Other)? {
            return Ok(());
        }
        let data = json!({
            "result_id": result.id,
            "issue_id": result.issue,
            "agent_id": result.agent,
            "agent_type": result.agent_type,
            "status": result.status.word(),
        });
        let id = Some(completed(&result.id));
        let said = NewMessage {
            id,
            named_by_engine: result.named_by_engine,
            topic: COMPLETED.to_owned(),
            data,
            session: result.agent.split_once('/').map(|halves| halves.1.to_owned()),
            subject: Some(SUBJECT.to_owned()),
            trace: result.trace.clone(),
            ..NewMessage::default()
        };
        // First, because it may be refused.
        self.announce(said, by.clone())?;
        let until = self.now + kept_for.unwrap_or(RESULT_KEPT);
        self.emit(Fact::Library(LibraryEvent::HandedIn { result: Box::new(result), until, by }));
        Ok(())
    }

    /// Stores a piece of knowledge.
    pub(super) fn learn(&mut self, knowledge: Knowledge, by: Actor) -> Result<(), Refusal> {
        if self.world.exchange.library.has_knowledge(&knowledge).map_err(Refusal::Other)? {
            return Ok(());
        }
        self.emit(Fact::Library(LibraryEvent::Learned { knowledge: Box::new(knowledge), by }));
        Ok(())
    }
}
