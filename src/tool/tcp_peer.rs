//! The process at the other end of a TCP connection of this host, and whether a step may stand behind it.
//!
//! The kernel names the process at a unix socket. Of a TCP connection it lists the other socket in `/proc/net/tcp`, with
//! the user and a number; the processes that hold a socket of that number are judged like [a peer at the socket](super::peer).
//! A peer on another host, or behind a program of another user, cannot be told apart here.

use super::peer::is_process_of_a_step;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// The tables of this network namespace. A connection over IPv4 is in the second one when its socket is of IPv6.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// Largest number of bytes that are read of a table.
const TABLE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Looks at the tables: the kernel lists them in pieces, so a connection can be missed while others end.
const LOOKS_MAX: u32 = 3;
/// Largest number of bytes that are read of `/etc/subuid`.
const SUBUID_BYTES_MAX: u64 = 1024 * 1024;
/// The state of a socket that listens.
const LISTENS: u8 = 0x0A;

/// Both ends of a connection that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpPeer {
    local: SocketAddr,
    remote: SocketAddr,
}

/// One socket of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
    uid: u32,
    /// 0 when no process holds it.
    inode: u64,
}

impl TcpPeer {
    /// The peer at the other end of a connection that was accepted.
    pub fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { local: plain(local), remote: plain(remote) }
    }

    /// Reports if the peer must be taken for a step's. `may_be_us` says if this process itself may be a person's.
    ///
    /// It reads the list of all processes, so it is for requests that decide, and it waits.
    pub fn is_of_a_step(&self, may_be_us: bool) -> bool {
        if !cfg!(target_os = "linux") {
            return false;
        }
        for _ in 0..LOOKS_MAX {
            let sockets = self.found(&TABLES.iter().flat_map(|it| sockets(it)).collect::<Vec<_>>());
            if !sockets.is_empty() {
                return sockets.iter().any(|it| is_socket_of_a_step(it, may_be_us));
            }
        }
        self.is_from_this_host()
    }

    /// The sockets that may be the peer's. Where rules of this host change the destination on the way, its own address alone is left.
    fn found(&self, all: &[Socket]) -> Vec<Socket> {
        // The tables say nothing of the interface that an address of IPv6 may be bound to.
        let same = |one: SocketAddr, other: SocketAddr| (one.ip(), one.port()) == (other.ip(), other.port());
        let mine = || all.iter().filter(|it| same(it.local, self.remote) && it.state != LISTENS).copied();
        let exact: Vec<Socket> = mine().filter(|it| same(it.remote, self.local)).collect();
        if exact.is_empty() { mine().collect() } else { exact }
    }

    /// Reports if the address of the peer is one of this host: the kernel would send from the same address to it. Nothing is sent.
    fn is_from_this_host(&self) -> bool {
        let ip = self.remote.ip();
        let any =
            if ip.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
        let from = UdpSocket::bind((any, 0)).and_then(|it| {
            it.connect(self.remote)?;
            it.local_addr()
        });
        ip.is_loopback() || ip == self.local.ip() || from.is_ok_and(|it| it.ip() == ip)
    }
}

/// A socket that no process holds was closed, and nobody knows who had it. One of another user whose processes cannot be read
/// is that user's matter; a subordinate user is a step's as well as its owner's.
fn is_socket_of_a_step(socket: &Socket, may_be_us: bool) -> bool {
    if socket.inode == 0 {
        return true;
    }
    let holders = holders(socket.inode);
    if holders.is_empty() {
        return socket.uid == rustix::process::geteuid().as_raw() || is_subordinate(socket.uid);
    }
    let own = rustix::process::getpid();
    holders.into_iter().any(|it| if it == own { !may_be_us } else { is_of_a_step(it) })
}

/// Judged by a handle that was taken before, so that another process with the same number is not taken for it.
fn is_of_a_step(pid: Pid) -> bool {
    pidfd_open(pid, PidfdFlags::empty()).is_ok_and(|handle| is_process_of_a_step(pid, &handle))
}

/// The processes that hold a socket, as far as they can be read.
fn holders(inode: u64) -> Vec<Pid> {
    let link = format!("socket:[{inode}]");
    let holds = |pid: &Pid| {
        let entries = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()));
        entries.is_ok_and(|it| {
            it.flatten().any(|it| fs::read_link(it.path()).is_ok_and(|it| it.as_os_str() == link.as_str()))
        })
    };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok());
    numbers.filter_map(Pid::from_raw).filter(holds).collect()
}

/// Reports if a number of a user was given to some user to start processes with.
fn is_subordinate(uid: u32) -> bool {
    let mut text = String::new();
    let read = File::open("/etc/subuid").and_then(|it| it.take(SUBUID_BYTES_MAX).read_to_string(&mut text));
    read.is_ok() && has_subordinate(&text, uid)
}

