//! Setup that several benches share: a plan of any size, and the command that launches it.

use cuelight_base::{Actor, Channel, ProcessLimits, Proof, StepIx, ValueMap};
use cuelight_engine::{CauseOfLaunch, Command, Launching};
use cuelight_plan::{Amounts, EffectClass, OnError, Plan, PlanStep, Requires, Undo, Work};

/// A user with this channel.
pub(crate) fn actor(channel: Channel) -> Actor {
    Actor { name: "ann".to_owned(), proof: Proof::OsUser(1), groups: Vec::new(), channel }
}

/// The command that launches a plan.
pub(crate) fn launching(plan: Plan) -> Command {
    Command::Launch(Box::new(Launching {
        plan,
        by: actor(Channel::Command),
        seed: 7,
        cause: CauseOfLaunch::Asked,
        trace: "t".to_owned(),
        request: None,
    }))
}

/// Layers of 100 steps; each step needs two of the layer before.
pub(crate) fn layered(steps: u32) -> Plan {
    let step = |index: u32| {
        let (layer, place) = (index / 100, index % 100);
        let above = |offset: u32| StepIx((layer - 1) * 100 + (place + offset) % 100);
        let needs = if layer == 0 { Vec::new() } else { vec![above(0), above(7)] };
        PlanStep {
            id: format!("s{index}"),
            local: format!("s{index}"),
            scope: None,
            frame: None,
            needs,
            condition: None,
            work: Work::Run { shell: vec!["true".to_owned()], script: String::new(), bindings: Vec::new() },
            env: Vec::new(),
            dir: None,
            timeout: None,
            retry: None,
            on_error: OnError::Abort,
            fallback: Vec::new(),
            undo: Undo::Unset,
            outputs: Vec::new(),
            artifacts: Vec::new(),
            effect: EffectClass::Once,
            ends_with_console: false,
            limits: ProcessLimits::default(),
            output_limit: None,
            sandboxed: false,
            requires: Requires::default(),
            check: None,
            priority: 0,
            category: None,
            confidence: None,
            matrix: ValueMap::new(),
            title: None,
            budget: None,
            estimate: Amounts::default(),
            cache: None,
        }
    };
    Plan {
        name: "bench".to_owned(),
        max_parallel: 64,
        steps: (0..steps).map(step).collect(),
        ..Plan::default()
    }
}
