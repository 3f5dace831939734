//! The bridge's configuration: defaults, then the TOML file, then flags.

pub(crate) mod node;

use std::borrow::Cow;
use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::node::Node;
use crate::limits::cidr::Cidr;
use crate::limits::policy::Filter;
use crate::limits::{Limits, Seconds};

/// Everything an operator can set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where the page and the tunnel are served. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Where peers dial in, told to trackers; 0: any free port. Default 6881, or any free one if
    /// that is taken.
    pub peer_port: Option<u16>,
    /// Address on which the peer port listens. Default `::`, which is all of both families.
    pub peer_bind: IpAddr,
    /// The page's origin as browsers see it, if a proxy or a name stands before the bridge:
    /// `https://aqueduct.example`. Default: any literal address or `localhost` by which the bridge
    /// is reached.
    pub public_url: Option<String>,
    /// Further origins whose pages may use the bridge. Default none.
    pub origin: Vec<String>,
    /// A file of tokens, one a line; clients must show one. Default none: no token is asked for.
    pub token_file: Option<PathBuf>,
    /// Address ranges that the filter would refuse and that are dialled all the same. Default none.
    pub allow: Vec<Cidr>,
    /// Proxies whose `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<Cidr>,
    /// The DHT is not asked. Default false: it is, as a node that answers nobody (BEP 43), over UDP
    /// from the peer port's number.
    pub no_dht: bool,
    /// Nodes of the DHT that are asked first. Default none: the well-known public ones.
    pub dht_bootstrap: Vec<Node>,
    /// Name servers that are asked for the names of trackers. Default none: those of
    /// `/etc/resolv.conf`.
    pub name_server: Vec<SocketAddr>,
    /// No tracker of the bridge's own: neither `/announce` and `/scrape`, nor UDP on the port of
    /// `listen`. Default false.
    pub no_tracker: bool,
    /// Addresses at which peers reach the bridge, given out by its tracker for its tabs. Default:
    /// that of `peer_bind`, or the machine's own that the filter would allow. Behind address
    /// translation the outer one must be named here.
    pub public_address: Vec<IpAddr>,
    /// The certificate chain, PEM. With `tls_key`: the bridge speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Every limit.
    pub limits: Limits,
}

/// Where peers dial in if nothing else is said.
pub const DEFAULT_PEER_PORT: u16 = 6881;

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            peer_port: None,
            peer_bind: Ipv6Addr::UNSPECIFIED.into(),
            public_url: None,
            origin: Vec::new(),
            token_file: None,
            allow: Vec::new(),
            trusted_proxies: Vec::new(),
            no_dht: false,
            dht_bootstrap: Vec::new(),
            name_server: Vec::new(),
            no_tracker: false,
            public_address: Vec::new(),
            tls_cert: None,
            tls_key: None,
            limits: Limits::default(),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// A token file that would let nobody in.
    #[error("{0} holds no token; put one on a line, or leave token-file out to let everybody in")]
    NoTokens(PathBuf),
    /// The file is no TOML, or has keys that do not exist.
    #[error("{path}: {error}\n`aqueduct-bridge --print-config` shows every key")]
    Syntax {
        /// Which.
        path: PathBuf,
        /// FairQueue, column and what is wrong.
        error: Box<toml::de::Error>,
    },
    /// An origin that browsers never send.
    #[error(
        "`{0}` is no origin; write scheme, host and port alone, like https://aqueduct.example:8443"
    )]
    Origin(String),
    /// An origin with the port that its scheme means anyway, which browsers leave out: no page
    /// would ever match it.
    #[error(
        "`{given}` is not how browsers write this origin: they leave out the port that the scheme means; write {written}"
    )]
    DefaultPort {
        /// As it was given.
        given: String,
        /// As browsers send it.
        written: String,
    },
    /// Where no peer reaches the bridge, and why.
    #[error(
        "public-address {0} cannot be given to peers: {1}; name the address that is seen from outside, or open its range with allow if all peers are inside"
    )]
    PublicAddress(IpAddr, Cow<'static, str>),
    /// A certificate without a key, or a key without a certificate.
    #[error("tls-cert and tls-key must be given together")]
    HalfTls,
    /// What cannot be agreed with any tab.
    #[error("{key} is {received}; it must be from {least} to {most}")]
    Bounds {
        /// Which key.
        key: &'static str,
        /// What stands there.
        received: u64,
        /// Lower bound.
        least: u64,
        /// Upper bound.
        most: u64,
    },
}

