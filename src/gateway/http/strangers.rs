//! Connections on which no good token was shown yet, by address. A newcomer takes the place of the oldest of its own address, so that
//! half-sent requests of one address keep nobody out: neither another address nor the next request of the same one.

use cuelight_runtime::TcpPeer;
use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// One part in so many of all places is for the strangers of one address.
const PART: usize = 4;

/// All strangers, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Strangers(Arc<Mutex<VecDeque<One>>>);

#[derive(Debug)]
struct One {
    net: IpAddr,
    leaves: CancellationToken,
}

/// A connection among them, until it is known or dropped.
#[derive(Clone, Debug)]
pub(super) struct Stranger {
    all: Strangers,
    leaves: CancellationToken,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// Its place until it is known.
    pub(super) stranger: Stranger,
    /// Both ends of the connection, where they are known.
    pub(super) ends: Option<TcpPeer>,
}

impl Strangers {
    /// One more of this address, where there are so many places in all.
    pub(super) fn came(&self, address: IpAddr, places: usize) -> Stranger {
        let (net, leaves) = (net(address), CancellationToken::new());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_back(One { net, leaves: leaves.clone() });
        if all.iter().filter(|one| one.net == net).count() > (places / PART).max(1) {
            let oldest = all.iter().position(|one| one.net == net);
            oldest.and_then(|at| all.remove(at)).into_iter().for_each(|one| one.leaves.cancel());
        }
        drop(all);
        Stranger { all: self.clone(), leaves }
    }

    /// The oldest of all has to go: there is no place left.
    pub(super) fn make_room(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.pop_front().into_iter().for_each(|one| one.leaves.cancel());
    }
}

impl Stranger {
    /// It has shown a good token, or has gone: it is no stranger any more.
    pub(super) fn is_known(&self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.leaves != self.leaves);
    }

    /// Until its place is wanted for another.
    pub(super) async fn is_sent_away(&self) {
        self.leaves.cancelled().await;
    }
}

/// An address of version 6 is one of very many that a machine has.
fn net(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_takes_the_place_of_the_oldest_of_its_own_address_and_of_no_other() {
        let (all, address) = (Strangers::default(), |text: &str| text.parse::<IpAddr>().expect("an address"));
        let other = all.came(address("10.0.0.2"), 8);
        let many: Vec<Stranger> = (0..5).map(|_| all.came(address("10.0.0.1"), 8)).collect();
        let gone = |stranger: &Stranger| stranger.leaves.is_cancelled();
        assert_eq!(many.iter().map(gone).collect::<Vec<_>>(), [true, true, true, false, false]);
        assert!(!gone(&other));
        many[3].is_known();
        drop(all.came(address("10.0.0.1"), 8));
        assert!(!gone(&many[3]) && !gone(&many[4]), "who is known counts no more");
        all.make_room();
        assert!(gone(&other), "the oldest of all");
        let near = ["fe80::1", "fe80::2", "fe80::3"].map(|text| all.came(address(text), 8));
        assert!(gone(&near[0]), "one machine");
    }
}
