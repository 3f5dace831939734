//! Trusted proxies, and the clients behind them.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::HeaderName;

use crate::limits::cidr::Cidr;

/// The addresses of trusted proxies.
#[derive(Debug)]
pub(crate) struct Proxies(pub(crate) Vec<Cidr>);

impl Proxies {
    /// Whether this address is that of a trusted proxy.
    pub(crate) fn are_at(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|range| range.contains(ip))
    }

    /// The client of a request: the socket's address, or the one that trusted proxies report.
    /// Proxies append to `X-Forwarded-For`, so only its right end is theirs; everything left of the
    /// first untrusted address may be forged by the client.
    pub(crate) fn client_of(&self, remote: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let lines: Vec<&str> = headers
            .get_all(HeaderName::from_static("x-forwarded-for"))
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        let mut client = remote.ip().to_canonical();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            match address(hop) {
                Some(hop) if self.are_at(client) => client = hop.to_canonical(),
                _ => break,
            }
        }
        client
    }
}

/// The address in an element of `X-Forwarded-For`. Some proxies add the client's port (IIS, Azure's
/// gateways), brackets around IPv6, or quotes, as in the syntax of `Forwarded` (RFC 7239).
fn address(element: &str) -> Option<IpAddr> {
    let element = element.trim();
    let inner = element.strip_prefix('"').and_then(|e| e.strip_suffix('"'));
    let element = inner.unwrap_or(element).trim();
    let bracketed = || element.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || {
        element
            .parse()
            .ok()
            .map(|with_port: SocketAddr| with_port.ip())
    };
    element.parse().ok().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_count_from_the_right_and_only_through_trusted_proxies() {
        let proxies = Proxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let client = |remote: &str, forwarded: &str| {
            let name = HeaderName::from_static("x-forwarded-for");
            let headers = HeaderMap::from_iter([(name, forwarded.parse().unwrap())]);
            let remote = SocketAddr::new(remote.parse().unwrap(), 1);
            proxies.client_of(remote, &headers).to_string()
        };
        assert_eq!(client("10.0.0.1", "6.6.6.6, 1.2.3.4"), "1.2.3.4");
        assert_eq!(client("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2"), "1.2.3.4");
        assert_eq!(client("9.9.9.9", "1.2.3.4"), "9.9.9.9");
        assert_eq!(client("10.0.0.1", "1.2.3.4, garbage"), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", "1.2.3.4"), "1.2.3.4");
        for (forwarded, expected) in [
            ("5.5.5.5:1234", "5.5.5.5"),
            ("6.6.6.6, 5.5.5.5:1234, 10.0.0.2:80", "5.5.5.5"),
            ("[2606:4700::1]:443", "2606:4700::1"),
            ("[2606:4700::1]", "2606:4700::1"),
            ("2606:4700::1", "2606:4700::1"),
            ("\"5.5.5.5\"", "5.5.5.5"),
            ("\"[2606:4700::1]:443\"", "2606:4700::1"),
            ("[::ffff:5.5.5.5]:1", "5.5.5.5"),
            ("5.5.5.5:port", "10.0.0.1"),
            ("\"5.5.5.5", "10.0.0.1"),
            ("unknown", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", forwarded), expected, "{forwarded}");
        }
    }
}
