//! The allowed destinations of a request: hosts that the workspace names, and addresses that need its
//! explicit permission.
//!
//! A name is looked up once. Every returned address is judged, and a connection is made only to these. A
//! later change of the name does not matter.

use super::address::Address;
use crate::Failure;
use cuelight_base::FailureMode;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// Ports of other protocols, as the Fetch standard lists them: always refused, also at public addresses.
const PORTS_REFUSED: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679,
    6697, 10080, 11211,
];

/// Destinations that this workspace allows beyond the default, which is requests to public addresses.
#[derive(Clone, Debug, Default)]
pub struct HttpPolicy {
    /// When there are any, no other host is spoken to.
    hosts: Vec<HostRule>,
    /// Addresses that may be reached although they are not public.
    private: Vec<Network>,
    /// More authorities that certificates may be signed by.
    authorities: Option<PathBuf>,
}

/// `api.example.com`, `*.example.com`, either with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HostRule {
    name: String,
    below: bool,
    port: Option<u16>,
}

/// `10.0.0.0/8`, `127.0.0.1:8080`, `[fd00::1]:443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
    port: Option<u16>,
}

impl HttpPolicy {
    /// Reads the settings of a workspace: hosts, networks, a file of certificates in PEM.
    ///
    /// # Errors
    /// The entry that cannot be read, and the correct form.
    pub fn read(hosts: &[String], private: &[String], authorities: Option<PathBuf>) -> Result<Self, String> {
        let host = |text: &String| {
            let how = "write a host, a port where only one is meant, `*.` for all below it";
            HostRule::read(text).ok_or_else(|| format!("http-hosts: {text:?} is no host; {how}"))
        };
        let network = |text: &String| {
            let how = "write 127.0.0.1:8080, 10.0.0.0/8 or [fd00::1]:443";
            Network::read(text).ok_or_else(|| format!("http-private: {text:?} is no address; {how}"))
        };
        Ok(Self {
            hosts: hosts.iter().map(host).collect::<Result<_, _>>()?,
            private: private.iter().map(network).collect::<Result<_, _>>()?,
            authorities,
        })
    }

    /// Every address: for what the user of this process has named, and no file of a workspace.
    ///
    /// # Errors
    /// Never: it is written as the settings of a workspace are.
    pub fn anywhere(authorities: Option<PathBuf>) -> Result<Self, String> {
        Self::read(&[], &["0.0.0.0/0".to_owned(), "::/0".to_owned()], authorities)
    }

    /// The file with more authorities.
    pub(super) fn authorities(&self) -> Option<&Path> {
        self.authorities.as_deref()
    }

    /// Checks that this host may be contacted; `is_foreign` when another step chose it.
    pub(super) fn check_host(&self, to: &Address, is_foreign: bool) -> Result<(), Failure> {
        let is_named = self.hosts.iter().any(|host| host.fits(to));
        let shown = to.origin();
        if is_named {
            return Ok(());
        }
        if !self.hosts.is_empty() {
            let message = format!(
                "{shown} is not among the hosts this workspace allows; add it to http-hosts in .cuelight/config.toml"
            );
            return Err(Failure { mode: FailureMode::PolicyAllowlist, message });
        }
        if is_foreign {
            let message = format!(
                "the host {shown} comes from another step, so it has to be allowed by name; add it to http-hosts in .cuelight/config.toml"
            );
            return Err(Failure { mode: FailureMode::PolicyAllowlist, message });
        }
        if PORTS_REFUSED.contains(&to.port) {
            let message = format!(
                "port {} of {shown} speaks another protocol; name it in http-hosts of .cuelight/config.toml if it is meant",
                to.port
            );
            return Err(Failure { mode: FailureMode::PolicySecurity, message });
        }
        Ok(())
    }

    /// The addresses a connection may be made to: all that were found, or none.
    pub(super) fn check_addresses(
        &self,
        to: &Address,
        found: Vec<IpAddr>,
    ) -> Result<Vec<SocketAddr>, Failure> {
        for address in &found {
            let may =
                is_public(*address) || self.private.iter().any(|network| network.holds(*address, to.port));
            if !may {
                let what = if to.ip().is_some() { String::new() } else { format!("{} means ", to.host) };
                let message = format!(
                    "{what}{address}, which is no public address; add \"{}\" to http-private in .cuelight/config.toml if it is meant",
                    SocketAddr::new(*address, to.port)
                );
                return Err(Failure { mode: FailureMode::PolicySecurity, message });
            }
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, to.port)).collect())
    }
}

impl HostRule {
    fn read(text: &str) -> Option<Self> {
        let (host, port) = with_port(text.trim())?;
        let (below, name) = host.strip_prefix("*.").map_or((false, host), |rest| (true, rest));
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        (!name.is_empty() && name.chars().all(fits)).then_some(Self { name, below, port })
    }

    fn fits(&self, to: &Address) -> bool {
        let is_host = if self.below {
            to.host.strip_suffix(&self.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            to.host == self.name
        };
        is_host && self.port.is_none_or(|port| port == to.port)
    }
}

impl Network {
    fn read(text: &str) -> Option<Self> {
        let (network, port) = with_port(text.trim())?;
        let (address, prefix) = match network.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
            None => (network, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        (prefix <= most).then_some(Self { address, prefix, port })
    }

    fn holds(&self, address: IpAddr, port: u16) -> bool {
        let is_in = match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                net.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                net.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        };
        is_in && self.port.is_none_or(|other| other == port)
    }
}

/// Splits a port from the text before it. An IPv6 address has a port only in brackets.
fn with_port(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return match port.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => port.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host, Some(port.parse().ok()?))),
        _ => Some((text, None)),
    }
}

