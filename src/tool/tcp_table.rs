//! The kernel's tables of TCP sockets, `/proc/net/tcp` and `/proc/net/tcp6`, read line by line: only sockets that are asked for are kept.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The tables of this network namespace. A connection over IPv4 is in the second one when its socket is of IPv6.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// Bytes of a table that are read.
const TABLE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The state of a socket that listens.
const LISTENS: u8 = 0x0A;

/// One socket of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    state: u8,
    pub(super) uid: u32,
    /// 0 when no process holds it.
    pub(super) inode: u64,
}

/// The sockets at the other end of a connection, as far as the tables name them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OtherEnd {
    /// The sockets with both addresses.
    pub(super) pairs: Vec<Socket>,
    /// Reports if another socket has the same local address. It proves that the address is of this host, and nothing else.
    pub(super) has_namesake: bool,
}

impl OtherEnd {
    /// Reads both tables for the other end of the connection between `local` and `remote`.
    pub(super) fn read(local: SocketAddr, remote: SocketAddr) -> Self {
        let mut end = Self::default();
        for file in TABLES.iter().filter_map(|table| File::open(table).ok()) {
            let lines = BufReader::new(file.take(TABLE_BYTES_MAX)).lines().map_while(Result::ok);
            lines.filter_map(|line| socket(&line)).for_each(|socket| end.add(socket, local, remote));
        }
        end
    }

    fn add(&mut self, socket: Socket, local: SocketAddr, remote: SocketAddr) {
        // The tables say nothing of the interface that an address of IPv6 may be bound to.
        let same = |one: SocketAddr, other: SocketAddr| (one.ip(), one.port()) == (other.ip(), other.port());
        if socket.state == LISTENS || !same(socket.local, remote) {
            return;
        }
        if same(socket.remote, local) {
            self.pairs.push(socket);
        } else {
            self.has_namesake = true;
        }
    }
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
        |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_hexdigit());
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

#[cfg(test)]
impl Socket {
    /// A socket of a connection that stands.
    pub(super) fn of(local: &str, remote: &str, uid: u32, inode: u64) -> Self {
        let at = |text: &str| text.parse().expect("an address");
        Self { local: at(local), remote: at(remote), state: 1, uid, inode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 20";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_line_of_the_table_is_read() {
        let this_socket = socket(LINE).expect("a socket");
        assert_eq!((this_socket.local, this_socket.remote), (at("127.0.0.1:50000"), at("127.0.0.1:8080")));
        assert_eq!((this_socket.state, this_socket.uid, this_socket.inode), (1, 1000, 4711));
        let six = LINE.replace("0100007F:C350", "0000000000000000FFFF00000100007F:C350");
        assert_eq!(socket(&six).expect("a socket").local, at("127.0.0.1:50000"), "mapped");
        let six = LINE.replace("0100007F:C350", "B80D0120000000000000000001000000:C350");
        assert_eq!(socket(&six).expect("a socket").local, at("[2001:db8::1]:50000"));
    }

    /// Every line that is cut, doubled or changed in one place is read as a socket or not at all.
    #[test]
    fn no_line_is_read_with_a_panic() {
        for end in 0..=LINE.len() {
            assert!(socket(&LINE[..end]).is_none_or(|socket| socket.uid <= 1000));
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
    fn only_the_socket_with_both_addresses_is_the_other_end() {
        let (ours, theirs) = ("127.0.0.1:8080", "127.0.0.1:50000");
        let exact = Socket::of(theirs, ours, 1, 1);
        let namesake = Socket::of(theirs, "10.0.0.1:80", 1, 1);
        let listens = Socket { state: LISTENS, ..Socket::of(theirs, "0.0.0.0:0", 1, 1) };
        let end = |all: &[Socket]| {
            let mut end = OtherEnd::default();
            all.iter().for_each(|socket| end.add(*socket, at(ours), at(theirs)));
            end
        };
        let own = Socket::of(ours, theirs, 1, 1);
        assert_eq!(end(&[own, namesake, exact]), OtherEnd { pairs: vec![exact], has_namesake: true });
        assert_eq!(end(&[own, namesake]), OtherEnd { pairs: vec![], has_namesake: true });
        assert_eq!(end(&[own, listens]), OtherEnd::default());
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }
}
