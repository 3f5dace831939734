//! What makes a configuration unusable.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::error::ConfigError;
use crate::config::settings::{Config, DEFAULT_PEER_PORT};
use crate::limits::policy::Filter;
use crate::limits::{Limits, Seconds};

const DAY_IN_MILLIS: u64 = 86_400_000;

impl Config {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.origin
            .iter()
            .chain(&self.public_url)
            .try_for_each(|origin| check_origin(origin))?;
        self.check_public_addresses()?;
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(ConfigError::HalfTls);
        }
        self.limits.check()
    }

    /// Checks addresses that the bridge's tracker would return to clients even if no outside peer
    /// can reach them.
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
}

/// The values that a limit may have.
struct Bound {
    key: &'static str,
    received: u64,
    least: u64,
    most: u64,
    unit: Unit,
}

/// What a [`Bound`] counts.
#[derive(Clone, Copy)]
enum Unit {
    One,
    /// Written in the file in seconds.
    Milliseconds,
}

impl Unit {
    /// A value as it is written in the file.
    fn written(self, value: u64) -> String {
        match self {
            Self::One => value.to_string(),
            Self::Milliseconds => Duration::from_millis(value).as_secs_f64().to_string(),
        }
    }
}

impl Bound {
    /// A number.
    const fn count(key: &'static str, received: u64, least: u64, most: u64) -> Self {
        Self {
            key,
            received,
            least,
            most,
            unit: Unit::One,
        }
    }

    /// A time from `least` milliseconds to one day.
    fn time(key: &'static str, received: Seconds, least: u64) -> Self {
        Self {
            key,
            received: millis(received),
            least,
            most: DAY_IN_MILLIS,
            unit: Unit::Milliseconds,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        if (self.least..=self.most).contains(&self.received) {
            return Ok(());
        }
        Err(ConfigError::Bounds {
            key: self.key,
            received: self.unit.written(self.received),
            least: self.unit.written(self.least),
            most: self.unit.written(self.most),
        })
    }
}

fn millis(span: Seconds) -> u64 {
    u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX)
}

impl Limits {
    /// Checks that each number is one with which the bridge can run.
    fn check(&self) -> Result<(), ConfigError> {
        self.bounds().iter().try_for_each(Bound::check)
    }

    fn bounds(&self) -> [Bound; 19] {
        let (stream, session) = (self.stream_window.into(), self.session_window.into());
        let count = |key, value: usize, least| Bound::count(key, value as u64, least, 65_535);
        let time = |key, span| Bound::time(key, span, 10);
        [
            Bound::count("stream-window", stream, 16 * 1024, session),
            Bound::count("session-window", session, 16 * 1024, 64 * 1024 * 1024),
            Bound::count("peers-per-session", self.peers_per_session.into(), 1, 1000),
            Bound::count(
                "player-reads-per-session",
                self.player_reads_per_session.into(),
                1,
                1000,
            ),
            count("player-reads", self.player_reads, 1),
            count("incoming-half-open", self.incoming_half_open, 0),
            Bound::time("tracker-interval", self.tracker_interval, 1000),
            count("announces", self.announces, 1),
            count("announces-per-session", self.announces_per_session, 1),
            count("utp-connections", self.utp_connections, 1),
            time("handshake-timeout", self.handshake_timeout),
            time(
                "encrypted-handshake-timeout",
                self.encrypted_handshake_timeout,
            ),
            time("failed-dials-told-after", self.failed_dials_told_after),
            time("upgrade-timeout", self.upgrade_timeout),
            // A session from which nothing is read could do nothing.
            Bound::count(
                "frames-per-session",
                self.frames_per_session.into(),
                1,
                1_000_000,
            ),
            time("message-timeout", self.message_timeout),
            time("hello-timeout", self.hello_timeout),
            // Without a pause between pings, a session would do nothing but send them.
            time("ping-interval", self.ping_interval),
            Bound::time("silence", self.silence, millis(self.ping_interval)),
        ]
    }
}

/// Checks that an origin is written as browsers do (RFC 6454): scheme, host and optional port;
/// lower case, no trailing slash, no default port.
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

/// Whether this is a host with an optional port. Browsers send non-ASCII names in their ASCII form.
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
            "ping-interval is 0; it must be from 0.01 to 86400"
        );
        assert_eq!(
            check("upgrade-timeout = 0"),
            "upgrade-timeout is 0; it must be from 0.01 to 86400"
        );
        assert_eq!(
            check("silence = 29"),
            "silence is 29; it must be from 30 to 86400"
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