/// `name:first:count`, a line each.
fn has_subordinate(text: &str, uid: u32) -> bool {
    text.lines().any(|line| {
        let mut parts = line.rsplit(':').map(|it| it.trim().parse::<u64>());
        let (Some(Ok(count)), Some(Ok(first))) = (parts.next(), parts.next()) else { return false };
        (first..first.saturating_add(count)).contains(&u64::from(uid))
    })
}

fn sockets(table: &str) -> Vec<Socket> {
    let Ok(file) = File::open(table) else { return Vec::new() };
    let lines = BufReader::new(file.take(TABLE_BYTES_MAX)).lines().map_while(Result::ok);
    lines.filter_map(|it| socket(&it)).collect()
}

/// A line of a table: `0: 0100007F:1F90 0100007F:C350 01 … uid timeout inode …`
fn socket(line: &str) -> Option<Socket> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (address(words.next()?)?, address(words.next()?)?);
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let uid = words.nth(3)?.parse().ok()?;
    let inode = words.nth(1)?.parse().ok()?;
    Some(Socket { local, remote, state, uid, inode })
}

/// Each word of 32 bits stands there as a number of this machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|it| it.is_ascii_hexdigit());
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 if digits(ip, 8) => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 if digits(ip, 32) => {
            let mut bytes = [0; 16];
            for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(at)?);
            }
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    let port = digits(port, 4).then(|| u16::from_str_radix(port, 16).ok())??;
    Some(SocketAddr::new(ip.to_canonical(), port))
}

/// As the tables have it: an address of IPv4 as such. The scope of an address of IPv6 stays, as it is needed to find its interface.
fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(it) => SocketAddr::new(it.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 20";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_line_of_the_table_is_read() {
        let it = socket(LINE).expect("a socket");
        assert_eq!((it.local, it.remote), (at("127.0.0.1:50000"), at("127.0.0.1:8080")));
        assert_eq!((it.state, it.uid, it.inode), (1, 1000, 4711));
        let six = LINE.replace("0100007F:C350", "0000000000000000FFFF00000100007F:C350");
        assert_eq!(socket(&six).expect("a socket").local, at("127.0.0.1:50000"), "mapped");
        let six = LINE.replace("0100007F:C350", "B80D0120000000000000000001000000:C350");
        assert_eq!(socket(&six).expect("a socket").local, at("[2001:db8::1]:50000"));
    }

    /// Every line that is cut, doubled or changed in one place is read as a socket or not at all.
    #[test]
    fn no_line_is_read_with_a_panic() {
        for end in 0..=LINE.len() {
            assert!(socket(&LINE[..end]).is_none_or(|it| it.uid <= 1000));
        }
        for at in 0..LINE.len() {
            for by in
                ["", "é", "-", "+1", "FFFFFFFFFFFFFFFFFFFFFFFF", ":", " ", "\0", "99999999999999999999999"]
            {
                let text = format!("{}{by}{}", &LINE[..at], &LINE[at + 1..]);
                let _socket = socket(&text);
                let _doubled = socket(&format!("{text}{text}"));
            }
        }
        for text in ["", ":", "é1234567:0000", "+100007F:C350", "0100007F:+350", "0100007F:C3500", "0100007F"]
        {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn the_socket_with_both_ends_counts_before_one_with_the_same_local_end() {
        let peer = TcpPeer { local: at("127.0.0.1:8080"), remote: at("127.0.0.1:50000") };
        let of =
            |local, remote, state| Socket { local: at(local), remote: at(remote), state, uid: 1, inode: 1 };
        let (ours, exact) =
            (of("127.0.0.1:8080", "127.0.0.1:50000", 1), of("127.0.0.1:50000", "127.0.0.1:8080", 1));
        let (led, listens) =
            (of("127.0.0.1:50000", "10.0.0.1:80", 1), of("127.0.0.1:50000", "0.0.0.0:0", LISTENS));
        assert_eq!(peer.found(&[ours, led, exact, listens]), [exact]);
        assert_eq!(peer.found(&[ours, led, listens]), [led]);
        assert_eq!(peer.found(&[ours, listens]), []);
    }

    #[test]
    fn a_user_of_a_range_is_known() {
        let text = "ann:100000:65536\nodd\nbob:x:1\n1000:200000:1\n";
        for (uid, is_one) in
            [(99_999, false), (100_000, true), (165_535, true), (165_536, false), (200_000, true)]
        {
            assert_eq!(has_subordinate(text, uid), is_one, "{uid}");
        }
    }

    #[test]
    fn an_address_of_another_host_is_none_of_ours() {
        let from = |remote| TcpPeer::new(at("203.0.113.1:8080"), at(remote));
        assert!(from("203.0.113.1:50000").is_from_this_host());
        assert!(from("127.9.9.9:50000").is_from_this_host());
        assert!(!from("203.0.113.2:50000").is_of_a_step(false));
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }
}