impl Config {
    /// Reads a TOML file; what it does not name keeps its default.
    ///
    /// # Errors
    /// It cannot be read, or says something that makes no sense.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            error,
        })?;
        toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            error: Box::new(error),
        })
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.origin
            .iter()
            .chain(&self.public_url)
            .try_for_each(|origin| check_origin(origin))?;
        self.check_public_addresses()?;
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(ConfigError::HalfTls);
        }
        let limits = &self.limits;
        let (stream, session) = (limits.stream_window.into(), limits.session_window.into());
        let millis = |span: Seconds| u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX);
        let bounds = [
            ("stream-window", stream, 16 * 1024, session),
            ("session-window", session, 16 * 1024, 64 * 1024 * 1024),
            (
                "peers-per-session",
                limits.peers_per_session.into(),
                1,
                1000,
            ),
            (
                "incoming-half-open",
                limits.incoming_half_open as u64,
                0,
                65_535,
            ),
            (
                "tracker-interval",
                limits.tracker_interval.0.as_secs(),
                1,
                86_400,
            ),
            ("announces", limits.announces as u64, 1, 65_535),
            (
                "announces-per-session",
                limits.announces_per_session as u64,
                1,
                65_535,
            ),
            (
                "handshake-timeout in milliseconds",
                millis(limits.handshake_timeout),
                10,
                86_400_000,
            ),
            (
                "upgrade-timeout in milliseconds",
                millis(limits.upgrade_timeout),
                10,
                86_400_000,
            ),
            // A session of which nothing is read would be of no use.
            (
                "frames-per-session",
                limits.frames_per_session.into(),
                1,
                1_000_000,
            ),
            (
                "message-timeout in milliseconds",
                millis(limits.message_timeout),
                10,
                86_400_000,
            ),
            (
                "hello-timeout in milliseconds",
                millis(limits.hello_timeout),
                10,
                86_400_000,
            ),
            // Without a pause between pings there would be nothing else.
            (
                "ping-interval in milliseconds",
                millis(limits.ping_interval),
                10,
                86_400_000,
            ),
            (
                "silence in milliseconds",
                millis(limits.silence),
                millis(limits.ping_interval),
                86_400_000,
            ),
        ];
        let outside = bounds
            .into_iter()
            .find(|(_, received, least, most)| !(least..=most).contains(&received));
        outside.map_or(Ok(()), |(key, received, least, most)| {
            Err(ConfigError::Bounds {
                key,
                received,
                least,
                most,
            })
        })
    }

    /// An address that nobody outside reaches would be given out by the bridge's tracker all the
    /// same.
    fn check_public_addresses(&self) -> Result<(), ConfigError> {
        let filter = Filter::new(self.allow.clone());
        let refused = self.public_address.iter().find_map(|ip| {
            filter
                .allowed(SocketAddr::new(*ip, DEFAULT_PEER_PORT))
                .err()
        });
        refused.map_or(Ok(()), |refusal| {
            Err(ConfigError::PublicAddress(refusal.addr.ip(), refusal.why))
        })
    }

    /// The whole configuration as a TOML file with comments.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = String::from(
            "# Every setting of aqueduct-bridge. What is commented out is not set.\n\n",
        );
        let mut put = |doc: &str, key: &str, value: Option<String>| {
            let line =
                value.map_or_else(|| format!("# {key} ="), |value| format!("{key} = {value}"));
            let _ = writeln!(out, "# {doc}\n{line}\n");
        };
        put(
            "Where the page and the tunnel are served.",
            "listen",
            Some(quote(self.listen)),
        );
        put(
            "Where peers dial in, told to trackers; 0: any free port; not set: 6881, or any free one if that is taken.",
            "peer-port",
            self.peer_port.map(|port| port.to_string()),
        );
        put(
            "Address on which the peer port listens; :: is all of both families.",
            "peer-bind",
            Some(quote(self.peer_bind)),
        );
        put(
            "The page's origin as browsers see it, like \"https://aqueduct.example\".",
            "public-url",
            self.public_url.as_ref().map(quote),
        );
        put(
            "Further origins whose pages may use the bridge.",
            "origin",
            Some(list(&self.origin)),
        );
        put(
            "A file of tokens, one a line; clients must show one.",
            "token-file",
            self.token_file.as_deref().map(|path| quote(path.display())),
        );
        put(
            "Address ranges dialled although the filter would refuse them, like \"10.0.0.0/8\".",
            "allow",
            Some(list(&self.allow)),
        );
        put(
            "Proxies whose X-Forwarded-For is believed.",
            "trusted-proxies",
            Some(list(&self.trusted_proxies)),
        );
        put(
            "The DHT is not asked.",
            "no-dht",
            Some(self.no_dht.to_string()),
        );
        put(
            "Nodes of the DHT that are asked first, HOST:PORT; none: the well-known public ones.",
            "dht-bootstrap",
            Some(list(&self.dht_bootstrap)),
        );
        put(
            "Name servers for the names of trackers, ADDRESS:PORT; none: those of /etc/resolv.conf.",
            "name-server",
            Some(list(&self.name_server)),
        );
        put(
            "No tracker of the bridge's own, at /announce and over UDP.",
            "no-tracker",
            Some(self.no_tracker.to_string()),
        );
        put(
            "Where peers reach the bridge, if not at the machine's own addresses.",
            "public-address",
            Some(list(&self.public_address)),
        );
        put(
            "The certificate chain, PEM.",
            "tls-cert",
            self.tls_cert.as_deref().map(|path| quote(path.display())),
        );
        put(
            "The certificate's private key, PEM.",
            "tls-key",
            self.tls_key.as_deref().map(|path| quote(path.display())),
        );
        out.push_str("[limits]\n");
        for (key, docs, value) in self.limits.describe() {
            docs.iter()
                .for_each(|doc| out.push_str(&format!("#{doc}\n")));
            let _ = writeln!(out, "{key} = {value}\n");
        }
        out
    }
}

