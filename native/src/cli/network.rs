//! `--bind`, `--proxy` and `--blocklist`: how the network is reached, and whom it must not reach.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_core::discovery::url::Host;
use aqueduct_core::net::Blocklist;
use aqueduct_core::net::blocklist::Summary;
use aqueduct_core::socks::{Credentials, Text};
use aqueduct_core::types::visible;
use aqueduct_native::net::{Bind, Outbound, Proxy, read_blocklist};
use percent_encoding::percent_decode_str;

use super::flags::NetworkFlags;
use super::values::ProxyText;
use crate::ui::Screen;
use crate::ui::failure::{Class, Failure};

/// The environment variable with the proxy's password.
const PASSWORD: &str = "AQUEDUCT_PROXY_PASSWORD";
/// The port of proxies (RFC 1928).
const DEFAULT_PORT: u16 = 1080;
/// The longest file with a password that is read, in bytes.
const MAX_PASSWORD_FILE: u64 = 4096;

/// How long a blocklist is read before something is said about it, and between two such lines.
const PATIENCE: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_secs(5);

/// What the flags say of the network.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) outbound: Outbound,
    pub(crate) blocklist: Arc<Blocklist>,
    summary: Option<Summary>,
}

impl Network {
    /// Reads the blocklist, and the proxy's password. `note` shows what takes long.
    ///
    /// # Errors
    /// A value or a file is invalid. No message contains the password.
    pub(crate) fn new(flags: &NetworkFlags, note: impl Fn(&str)) -> Result<Self, Failure> {
        let bind = flags.bind.unwrap_or_default();
        let outbound = match &flags.proxy {
            None => Outbound::direct(bind),
            Some(ProxyText(text)) => {
                let password = flags.proxy_password_file.as_deref();
                Outbound::through(proxy(text, password, bind)?)
            }
        };
        let (blocklist, summary) = match &flags.blocklist {
            None => (Blocklist::default(), None),
            Some(path) => {
                let (list, summary) = blocklist(path, note)?;
                (list, Some(summary))
            }
        };
        Ok(Self {
            outbound,
            blocklist: Arc::new(blocklist),
            summary,
        })
    }

    /// Tells what the blocklist contains, if there is one.
    pub(crate) fn report(&self, screen: &Screen) {
        if let Some(summary) = &self.summary {
            screen.blocklist(self.blocklist.len(), summary);
        }
    }
}

fn blocklist(path: &Path, note: impl Fn(&str)) -> Result<(Blocklist, Summary), Failure> {
    let mut reading = Reading::begin(Instant::now());
    let progress = |lines| {
        if let Some(progress) = reading.progress(lines, Instant::now()) {
            note(&progress);
        }
    };
    read_blocklist(path, progress).map_err(|error| {
        let path = path.to_string_lossy();
        let message = format!(
            "--blocklist {}: {error}; give a list in P2P, DAT or CIDR form, or leave the option out",
            visible(&path)
        );
        Failure::new(Class::Usage, message)
    })
}

/// The reading of a list, about which something is said only if it takes long.
#[derive(Debug)]
struct Reading {
    due: Instant,
}

impl Reading {
    fn begin(now: Instant) -> Self {
        Self {
            due: now + PATIENCE,
        }
    }

    /// What is to be said after this number of lines.
    fn progress(&mut self, lines: u64, now: Instant) -> Option<String> {
        if now < self.due {
            return None;
        }
        self.due = now + INTERVAL;
        Some(format!("reading the blocklist: {lines} lines so far"))
    }
}

fn usage(problem: impl fmt::Display) -> Failure {
    Failure::new(Class::Usage, format!("--proxy: {problem}"))
}

