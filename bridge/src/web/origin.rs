//! Which pages may open a session: those of the bridge's own origin and of the configured origins.

use std::net::IpAddr;

use aqueduct_core::net::host_name;
use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

use crate::config::Config;

/// The meaning of a request's `Origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A page that may use the bridge.
    Known,
    /// No page, or one with an opaque origin: it must show a token.
    Unknown,
    /// A page that may not use the bridge.
    Foreign,
}

/// The origins whose pages may use the bridge.
#[derive(Debug)]
pub(crate) struct Origins {
    /// The bridge's own origin, if the operator configured it.
    public: Option<String>,
    others: Vec<String>,
    /// Whether the bridge itself speaks TLS.
    tls: bool,
}

impl Origins {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            public: config.public_url.clone(),
            others: config.origin.clone(),
            tls: config.tls_cert.is_some(),
        }
    }

    /// Whether the bridge's own origin is reached over TLS.
    pub(crate) fn are_https(&self) -> bool {
        let public = self.public.as_ref();
        self.tls || public.is_some_and(|url| url.starts_with("https://"))
    }

    /// Judges by exact scheme, host and port (RFC 6454).
    pub(crate) fn judge(&self, headers: &HeaderMap) -> Verdict {
        let Some(origin) = headers.get(ORIGIN) else {
            return Verdict::Unknown;
        };
        let Ok(origin) = origin.to_str() else {
            return Verdict::Foreign;
        };
        if origin == "null" {
            return Verdict::Unknown;
        }
        let own = self.public.clone().or_else(|| self.literal(headers));
        if self.others.iter().chain(&own).any(|known| known == origin) {
            Verdict::Known
        } else {
            Verdict::Foreign
        }
    }

    /// Whether the request comes from a page that the browser loaded from the literal address by which
    /// it reaches the bridge.
    pub(crate) fn is_literal(&self, headers: &HeaderMap) -> bool {
        let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        origin.is_some() && origin == self.literal(headers).as_deref()
    }

    /// The bridge's own origin, as the browser addressed it. Names are not trusted: if an attacker
    /// makes a name resolve to the bridge, the attacker's page would count as the bridge's own (DNS
    /// rebinding).
    fn literal(&self, headers: &HeaderMap) -> Option<String> {
        let host = headers.get(HOST)?.to_str().ok()?;
        let name = host_name(host);
        let is_literal = name == "localhost" || name.parse::<IpAddr>().is_ok();
        let scheme = if self.tls { "https" } else { "http" };
        is_literal.then(|| format!("{scheme}://{host}"))
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn verdict(config: &Config, host: &str, origin: &str) -> Verdict {
        Origins::new(config).judge(&headers(&[("host", host), ("origin", origin)]))
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
            Origins::new(&config).judge(&headers(&[("host", "a.example")])),
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
}