/// True if an address belongs to the public internet. Excluded are this machine, its network, a provider's
/// internal network, multicast and documentation ranges, and IPv6 forms of IPv4 addresses of these kinds.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or_else(|| is_public_v6(address), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let refused = matches!(a, 0 | 10 | 127 | 224..)
        || a == 100 && (64..128).contains(&b)
        || a == 169 && b == 254
        || a == 172 && (16..32).contains(&b)
        || a == 192 && matches!((b, c), (0, 0 | 2) | (88, 99) | (168, _))
        || a == 198 && matches!((b, c), (18 | 19, _) | (51, 100))
        || a == 203 && (b, c) == (0, 113);
    !refused
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // 2000::/3 is all that has been given out; in it, tunnels, documentation and protocol words are refused.
    let refused = a == 0x2002 || a == 0x2001 && (b < 0x200 || b == 0xdb8) || a == 0x3fff && b < 0x1000;
    a & 0xe000 == 0x2000 && !refused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn policy(hosts: &[&str], private: &[&str]) -> HttpPolicy {
        HttpPolicy::read(&words(hosts), &words(private), None).expect("a policy")
    }

    fn to(url: &str) -> Address {
        Address::parse(url).expect("an address")
    }

    #[test]
    fn only_addresses_of_the_internet_at_large_are_public() {
        for private in [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.254",
            "169.254.169.254",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fd00:ec2::254",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(private.parse().expect("an address")), "{private}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2001:4860::8888",
        ] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }

    /// A name that meant a public address and means this machine a moment later: each answer is judged as a whole, and
    /// what is connected to is what was judged.
    #[test]
    fn a_name_that_turns_to_a_private_address_is_refused() {
        let (policy, evil) = (policy(&[], &[]), to("https://rebind.test/"));
        let ip = |text: &str| text.parse().expect("an address");
        let first = policy.check_addresses(&evil, vec![ip("8.8.8.8")]).expect("it is public");
        assert_eq!(first, ["8.8.8.8:443".parse().expect("an address")]);
        for answer in [vec!["127.0.0.1"], vec!["8.8.8.8", "10.0.0.1"], vec!["8.8.8.8", "fd00::1"]] {
            let refused = policy.check_addresses(&evil, answer.iter().map(|text| ip(text)).collect());
            let refused = refused.expect_err("a private address is among them");
            assert_eq!(refused.mode, FailureMode::PolicySecurity);
            assert!(refused.message.starts_with("rebind.test means "), "{refused:?}");
        }
    }

    #[test]
    fn what_is_not_public_is_reached_where_the_workspace_says_so() {
        let policy = policy(&[], &["127.0.0.1:8080", "10.1.0.0/16", "fd00::/8"]);
        let may = |url: &str, ip: &str| {
            policy.check_addresses(&to(url), vec![ip.parse().expect("an address")]).is_ok()
        };
        assert!(may("http://127.0.0.1:8080/", "127.0.0.1"));
        assert!(!may("http://127.0.0.1:8081/", "127.0.0.1"));
        assert!(may("https://vault.internal/", "10.1.200.3"));
        assert!(!may("https://vault.internal/", "10.2.0.1"));
        assert!(may("https://six.internal/", "fd12::9"));
        assert!(!may("https://six.internal/", "::1"));
    }

    #[test]
    fn hosts_that_are_named_are_the_only_ones() {
        let named = policy(&["api.example.com", "*.example.org", "127.0.0.1:8080"], &[]);
        for (url, may) in [
            ("https://api.example.com/", true),
            ("https://API.example.com.:443/", true),
            ("https://x.api.example.com/", false),
            ("https://a.b.example.org/", true),
            ("https://example.org/", false),
            ("https://evilexample.org/", false),
            ("http://127.0.0.1:8080/", true),
            ("http://127.0.0.1/", false),
        ] {
            let said = named.check_host(&to(url), true);
            assert_eq!(said.is_ok(), may, "{url}");
            assert!(said.is_ok_and(|()| may) || !may);
        }
        let open = policy(&[], &[]);
        assert!(open.check_host(&to("https://any.example.com/"), false).is_ok());
        let foreign =
            open.check_host(&to("https://any.example.com/"), true).expect_err("another step chose it");
        assert_eq!(foreign.mode, FailureMode::PolicyAllowlist);
        let odd = open.check_host(&to("http://any.example.com:6379/"), false).expect_err("another protocol");
        assert_eq!(odd.mode, FailureMode::PolicySecurity);
    }

    #[test]
    fn a_setting_that_cannot_be_read_says_how_it_is_written() {
        for bad in ["", "*.", "a b", "host:99999", "http://a"] {
            assert!(HttpPolicy::read(&words(&[bad]), &[], None).is_err(), "{bad}");
        }
        for bad in ["", "localhost", "10.0.0.0/33", "[::1", "127.0.0.1:x"] {
            assert!(HttpPolicy::read(&[], &words(&[bad]), None).is_err(), "{bad}");
        }
    }
}
