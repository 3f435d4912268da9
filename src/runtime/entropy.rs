//! The only source of chance: seeds of runs, and ids that must not be guessed or met twice.
//!
//! After this everything random in a run is computed from its seed, so that a replay sees the same.

use crate::RequestId;
use cuelight_base::{DecisionId, sha256};

/// Draws from the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entropy;

impl Entropy {
    /// Seed for all randomness of one run.
    pub fn seed(self) -> u64 {
        u64::from_le_bytes(draw())
    }

    /// Key for the salts of one owner's log.
    pub fn secret(self) -> [u8; 32] {
        draw()
    }

    /// A code of four letters or digits that a person types to confirm.
    pub fn code(self) -> String {
        sha256("cuelight-code-v1", &[&draw::<8>()]).code()[..4].to_owned()
    }

    /// Names a request, for a seat that sends it.
    pub fn request_id(self) -> RequestId {
        RequestId(format!("{:032x}", u128::from_le_bytes(draw())))
    }

    /// Names a decision at a gate.
    pub fn decision_id(self) -> DecisionId {
        DecisionId(format!("{:032x}", u128::from_le_bytes(draw())))
    }
}

fn draw<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
