//! Who may open a tunnel: pages of the bridge's own origin and of those that the operator names.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, ORIGIN};

use crate::config::Config;
use crate::limits::cidr::Cidr;

/// What a request's `Origin` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A page that may use the bridge.
    Known,
    /// No page, or one whose origin is opaque: it must show a token.
    Unknown,
    /// A page that may not.
    Foreign,
}

/// Judges by exact scheme, host and port (RFC 6454).
pub(crate) fn judge(headers: &HeaderMap, config: &Config) -> Verdict {
    let Some(origin) = headers.get(ORIGIN) else {
        return Verdict::Unknown;
    };
    let Ok(origin) = origin.to_str() else {
        return Verdict::Foreign;
    };
    if origin == "null" {
        return Verdict::Unknown;
    }
    let own = config
        .public_url
        .clone()
        .or_else(|| literal_origin(headers, config));
    let known = config
        .origin
        .iter()
        .chain(&own)
        .any(|known| known == origin);
    if known {
        Verdict::Known
    } else {
        Verdict::Foreign
    }
}

/// The bridge's own origin as the browser was pointed to it. Names are not believed: with a name of
/// his own that resolves to the bridge, a stranger's page would count as the bridge's page (DNS
/// rebinding).
fn literal_origin(headers: &HeaderMap, config: &Config) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let literal = name == "localhost"
        || name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .is_ok();
    let scheme = if config.tls_cert.is_some() {
        "https"
    } else {
        "http"
    };
    literal.then(|| format!("{scheme}://{host}"))
}

/// Where a request comes from: the socket's address, or what trusted proxies say. Proxies append,
/// so that only the right end of `X-Forwarded-For` is theirs; whatever stands to the left of the
/// first untrusted address is the client's own invention.
pub(crate) fn client_of(remote: SocketAddr, headers: &HeaderMap, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|range| range.contains(*ip));
    let lines: Vec<&str> = headers
        .get_all(HeaderName::from_static("x-forwarded-for"))
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let mut client = remote.ip().to_canonical();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let hop = hop.trim().parse::<IpAddr>();
        match hop {
            Ok(hop) if is_trusted(&client) => client = hop.to_canonical(),
            _ => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn verdict(config: &Config, host: &str, origin: &str) -> Verdict {
        judge(&headers(&[("host", host), ("origin", origin)]), config)
    }

    #[test]
    fn only_the_exact_origin_is_known() {
        let config = Config {
            public_url: Some("https://a.example".to_owned()),
            origin: vec!["https://b.example:8443".to_owned()],
            ..Config::default()
        };
        assert_eq!(
            verdict(&config, "a.example", "https://a.example"),
            Verdict::Known
        );
        assert_eq!(
            verdict(&config, "a.example", "https://b.example:8443"),
            Verdict::Known
        );
        for foreign in [
            "http://a.example",
            "https://a.example:8443",
            "https://b.example",
            "https://xa.example",
            "https://a.example.evil.example",
        ] {
            assert_eq!(
                verdict(&config, "a.example", foreign),
                Verdict::Foreign,
                "{foreign}"
            );
        }
        assert_eq!(verdict(&config, "a.example", "null"), Verdict::Unknown);
        assert_eq!(
            judge(&headers(&[("host", "a.example")]), &config),
            Verdict::Unknown
        );
    }

    #[test]
    fn without_a_public_url_only_literal_addresses_and_localhost_are_the_bridge_itself() {
        let config = Config::default();
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "[::1]:8080",
            "192.0.2.7",
        ] {
            assert_eq!(
                verdict(&config, host, &format!("http://{host}")),
                Verdict::Known,
                "{host}"
            );
            assert_eq!(
                verdict(&config, host, &format!("https://{host}")),
                Verdict::Foreign,
                "{host}"
            );
        }
        assert_eq!(
            verdict(
                &config,
                "rebound.example:8080",
                "http://rebound.example:8080"
            ),
            Verdict::Foreign
        );
    }

    #[test]
    fn forwarded_addresses_count_from_the_right_and_only_through_trusted_proxies() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let client = |remote: &str, forwarded: &str| {
            client_of(
                SocketAddr::new(remote.parse().unwrap(), 1),
                &headers(&[("x-forwarded-for", forwarded)]),
                &trusted,
            )
            .to_string()
        };
        assert_eq!(client("10.0.0.1", "6.6.6.6, 1.2.3.4"), "1.2.3.4");
        assert_eq!(client("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2"), "1.2.3.4");
        assert_eq!(client("9.9.9.9", "1.2.3.4"), "9.9.9.9");
        assert_eq!(client("10.0.0.1", "1.2.3.4, garbage"), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", "1.2.3.4"), "1.2.3.4");
    }
}
