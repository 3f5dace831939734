//! The URLs that Aqueduct requests: http, https and udp. Parsing is strict, so that no other parser
//! can interpret the text as a different host.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use data_encoding::BASE64;
use percent_encoding::percent_decode_str;

/// The maximum length of a URL in bytes.
pub const MAX_URL: usize = 4096;

/// The protocol of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
    /// The UDP tracker protocol (BEP 15).
    Udp,
}

/// The host of a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A name to resolve: ASCII, lower case, without a final dot.
    Name(String),
    /// An address, written as a dotted quad or a bracketed IPv6 address.
    Addr(IpAddr),
}

/// A URL without fragment. Its `Display` form omits user and password.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// The scheme.
    pub scheme: Scheme,
    /// `user` or `user:password`, still percent-encoded; never for udp.
    user_info: Option<String>,
    /// The host.
    pub host: Host,
    /// The port. Default: 80 or 443; required for udp.
    pub port: u16,
    /// Path and query. It begins with `/`, consists of printable ASCII, and has no fragment.
    pub path_and_query: String,
}

/// Why a text is not a usable URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Longer than [`MAX_URL`].
    #[error("{0} bytes long, {MAX_URL} are read")]
    TooLong(usize),
    /// It contains spaces, control characters, or non-ASCII letters (names must be given as
    /// `xn--`).
    #[error("a character that must be percent-encoded (or, in a host name, written as xn--)")]
    Character,
    /// The scheme is not http, https or udp.
    #[error("only http, https and udp are understood")]
    Scheme,
    /// `user:password@` in a udp URL, or with characters that parsers interpret differently.
    #[error("a user name or password must be percent-encoded, and is for http and https alone")]
    Credentials,
    /// The host is not a name, a dotted quad or a bracketed IPv6 address.
    #[error("the host is neither a name, four numbers with dots, nor an IPv6 address in brackets")]
    Host,
    /// The port is not 1 to 65535, or missing in a udp URL.
    #[error("the port is missing or not a number from 1 to 65535")]
    Port,
}

impl Url {
    /// Parses an absolute URL.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > MAX_URL {
            return Err(UrlError::TooLong(text.len()));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = Scheme::parse(scheme)?;
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user_info, place) = split_user_info(authority, scheme)?;
        let (host, port) = split_place(place);
        let host = Host::parse(host)?;
        let port = port.map_or_else(|| scheme.default_port().ok_or(UrlError::Port), parse_port)?;
        let slash = if tail.starts_with('/') { "" } else { "/" };
        Ok(Self {
            scheme,
            user_info,
            host,
            port,
            path_and_query: format!("{slash}{tail}"),
        })
    }

    /// Resolves the reference of a `Location` header: absolute, or relative to this URL (RFC 3986,
    /// 4.2). User and password are kept only for the same scheme, host and port.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn join(&self, reference: &str) -> Result<Self, UrlError> {
        let mut whole = self.resolve(reference)?;
        let same = (whole.scheme, &whole.host, whole.port) == (self.scheme, &self.host, self.port);
        whole.user_info = self.user_info.clone().filter(|_| same);
        Ok(whole)
    }

    fn resolve(&self, reference: &str) -> Result<Self, UrlError> {
        let scheme = self.scheme;
        if reference.split_once("://").is_some_and(|(scheme, _)| {
            scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        }) {
            return Self::parse(reference);
        }
        if reference.starts_with("//") {
            return Self::parse(&format!("{scheme}:{reference}"));
        }
        let origin = format!("{scheme}://{}:{}", self.host, self.port);
        let base = if reference.starts_with('/') {
            ""
        } else if reference.starts_with('?') {
            self.path()
        } else {
            self.folder()
        };
        Self::parse(&format!(
            "{origin}{}",
            without_dots(&format!("{base}{reference}"))
        ))
    }

    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path_and_query
            .split_once('?')
            .map_or(&self.path_and_query, |(path, _)| path)
    }

    /// The query after the first `?`, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.path_and_query.split_once('?').map(|(_, query)| query)
    }

    /// `host` or `host:port`, as in a `Host` header (RFC 9110, 7.2).
    #[must_use]
    pub fn authority(&self) -> String {
        if self.scheme.default_port() == Some(self.port) {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The part before the host: `user:password@`, or empty. Not for display.
    #[must_use]
    pub fn user_prefix(&self) -> String {
        self.user_info
            .as_ref()
            .map(|user_info| format!("{user_info}@"))
            .unwrap_or_default()
    }

    /// The value of an `Authorization` header with user and password (RFC 7617), if there are any.
    #[must_use]
    pub fn authorization(&self) -> Option<String> {
        let user_info = self.user_info.as_ref()?;
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let decode = |text| percent_decode_str(text).collect::<Vec<u8>>();
        Some(format!(
            "Basic {}",
            BASE64.encode(&[&decode(user)[..], b":", &decode(password)].concat())
        ))
    }

    fn folder(&self) -> &str {
        let path = self.path();
        path.rfind('/').map_or("/", |slash| &path[..=slash])
    }
}

/// Removes `.` and `..` from a path (RFC 3986, 5.2.4). The query is not changed.
fn without_dots(path_and_query: &str) -> String {
    let end = path_and_query.find('?').unwrap_or(path_and_query.len());
    let (path, query) = path_and_query.split_at(end);
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
    }
    format!("/{}{query}", kept.join("/"))
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}{}",
            self.scheme,
            self.authority(),
            self.path_and_query
        )
    }
}

