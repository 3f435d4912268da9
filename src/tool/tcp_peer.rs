//! The process at the other end of a TCP connection of this host, and whether a step may stand behind it.
//!
//! The kernel names the process at a unix socket. Of a TCP connection it lists the other socket ([table](super::tcp_table)),
//! with the user and a number; the processes that [hold](super::socket_holder) a socket of that number are judged like
//! [a peer at the socket](super::peer). A peer on another host, or behind a program of another user, cannot be told apart here.

use super::{
    socket_holder::{Holder, StepUsers, holders},
    step_mark,
    tcp_table::{OtherEnd, Socket},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Looks at the tables: the kernel lists them in pieces, so a connection can be missed while others end.
const LOOKS_MAX: u32 = 3;

/// Both ends of a connection that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpPeer {
    local: SocketAddr,
    remote: SocketAddr,
}

/// The verdict about a peer. All but a step's pass, since no more can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Step,
    Person,
    OtherUser,
    OtherHost,
}

/// A socket of the other end with its holders.
#[derive(Debug)]
struct Held {
    socket: Socket,
    holders: Vec<Holder>,
}

impl TcpPeer {
    /// The peer at the other end of a connection that was accepted.
    pub fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { local: plain(local), remote: plain(remote) }
    }

    /// Reports if the peer must be taken for a step's. This process itself counts as a step's, and every peer does where a step
    /// has started this process.
    ///
    /// It reads the list of all processes, so it is for requests that decide, and it waits.
    pub fn is_of_a_step(&self) -> bool {
        cfg!(target_os = "linux") && (step_mark::is_on_us() || self.verdict() == Verdict::Step)
    }

    fn verdict(&self) -> Verdict {
        let mut end = OtherEnd::default();
        for _ in 0..LOOKS_MAX {
            end = OtherEnd::read(self.local, self.remote);
            if !end.pairs.is_empty() {
                break;
            }
        }
        let users = StepUsers::read();
        let hold = |socket: Socket| Held { socket, holders: holders(socket.inode, &users) };
        let held: Vec<Held> = end.pairs.into_iter().map(hold).collect();
        let is_from_this_host = end.has_namesake || self.is_from_this_host();
        verdict(&held, &users, is_from_this_host)
    }

    /// Reports if the address of the peer is one of this host: the kernel would send from the same address to it. Nothing is sent.
    /// A kernel that cannot be asked counts as a yes.
    fn is_from_this_host(&self) -> bool {
        let ip = self.remote.ip();
        let any =
            if ip.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
        let from = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect(self.remote)?;
            socket.local_addr()
        });
        ip.is_loopback() || ip == self.local.ip() || !from.is_ok_and(|address| address.ip() != ip)
    }
}

/// The verdict by the sockets that have both addresses, and their holders. Without any such socket a peer of this host counts as
/// a step's: its connection is closed, or its destination was changed on the way.
fn verdict(held: &[Held], users: &StepUsers, is_from_this_host: bool) -> Verdict {
    if held.is_empty() {
        return if is_from_this_host { Verdict::Step } else { Verdict::OtherHost };
    }
    let all: Vec<Verdict> = held.iter().map(|held| verdict_of_one(held, users)).collect();
    let worst = [Verdict::Step, Verdict::OtherUser].into_iter().find(|verdict| all.contains(verdict));
    worst.unwrap_or(Verdict::Person)
}

fn verdict_of_one(Held { socket, holders }: &Held, users: &StepUsers) -> Verdict {
    match (socket.inode, holders.as_slice()) {
        // Closed: nobody knows who had it.
        (0, _) => Verdict::Step,
        // The holder cannot be read. A program of another user is that user's matter.
        (_, []) if users.include(socket.uid) => Verdict::Step,
        (_, []) => Verdict::OtherUser,
        (_, all) if all.iter().all(|holder| *holder == Holder::Person) => Verdict::Person,
        _ => Verdict::Step,
    }
}

