//! An address taken apart: how to speak, to whom, for what. Strict: what two readers could read differently is refused.

use cuelight_base::{safe_text, shorten};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Destination of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) is_secure: bool,
    /// In lower case, without brackets and without the dot at its end.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query: what the first line of a request names.
    pub(super) path: String,
}

/// Checks that requests can be sent to this address.
///
/// # Errors
/// The fault in the address.
pub fn check_address(url: &str) -> Result<(), String> {
    Address::parse(url).map(drop)
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the address `{}` {why}", safe_text(&shorten(url, 100)));
        let (is_secure, rest) = match (strip(url, "https://"), strip(url, "http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            (None, None) => return Err(wrong("begins with neither https:// nor http://")),
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "\\\"<>^`{|}".contains(c);
        if rest.contains(odd) {
            return Err(wrong("holds a character that no address can"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':').or(port.is_empty().then_some(""))),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let port = match port {
            Some("") => Some(if is_secure { 443 } else { 80 }),
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok(),
            Some(_) | None => None,
        };
        let port = port.ok_or_else(|| wrong("has no port that could be one"))?;
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_six = authority.starts_with('[');
        let is_name = |host: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            host.bytes().all(fits) && !host.split('.').any(str::is_empty)
        };
        // `127.1`, `0x7f000001` and `2130706433` mean an address to some readers and a name to others.
        let last = host.rsplit('.').next().unwrap_or_default();
        let is_number = last.starts_with(|c: char| c.is_ascii_digit())
            && (last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x"));
        let fits = if is_six {
            host.parse::<Ipv6Addr>().is_ok()
        } else {
            is_name(&host) && (!is_number || host.parse::<Ipv4Addr>().is_ok())
        };
        if !fits {
            return Err(wrong(
                "has no host that could be one; write a name, four numbers, or [an IPv6 address]",
            ));
        }
        let path = match path.chars().next() {
            Some('/') => encoded(path),
            _ => format!("/{}", encoded(path)),
        };
        Ok(Self { is_secure, host, port, path })
    }

    /// Resolves a `Location` against this address.
    pub(super) fn join(&self, location: &str) -> Result<Self, String> {
        let scheme = if self.is_secure { "https:" } else { "http:" };
        let has_scheme = location.split(['/', '?', '#']).next().is_some_and(|part| part.contains(':'));
        if has_scheme {
            return Self::parse(location);
        }
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}{location}"));
        }
        let plain = self.path.split('?').next().unwrap_or("/");
        let path = match location.chars().next() {
            Some('/') => location.to_owned(),
            Some('?') => format!("{plain}{location}"),
            _ => format!("{}/{location}", plain.rsplit_once('/').map_or("", |halves| halves.0)),
        };
        Self::parse(&format!("{}{path}", self.origin()))
    }

    /// The address that the host is, when it is one.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Host and port as the field `Host` has them.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let default = if self.is_secure { 443 } else { 80 };
        if self.port == default { host } else { format!("{host}:{}", self.port) }
    }

    /// `https://api.example.com`
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", if self.is_secure { "https" } else { "http" }, self.authority())
    }
}

fn strip<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let (head, rest) = url.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Encodes non-ASCII characters as percent codes; the rest stays unchanged.
fn encoded(path: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    path.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = Address::parse("HTTPS://API.Example.com.:8443/ü?q=1#part").expect("an address");
        assert_eq!(
            (address.origin().as_str(), address.path.as_str()),
            ("https://api.example.com:8443", "/%C3%BC?q=1")
        );
        let address = Address::parse("http://[::1]?q").expect("an address");
        assert_eq!((address.authority().as_str(), address.port, address.path.as_str()), ("[::1]", 80, "/?q"));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for odd in [
            "http://127.1/",
            "http://0/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://017700000001/",
            "http://1.2.3.04/",
            "http://[fe80::1%25eth0]/",
            "http://good@127.0.0.1/",
            "http://good\\@evil/",
            "http://①②⑦.⓪.⓪.①/",
            "file:///etc/passwd",
            "gopher://a/",
            "dict://a",
            "http:///",
            "http://a:65536/",
            "http://a:+80/",
            "http://a b/",
            "http://a/\r\nx",
            "http://[::1",
            "http://..",
            "",
            "https:/a",
        ] {
            assert!(Address::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_location_is_read_from_where_it_was_given() {
        let from = Address::parse("https://a.test/x/y?z").expect("an address");
        let to = |location: &str| {
            from.join(location).map(|address| format!("{}{}", address.origin(), address.path))
        };
        assert_eq!(to("/n"), Ok("https://a.test/n".to_owned()));
        assert_eq!(to("n?m"), Ok("https://a.test/x/n?m".to_owned()));
        assert_eq!(to("?m"), Ok("https://a.test/x/y?m".to_owned()));
        assert_eq!(to("//b.test/n"), Ok("https://b.test/n".to_owned()));
        assert_eq!(to("http://127.0.0.1:1/"), Ok("http://127.0.0.1:1/".to_owned()));
        assert!(to("javascript:alert(1)").is_err());
        assert!(to("gopher://a/").is_err());
    }
}