impl Scheme {
    fn parse(text: &str) -> Result<Self, UrlError> {
        [Self::Http, Self::Https, Self::Udp]
            .into_iter()
            .find(|s| text.eq_ignore_ascii_case(s.name()))
            .ok_or(UrlError::Scheme)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Udp => "udp",
        }
    }

    const fn default_port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Udp => None,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Host {
    /// Parses a name, a dotted quad or a bracketed IPv6 address. Text that looks like a number but
    /// is not a dotted quad (`0x7f.1`, `2130706433`, `127.1`, `010.0.0.1`) is an error, since
    /// resolvers interpret it differently.
    ///
    /// # Errors
    /// [`UrlError::Host`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(inner) = text.strip_prefix('[') {
            let addr = inner
                .strip_suffix(']')
                .and_then(|inner| inner.parse::<Ipv6Addr>().ok());
            return addr
                .map(|addr| Self::Addr(addr.into()))
                .ok_or(UrlError::Host);
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if looks_numeric(name) {
            return text
                .parse::<Ipv4Addr>()
                .map(|addr| Self::Addr(addr.into()))
                .map_err(|_| UrlError::Host);
        }
        let good = !name.is_empty() && name.len() <= 253 && name.split('.').all(is_label);
        good.then(|| Self::Name(name.to_ascii_lowercase()))
            .ok_or(UrlError::Host)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Addr(IpAddr::V4(addr)) => addr.fmt(f),
            Self::Addr(IpAddr::V6(addr)) => write!(f, "[{addr}]"),
        }
    }
}

