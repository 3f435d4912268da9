//! The requests of agents that come by themselves, with a token.
//!
//! The door has checked an agent's name, its type and its permissions.

use crate::{
    Fact, Refusal,
    handle::{Turn, checked_reason},
};
use cuelight_base::Actor;
use cuelight_exchange::{AgentAsk, AgentEvent, AgentKey, AgentRefusal, Registration, own_key};

impl Turn<'_> {
    pub(super) fn agent_asks(&mut self, ask: AgentAsk, by: Actor) -> Result<(), Refusal> {
        match ask {
            AgentAsk::Register(agent) => self.register(agent, by),
            AgentAsk::Beat(agent) => {
                let key = self.world.exchange.agents.key_of(&by, &agent)?;
                self.sees(&key);
                Ok(())
            }
            AgentAsk::Leave { agent, reason } => {
                let key = AgentKey { project: by.project().map(str::to_owned), name: agent };
                if self.world.exchange.agents.get(&key).is_none() {
                    return Err(AgentRefusal::unknown().into());
                }
                let reason = checked_reason(reason)?;
                self.emit(Fact::Agent(AgentEvent::Left { agent: key.clone(), reason, by }));
                self.agent_went(&key, &format!("{key} left"));
                Ok(())
            }
            AgentAsk::Claim { agent, claim, lasts } => self.claim(&agent, claim, lasts, &by),
            AgentAsk::Renew { work, note } => self.renew(work, note, &by),
            AgentAsk::HandBack { work, outputs, failed, may_have_happened } => {
                self.hand_back(work, outputs, failed, may_have_happened, &by)
            }
        }
    }

    fn register(&mut self, agent: Registration, by: Actor) -> Result<(), Refusal> {
        let key = own_key(&by, &agent.name)?;
        if self.world.exchange.agents.is_again(&key, &agent)? {
            // It has begun anew.
            self.sees(&key);
            return Ok(());
        }
        self.emit(Fact::Agent(AgentEvent::Registered { agent: Box::new(agent), by }));
        self.agent_came(&key);
        Ok(())
    }

    /// Records a heartbeat. A lost agent is present again; the work that it had is not its own any more.
    pub(super) fn sees(&mut self, key: &AgentKey) {
        let Some(registered) = self.world.exchange.agents.get(key) else { return };
        let is_news = registered.lost.is_some()
            || self.now.since(registered.seen).0 >= registered.about.heartbeat.0 / 3;
        let was_lost = registered.lost.is_some();
        if is_news {
            self.emit(Fact::Agent(AgentEvent::Seen { agent: key.clone() }));
        }
        if was_lost {
            self.agent_came(key);
        }
    }

    /// Nothing was heard of it for too long.
    pub(super) fn agent_due(&mut self, key: AgentKey) {
        self.emit(Fact::Agent(AgentEvent::Lost { agent: key.clone() }));
        self.agent_went(&key, &format!("{key} gave no sign of life for three intervals"));
    }
}
