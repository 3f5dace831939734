//! The URLs by which torrents name the bridge's own tracker. Such announces are answered
//! internally, since the bridge's filter would refuse its own address.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::RwLock;

use aqueduct_core::discovery::url::{Host, Url};

use crate::config::Config;
use crate::sync::{read, write};

/// The addresses by which URLs may name the bridge.
#[derive(Debug)]
pub(super) struct OwnUrls {
    /// Host and port of `public-url`.
    public: Option<(Host, u16)>,
    /// The port of the page.
    web: u16,
    addresses: RwLock<BTreeSet<IpAddr>>,
}

impl OwnUrls {
    pub(super) fn new(config: &Config, web: u16) -> Self {
        let public = config
            .public_url
            .as_ref()
            .and_then(|url| Url::parse(url).ok())
            .map(|url| (url.host, url.port));
        Self {
            public,
            web,
            addresses: RwLock::default(),
        }
    }

    /// Sets the addresses of this machine.
    pub(super) fn set(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        *write(&self.addresses) = addresses.into_iter().collect();
    }

    /// Whether a tracker's URL leads back to this bridge.
    pub(super) fn contain(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else {
            return false;
        };
        url.path() == "/announce" && (self.is_public(&url) || self.is_literal(&url))
    }

    /// Over UDP the port is that of the page even if a proxy serves the page at another one.
    fn is_public(&self, url: &Url) -> bool {
        self.public
            .as_ref()
            .is_some_and(|(host, port)| url.host == *host && [*port, self.web].contains(&url.port))
    }

    fn is_literal(&self, url: &Url) -> bool {
        let Host::Addr(ip) = url.host else {
            return false;
        };
        url.port == self.web && read(&self.addresses).contains(&ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_knows_the_urls_of_its_own_tracker() {
        let urls = OwnUrls::new(
            &Config {
                public_url: Some("https://a.example".to_owned()),
                ..Config::default()
            },
            8080,
        );
        urls.set(["127.0.0.1".parse().unwrap(), "2000::1".parse().unwrap()]);
        for own in [
            "https://a.example/announce",
            "udp://A.example:8080/announce",
            "http://127.0.0.1:8080/announce?x=1",
            "udp://[2000::1]:8080/announce",
        ] {
            assert!(urls.contain(own), "{own}");
        }
        for foreign in [
            "https://b.example/announce",
            "http://a.example/announce",
            "https://a.example/",
            "udp://127.0.0.1:8081/announce",
            "udp://127.0.0.2:8080/announce",
            "x",
        ] {
            assert!(!urls.contain(foreign), "{foreign}");
        }
    }
}