/// Whether some resolver would parse the last label as a number (WHATWG URL, "ends in a number").
fn looks_numeric(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last
        .get(..2)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("0x"));
    hex || (!last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether this is a label of RFC 1123. Underscores are permitted, since some trackers' names
/// contain them.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// RFC 3986, 3.2.1: splits at the `@`, of which there may be only one, since parsers disagree on
/// whether the first or the last one counts.
fn split_user_info(authority: &str, scheme: Scheme) -> Result<(Option<String>, &str), UrlError> {
    let Some((user_info, place)) = authority.split_once('@') else {
        return Ok((None, authority));
    };
    let good = scheme != Scheme::Udp
        && !place.contains('@')
        && user_info
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:".contains(&b));
    if good {
        Ok((Some(user_info.to_owned()), place))
    } else {
        Err(UrlError::Credentials)
    }
}

/// Splits host and port.
fn split_place(place: &str) -> (&str, Option<&str>) {
    let host_end = place.find(']').map_or(0, |bracket| bracket + 1);
    let colon = place[host_end..].find(':').map(|at| at + host_end);
    colon.map_or((place, None), |at| (&place[..at], Some(&place[at + 1..])))
}

fn parse_port(text: &str) -> Result<u16, UrlError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = if digits { text.parse().unwrap_or(0) } else { 0 };
    if port == 0 {
        Err(UrlError::Port)
    } else {
        Ok(port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("HTTP://Tracker.Example.org.:6969/announce?x=1#end").unwrap();
        assert_eq!(
            url.to_string(),
            "http://tracker.example.org:6969/announce?x=1"
        );
        assert_eq!((url.path(), url.query()), ("/announce", Some("x=1")));
        assert_eq!(
            Url::parse("https://[::1]/a").unwrap().to_string(),
            "https://[::1]/a"
        );
        assert_eq!(Url::parse("http://127.0.0.1").unwrap().path_and_query, "/");
        assert_eq!(Url::parse("http://a?b").unwrap().path_and_query, "/?b");
    }

    #[test]
    fn what_readers_could_disagree_about_is_refused() {
        for (text, error) in [
            ("ftp://a/", UrlError::Scheme),
            ("//a/", UrlError::Scheme),
            ("udp://a/announce", UrlError::Port),
            ("http://a:0/", UrlError::Port),
            ("http://a:+80/", UrlError::Port),
            ("http://a:65536/", UrlError::Port),
            ("http://a:/", UrlError::Port),
            ("udp://user@a:1/", UrlError::Credentials),
            ("http://user@a@b/", UrlError::Credentials),
            ("http://us|er@a/", UrlError::Credentials),
            ("http://user@/", UrlError::Host),
            ("http://a\\@b/", UrlError::Character),
            ("http://a b/", UrlError::Character),
            ("http://tr\u{e4}cker/", UrlError::Character),
            ("http://0x7f.1/", UrlError::Host),
            ("http://2130706433/", UrlError::Host),
            ("http://127.1/", UrlError::Host),
            ("http://010.0.0.1/", UrlError::Host),
            ("http://127.0.0.1./", UrlError::Host),
            ("http://a.0x/", UrlError::Host),
            ("http:///", UrlError::Host),
            ("http://a..b/", UrlError::Host),
            ("http://::1/", UrlError::Host),
            ("http://[::1/", UrlError::Host),
            ("http://[fe80::1%25eth0]/", UrlError::Host),
            ("http://%31/", UrlError::Host),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
        assert_eq!(
            Url::parse(&format!("http://a/{}", "x".repeat(MAX_URL))),
            Err(UrlError::TooLong(MAX_URL + 9))
        );
    }

    #[test]
    fn user_and_password_are_for_their_own_server_and_for_no_screen() {
        let url = Url::parse("https://me:p%40ss@t.example/announce").unwrap();
        assert_eq!(
            (url.to_string().as_str(), url.user_prefix().as_str()),
            ("https://t.example/announce", "me:p%40ss@")
        );
        assert_eq!(url.authorization().as_deref(), Some("Basic bWU6cEBzcw=="));
        assert_eq!(
            Url::parse("http://me@t/")
                .unwrap()
                .authorization()
                .as_deref(),
            Some("Basic bWU6")
        );
        assert_eq!(Url::parse("http://t/").unwrap().authorization(), None);
        for (reference, kept) in [
            ("/b", true),
            ("https://t.example:443/b", true),
            ("http://t.example/b", false),
            ("https://you:x@other/", false),
        ] {
            assert_eq!(
                url.join(reference).unwrap().authorization().is_some(),
                kept,
                "{reference}"
            );
        }
    }

    #[test]
    fn a_reference_is_read_relative_to_its_url() {
        let base = Url::parse("http://a:81/b/c?d").unwrap();
        for (reference, whole) in [
            ("https://x/y", "https://x/y"),
            ("//x/y", "http://x/y"),
            ("/y?to=http://z/", "http://a:81/y?to=http://z/"),
            ("y", "http://a:81/b/y"),
            ("?y", "http://a:81/b/c?y"),
            ("../y?../z", "http://a:81/y?../z"),
            ("../../../y/./z/..", "http://a:81/y/"),
            ("..", "http://a:81/"),
        ] {
            assert_eq!(
                base.join(reference).unwrap().to_string(),
                whole,
                "{reference}"
            );
        }
        assert_eq!(base.join("file:///etc/passwd"), Err(UrlError::Scheme));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), tail in "[0-9a-fx.:\\[\\]@/?#%]{0,40}") {
            let _ = Url::parse(&text);
            let _ = Url::parse(&format!("http://{tail}"));
        }

        #[test]
        fn what_was_read_prints_as_itself(tail in "[0-9a-z.:\\[\\]/?#%]{0,40}") {
            if let Ok(url) = Url::parse(&format!("http://{tail}")) {
                assert_eq!(Url::parse(&url.to_string()), Ok(url));
            }
        }
    }
}