/// Parses `socks5://[USER[:PASSWORD]@]HOST[:PORT]`. Names are resolved by the proxy, which other
/// programs call `socks5h`.
fn proxy(text: &str, password_file: Option<&Path>, bind: Bind) -> Result<Proxy, Failure> {
    let form = "write socks5://HOST:PORT or socks5://USER@HOST:PORT";
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    match scheme.to_ascii_lowercase().as_str() {
        "socks5" | "socks5h" => {}
        "" => return Err(usage(form)),
        _ => return Err(usage(format!("only SOCKS5 proxies are used; {form}"))),
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (user_info, host_port) = match rest.rsplit_once('@') {
        Some((user_info, host_port)) => (Some(user_info), host_port),
        None => (None, rest),
    };
    let (host, port) = host_and_port(host_port)
        .ok_or_else(|| usage(format!("the host or the port is wrong; {form}")))?;
    let credentials = match user_info {
        Some(user_info) => Some(credentials(user_info, password_file)?),
        None if password_file.is_some() => {
            return Err(usage(
                "a password needs a user name; write socks5://USER@HOST:PORT",
            ));
        }
        None => None,
    };
    Ok(Proxy::new(host, port, credentials, bind))
}

fn host_and_port(text: &str) -> Option<(Host, u16)> {
    if let Ok(host) = Host::parse(text) {
        return Some((host, DEFAULT_PORT));
    }
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    Some((Host::parse(host).ok()?, port))
}

/// The user name, and the password from the URL, the file or the environment.
fn credentials(user_info: &str, file: Option<&Path>) -> Result<Credentials, Failure> {
    let (user, typed) = match user_info.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (user_info, None),
    };
    let password = match (typed, file) {
        (Some(_), Some(_)) => {
            return Err(usage("the password is given twice; leave it out of the URL"));
        }
        (Some(typed), None) => decode(typed, "password")?,
        (None, Some(file)) => read_password(file)?,
        (None, None) => env::var(PASSWORD).map_err(|_| {
            usage(format!(
                "the user has no password; give it with --proxy-password-file or in the environment variable {PASSWORD}"
            ))
        })?,
    };
    let text = |what: &str, text: &str| {
        Text::new(text).map_err(|error| usage(format!("the {what} cannot be used: {error}")))
    };
    let user = text("user name", &decode(user, "user name")?)?;
    Ok(Credentials::new(user, text("password", &password)?))
}

fn decode(text: &str, what: &str) -> Result<String, Failure> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded =
        decoded.map_err(|_| usage(format!("the {what} is not UTF-8 after percent-decoding")))?;
    Ok(decoded.into_owned())
}

/// The first line of a file.
fn read_password(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(MAX_PASSWORD_FILE).read_to_string(&mut text));
    read.map_err(|error| {
        let path = path.to_string_lossy();
        let message = format!(
            "--proxy-password-file {}: {error}; give a file whose first line is the password",
            visible(&path)
        );
        Failure::new(Class::Usage, message)
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocklist_that_takes_long_is_told_about_after_two_seconds_and_then_now_and_then() {
        let start = Instant::now();
        let mut reading = Reading::begin(start);
        let mut after = |seconds| reading.progress(seconds, start + Duration::from_secs(seconds));
        let told: Vec<u64> = (0..=12)
            .filter(|seconds| after(*seconds).is_some())
            .collect();
        assert_eq!(told, [2, 7, 12]);
        assert_eq!(
            Reading::begin(start).progress(5, start + PATIENCE).unwrap(),
            "reading the blocklist: 5 lines so far"
        );
    }

    fn why(text: &str) -> String {
        let failure = proxy(text, None, Bind::default()).unwrap_err();
        assert_eq!(failure.class, Class::Usage);
        failure.message
    }

    #[test]
    fn a_proxy_is_named_by_a_url_of_socks5() {
        for text in [
            "socks5://127.0.0.1:9050",
            "SOCKS5h://proxy.example",
            "socks5://[2001:db8::1]:1080/",
            "socks5://[2001:db8::1]",
            "socks5://me:p%40ss%3aword@proxy.example:1080",
        ] {
            proxy(text, None, Bind::default()).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_with_a_proxy_is_said_without_its_password() {
        let long = format!("socks5://me:secret{}@host:1", "x".repeat(255));
        for text in [
            "me:secret@host:1",
            "http://me:secret@host:1",
            "socks5://me:secret@host:0",
            "socks5://me:secret@host:x",
            "socks5://me:secret@",
            "socks5://me:secret@0x7f.1:1",
            "socks5://:secret@host:1",
            "socks5://me:secret%ff@host:1",
            &long,
        ] {
            let why = why(text);
            assert!(!why.contains("secret"), "{why}");
        }
        assert!(why("http://host:1").contains("only SOCKS5"));
        assert!(why("host:1").contains("socks5://HOST:PORT"));
    }

    #[test]
    fn a_password_comes_from_the_first_line_of_a_file_and_only_from_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "secret\nmore\n").unwrap();
        assert_eq!(read_password(&path).unwrap(), "secret");
        let with_file = |text: &str| proxy(text, Some(&path), Bind::default());
        with_file("socks5://me@host:1").unwrap();
        let twice = with_file("socks5://me:other@host:1").unwrap_err();
        assert!(twice.message.contains("twice"), "{twice}");
        assert!(with_file("socks5://host:1").is_err());
        let missing = proxy(
            "socks5://me@host",
            Some(&folder.path().join("x")),
            Bind::default(),
        );
        assert!(
            missing
                .unwrap_err()
                .message
                .contains("--proxy-password-file")
        );
    }
}
