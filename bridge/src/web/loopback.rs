//! Requests of programs on the bridge's own machine.

use std::net::SocketAddr;

use aqueduct_core::net::is_loopback;
use hyper::HeaderMap;
use hyper::header::HOST;

/// What is in the names of fields that proxies add. One may run on this machine and be unknown to the
/// bridge. Players send no such fields.
const PROXY_FIELDS: [&str; 9] = [
    "forwarded",
    "cdn-loop",
    "cf-",
    "client-ip",
    "original-host",
    "original-uri",
    "real-ip",
    "tailscale-",
    "x-scheme",
];

fn is_of_proxy(field: &str) -> bool {
    // `via` is a part of other words.
    field == "via" || PROXY_FIELDS.iter().any(|part| field.contains(part))
}

/// Whether a request came from a loopback address, to one, and without a sign of a proxy. Names but
/// `localhost` are not trusted: an attacker may make one resolve to a loopback address (DNS
/// rebinding).
pub(super) fn is_direct(remote: SocketAddr, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    remote.ip().to_canonical().is_loopback()
        && host.is_some_and(is_loopback)
        && !headers.keys().any(|field| is_of_proxy(field.as_str()))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn is_direct(remote: &str, fields: &[(&'static str, &'static str)]) -> bool {
        let headers: HeaderMap = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        super::is_direct(SocketAddr::new(remote.parse().unwrap(), 1), &headers)
    }

    #[test]
    fn only_what_comes_from_loopback_to_loopback_is_of_this_machine() {
        for (remote, host) in [
            ("127.0.0.1", "127.0.0.1:8080"),
            ("127.0.0.1", "localhost"),
            ("127.9.9.9", "localhost:8080"),
            ("::1", "[::1]:8080"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
        ] {
            assert!(is_direct(remote, &[("host", host)]), "{remote} {host}");
        }
        for (remote, host) in [
            ("192.0.2.1", "127.0.0.1:8080"),
            ("::ffff:192.0.2.1", "localhost"),
            ("127.0.0.1", "rebound.example:8080"),
            ("127.0.0.1", "localhost.example"),
            ("127.0.0.1", "127.0.0.1.example"),
            ("127.0.0.1", "127.0.0.1@evil.example"),
            ("127.0.0.1", "192.0.2.1:8080"),
            ("127.0.0.1", "0.0.0.0:8080"),
            ("127.0.0.1", ""),
        ] {
            assert!(!is_direct(remote, &[("host", host)]), "{remote} {host}");
        }
        assert!(!is_direct("127.0.0.1", &[]));
    }

    #[test]
    fn a_proxy_on_this_machine_is_not_taken_for_a_player() {
        for field in [
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-forwarded-proto",
            "x-forwarded-server",
            "x-forwarded-ssl",
            "x-original-forwarded-for",
            "x-original-host",
            "x-real-ip",
            "x-scheme",
            "x-client-ip",
            "x-cluster-client-ip",
            "true-client-ip",
            "cf-connecting-ip",
            "cf-ray",
            "cdn-loop",
            "tailscale-user-login",
        ] {
            let fields = [("host", "127.0.0.1:8080"), (field, "x")];
            assert!(!is_direct("127.0.0.1", &fields), "{field}");
        }
        let of_player = [
            ("host", "127.0.0.1:8080"),
            ("user-agent", "Lavf/59.27.100"),
            ("accept", "*/*"),
            ("icy-metadata", "1"),
            ("range", "bytes=0-"),
            ("connection", "close"),
        ];
        assert!(is_direct("127.0.0.1", &of_player));
    }
}