/// As the tables have it: an address of IPv4 as such. The scope of an address of IPv6 stays, as it is needed to find its interface.
fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(this_address) => SocketAddr::new(this_address.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Holder::{Engine, Hidden, Lost, Person, Step},
        *,
    };

    const OWN: u32 = 1000;
    const SUBORDINATE: u32 = 100_000;
    const OTHER: u32 = 1001;

    #[test]
    fn the_verdict_follows_the_table() {
        for (what, uid, inode, holders, expected) in [
            ("a person", OWN, 1, &[Person][..], Verdict::Person),
            ("two persons", OWN, 1, &[Person, Person], Verdict::Person),
            ("a step", OWN, 1, &[Step], Verdict::Step),
            ("the engine itself", OWN, 1, &[Engine], Verdict::Step),
            ("a dead holder", OWN, 1, &[Lost], Verdict::Step),
            ("a person and a step", OWN, 1, &[Person, Step], Verdict::Step),
            ("a person and the engine", OWN, 1, &[Person, Engine], Verdict::Step),
            ("a person and a dead holder", OWN, 1, &[Person, Lost], Verdict::Step),
            ("a person and a hidden step", OWN, 1, &[Person, Hidden], Verdict::Step),
            ("no holder that can be read", OWN, 1, &[], Verdict::Step),
            ("a closed socket", OWN, 0, &[], Verdict::Step),
            ("a closed socket of another user", OTHER, 0, &[], Verdict::Step),
            ("a subordinate user", SUBORDINATE, 1, &[], Verdict::Step),
            ("a subordinate user's person", SUBORDINATE, 1, &[Person], Verdict::Person),
            ("another user", OTHER, 1, &[], Verdict::OtherUser),
            ("another user's person", OTHER, 1, &[Person], Verdict::Person),
            ("another user's step", OTHER, 1, &[Step], Verdict::Step),
            ("another user, and a hidden step", OTHER, 1, &[Hidden], Verdict::Step),
        ] {
            assert_eq!(told(&[(uid, inode, holders)], true), expected, "{what}");
            assert_eq!(told(&[(uid, inode, holders)], false), expected, "{what}, wherever it is from");
        }
    }

    #[test]
    fn without_a_socket_a_peer_of_this_host_is_a_step() {
        assert_eq!(told(&[], true), Verdict::Step, "closed, or the same port with another remote address");
        assert_eq!(told(&[], false), Verdict::OtherHost);
    }

    #[test]
    fn every_socket_has_to_be_a_persons() {
        let (person, step, other) = ((OWN, 1, &[Person][..]), (OWN, 2, &[Step][..]), (OTHER, 3, &[][..]));
        assert_eq!(told(&[person, step], true), Verdict::Step);
        assert_eq!(told(&[other, step], true), Verdict::Step);
        assert_eq!(told(&[person, other], true), Verdict::OtherUser);
        assert_eq!(told(&[person, person], true), Verdict::Person);
    }

    #[test]
    fn an_engine_of_root_takes_a_socket_that_it_cannot_read_for_a_steps() {
        let held = [Held { socket: Socket::of(THEIRS, OURS, OTHER, 1), holders: Vec::new() }];
        assert_eq!(verdict(&held, &StepUsers::of(0, ""), true), Verdict::Step);
    }

    #[test]
    fn an_address_of_another_host_is_none_of_ours() {
        let from = |remote: &str| {
            TcpPeer::new("203.0.113.1:8080".parse().expect("one"), remote.parse().expect("another"))
        };
        assert!(from("203.0.113.1:50000").is_from_this_host());
        assert!(from("127.9.9.9:50000").is_from_this_host());
        assert!(!from("203.0.113.2:50000").is_of_a_step());
    }

    const OURS: &str = "127.0.0.1:8080";
    const THEIRS: &str = "127.0.0.1:50000";

    fn told(all: &[(u32, u64, &[Holder])], is_from_this_host: bool) -> Verdict {
        let of = |(uid, inode, holders): &(u32, u64, &[Holder])| Held {
            socket: Socket::of(THEIRS, OURS, *uid, *inode),
            holders: holders.to_vec(),
        };
        let held: Vec<Held> = all.iter().map(of).collect();
        verdict(&held, &StepUsers::of(OWN, "ann:100000:65536\n"), is_from_this_host)
    }
}
