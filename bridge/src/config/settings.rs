//! Every option of the bridge, declared once.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use aqueduct_core::connection::Encryption;
use aqueduct_core::net::is_loopback;

use crate::config::error::ConfigError;
use crate::config::file;
use crate::config::node::Node;
use crate::limits::Limits;
use crate::limits::cidr::Cidr;
use crate::option::options;

/// Where peers dial in if no port is configured.
pub const DEFAULT_PEER_PORT: u16 = 6881;

options! {
    /// Everything an operator can set.
    pub struct Config {
        /// Where the page and the tunnel are served.
        listen("ADDRESS:PORT"): SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080));
        /// The port at which peers connect to the bridge; it is announced to trackers. 0: any free
        /// port. If it is not set: 6881, or any free port if that is taken.
        peer_port("PORT"): Option<u16> = None;
        /// Address on which the peer port listens; `::` is all addresses of both families.
        peer_bind("ADDRESS"): IpAddr = Ipv6Addr::UNSPECIFIED.into();
        /// The page's origin as browsers see it, if the bridge is reached by a name or through a
        /// proxy, like `https://aqueduct.example`. If it is not set: any literal address or
        /// `localhost` by which the bridge is reached.
        public_url("ORIGIN"): Option<String> = None;
        /// Further origins whose pages may use the bridge.
        origin("ORIGIN"): Vec<String> = Vec::new();
        /// Whether connections to peers are encrypted. `allow`: peers are dialled in the clear, and
        /// again encrypted if they close the connection before their handshake; those that dial in
        /// choose. `require`: all are. `off`: none are.
        encryption("MODE"): Encryption = Encryption::Allow;
        /// Do not use uTP (BEP 29). Otherwise peers are dialled over TCP and uTP at the same time,
        /// and may dial the peer port over both.
        no_utp: bool = false;
        /// A file of tokens, one per line; clients must send one of them. If it is not set, no
        /// token is required.
        token_file("FILE"): Option<PathBuf> = None;
        /// Address ranges that may be dialled although the filter refuses them by default, like
        /// `10.0.0.0/8`.
        allow("CIDR"): Vec<Cidr> = Vec::new();
        /// Address ranges of reverse proxies whose `X-Forwarded-For` header is trusted.
        trusted_proxies("CIDR", "trusted-proxy"): Vec<Cidr> = Vec::new();
        /// Do not use the DHT. Otherwise the bridge uses it as a read-only node (BEP 43), over UDP
        /// at the number of the peer port.
        no_dht: bool = false;
        /// DHT nodes to contact first, instead of the well-known public ones.
        dht_bootstrap("HOST:PORT"): Vec<Node> = Vec::new();
        /// Name servers that resolve the names of trackers, instead of those of `/etc/resolv.conf`.
        name_server("ADDRESS:PORT"): Vec<SocketAddr> = Vec::new();
        /// Do not run a tracker: neither `/announce` and `/scrape`, nor UDP on the port of
        /// `listen`.
        no_tracker: bool = false;
        /// Give tabs no addresses for media players. Otherwise a tab on the bridge's own machine, in
        /// a page that was loaded from a loopback address, can let players on that machine read its
        /// audio and video files through the bridge. A bridge with `trusted-proxies`, or with a
        /// `public-url` or an `origin` that is not a loopback address, never gives any.
        no_player_addresses: bool = false;
        /// Addresses at which peers reach the bridge; its tracker returns them for the tabs that it
        /// serves. If none is set: that of `peer-bind`, or those addresses of the machine that the
        /// filter allows. Behind NAT, set the external address here.
        public_address("ADDRESS"): Vec<IpAddr> = Vec::new();
        /// The certificate chain, PEM; with `tls-key` the bridge speaks TLS.
        tls_cert("FILE"): Option<PathBuf> = None;
        /// The certificate's private key, PEM.
        tls_key("FILE"): Option<PathBuf> = None;
    }
    ..
    /// The `[limits]` table.
    limits: Limits;
}

impl Config {
    /// Whether tabs get addresses for media players.
    pub(crate) fn has_player_addresses(&self) -> bool {
        let is_local = |origin: &String| {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some_and(is_loopback)
        };
        !self.no_player_addresses
            && self.trusted_proxies.is_empty()
            && self.origin.iter().chain(&self.public_url).all(is_local)
    }

    /// Reads a TOML file; what it does not name keeps its default.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or has unknown keys or wrong types.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = file::read_text(path).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            error,
        })?;
        toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            error: Box::new(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors_that_name_them() {
        let error = toml::from_str::<Config>("[limits]\nsessions-per-adress = 3")
            .unwrap_err()
            .to_string();
        assert!(error.contains("sessions-per-adress"), "{error}");
        assert!(toml::from_str::<Config>("allow = [\"10.0.0.1/8\"]").is_err());
    }

    #[test]
    fn only_a_bridge_that_others_do_not_reach_has_addresses_for_players() {
        let has = |text: &str| {
            toml::from_str::<Config>(text)
                .unwrap()
                .has_player_addresses()
        };
        for private in [
            "",
            "listen = \"0.0.0.0:80\"",
            "public-url = \"http://localhost:8080\"",
            "origin = [\"https://[::1]\", \"http://127.0.0.1:3000\"]",
        ] {
            assert!(has(private), "{private}");
        }
        for public in [
            "no-player-addresses = true",
            "public-url = \"https://aqueduct.example\"",
            "origin = [\"http://localhost\", \"https://aqueduct.example\"]",
            "trusted-proxies = [\"127.0.0.1/32\"]",
        ] {
            assert!(!has(public), "{public}");
        }
    }

    #[test]
    fn a_flag_replaces_a_value_and_adds_to_a_list() {
        let mut config = Config {
            origin: vec!["https://a.example".to_owned()],
            ..Config::default()
        };
        let mut set = |key: &str, value: &str| {
            let options = Config::options();
            let option = options.iter().find(|option| option.key == key).unwrap();
            (option.set)(&mut config, value.as_ref())
        };
        set("origin", "https://b.example").unwrap();
        set("listen", "[::1]:80").unwrap();
        set("no-dht", "").unwrap();
        assert_eq!(
            set("dht-bootstrap", "nowhere").unwrap_err(),
            "`nowhere` is no HOST:PORT; write a name or an address and a port, like dht.example:6881 or [2001:db8::1]:6881"
        );
        assert_eq!(config.origin, ["https://a.example", "https://b.example"]);
        assert!(config.no_dht && config.listen.is_ipv6());
    }
}