/// A TOML string.
fn quote(value: impl ToString) -> String {
    toml::Value::String(value.to_string()).to_string()
}

fn list(values: &[impl ToString]) -> String {
    format!(
        "[{}]",
        values
            .iter()
            .map(ToString::to_string)
            .map(quote)
            .collect::<Vec<_>>()
            .join(", ")
    )
}

/// Scheme, host and perhaps port, as browsers write an origin (RFC 6454): lower case, no slash at
/// the end, no port that the scheme means anyway.
fn check_origin(text: &str) -> Result<(), ConfigError> {
    let (https, http) = (text.strip_prefix("https://"), text.strip_prefix("http://"));
    let rest = https
        .or(http)
        .filter(|rest| is_authority(rest))
        .ok_or_else(|| ConfigError::Origin(text.to_owned()))?;
    match rest.strip_suffix(if https.is_some() { ":443" } else { ":80" }) {
        None => Ok(()),
        Some(_) => {
            let written = text
                .rsplit_once(':')
                .map_or(text, |(written, _)| written)
                .to_owned();
            Err(ConfigError::DefaultPort {
                given: text.to_owned(),
                written,
            })
        }
    }
}

/// A host, and perhaps a port. Browsers send names outside ASCII in their ASCII form.
fn is_authority(text: &str) -> bool {
    let host = match text
        .rsplit_once(':')
        .filter(|(_, port)| !port.ends_with(']'))
    {
        None => text,
        Some((host, port))
            if port
                .parse::<u16>()
                .is_ok_and(|number| number.to_string() == port) =>
        {
            host
        }
        Some(_) => return false,
    };
    let lower = |b: u8| b.is_ascii_graphic() && !b.is_ascii_uppercase() && !b"/?#@\\".contains(&b);
    !host.is_empty() && host.bytes().all(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let config = Config {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            origin: vec!["https://a.example".to_owned()],
            dht_bootstrap: vec!["[::1]:6881".parse().unwrap()],
            name_server: vec!["[::1]:53".parse().unwrap()],
            token_file: Some("a\u{301}\u{7f} \"quoted\" \\".into()),
            ..Config::default()
        };
        let read: Config = toml::from_str(&config.print()).unwrap();
        assert_eq!(read, config);
    }

    #[test]
    fn unknown_keys_are_errors_that_name_them() {
        let error = toml::from_str::<Config>("[limits]\nsessions-per-adress = 3")
            .unwrap_err()
            .to_string();
        assert!(error.contains("sessions-per-adress"), "{error}");
        assert!(toml::from_str::<Config>("allow = [\"10.0.0.1/8\"]").is_err());
    }

    #[test]
    fn only_origins_as_browsers_send_them_are_taken() {
        for good in [
            "https://a.example",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://[::1]",
            "http://a.example:443",
            "https://a.example:80",
        ] {
            assert!(check_origin(good).is_ok(), "{good}");
        }
        for bad in [
            "a.example",
            "https://a.example/",
            "https://A.example",
            "https://",
            "ftp://a.example",
            "*",
            "https://:1",
            "https://a:0443",
            "https://ä.example",
        ] {
            assert!(
                matches!(check_origin(bad), Err(ConfigError::Origin(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_origin_with_the_port_that_its_scheme_means_is_refused_with_what_to_write() {
        for (given, written) in [
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("https://[2000::1]:443", "https://[2000::1]"),
        ] {
            let error = Config {
                public_url: Some(given.to_owned()),
                ..Config::default()
            }
            .check()
            .unwrap_err()
            .to_string();
            assert!(
                error.contains(given) && error.ends_with(&format!("write {written}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_public_address_that_no_peer_reaches_is_refused_unless_its_range_is_opened() {
        let config = |ip: &str, allow: &[&str]| Config {
            public_address: vec![ip.parse().unwrap()],
            allow: allow.iter().map(|range| range.parse().unwrap()).collect(),
            ..Config::default()
        };
        for bad in [
            "10.0.0.1",
            "192.168.1.2",
            "127.0.0.1",
            "0.0.0.0",
            "::",
            "fe80::1",
            "fd00::1",
            "224.0.0.1",
        ] {
            let error = config(bad, &[]).check().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("public-address {bad} cannot"))
                    && error.contains("allow"),
                "{error}"
            );
        }
        assert!(config("9.9.9.9", &[]).check().is_ok() && config("2600::1", &[]).check().is_ok());
        assert!(config("10.0.0.1", &["10.0.0.0/8"]).check().is_ok());
    }

    #[test]
    fn limits_that_no_tab_can_agree_to_are_refused() {
        let limits = Limits {
            stream_window: 1,
            ..Limits::default()
        };
        let error = Config {
            limits,
            ..Config::default()
        }
        .check()
        .unwrap_err()
        .to_string();
        assert_eq!(
            error,
            "stream-window is 1; it must be from 16384 to 2097152"
        );
    }

    #[test]
    fn numbers_with_which_the_bridge_could_not_run_are_refused() {
        let check = |limits: &str| {
            let config = toml::from_str::<Config>(&format!("[limits]\n{limits}\n"))
                .map_err(|error| error.to_string());
            config
                .and_then(|config| config.check().map_err(|error| error.to_string()))
                .unwrap_err()
        };
        assert_eq!(
            check("incoming-half-open = 9223372036854775807"),
            "incoming-half-open is 9223372036854775807; it must be from 0 to 65535"
        );
        assert_eq!(
            check("ping-interval = 0"),
            "ping-interval in milliseconds is 0; it must be from 10 to 86400000"
        );
        assert_eq!(
            check("upgrade-timeout = 0"),
            "upgrade-timeout in milliseconds is 0; it must be from 10 to 86400000"
        );
        assert_eq!(
            check("silence = 29"),
            "silence in milliseconds is 29000; it must be from 30000 to 86400000"
        );
        for bad in ["target-rest = 1e18", "drain = -1", "silence = nan"] {
            assert!(
                check(bad).contains("is no number of seconds from 0 to 31536000"),
                "{}",
                check(bad)
            );
        }
        assert!(check("sessions = -1").contains("sessions = -1"));
    }
}
