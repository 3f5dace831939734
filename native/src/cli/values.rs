//! Parsers of values on the command line: sizes, rates, durations, addresses. Each error completes
//! a sentence that clap starts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use aqueduct_core::discovery::url::{Scheme, Url, UrlError};
use aqueduct_native::net::{Bind, Device, DeviceNameError};

/// The text of `--proxy`, which may contain a password: `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct ProxyText(pub(crate) String);

impl From<&str> for ProxyText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for ProxyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyText")
    }
}

/// Bytes: a number followed by `K`, `M`, `G` or `T`, which are powers of 1,024, and optionally by
/// `B` or `iB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "write a number of bytes like 65536, 500K, 2M or 1.5G".to_owned();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let shift = match unit
        .to_ascii_uppercase()
        .trim_end_matches('B')
        .trim_end_matches('I')
    {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong()),
    };
    scaled(number, shift).ok_or_else(wrong)
}

/// `number` times 2^`shift`, in integers: a fraction of at most nine digits is kept.
fn scaled(number: &str, shift: u32) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let scale = 10u64.checked_pow(
        u32::try_from(fraction.len())
            .ok()
            .filter(|&digits| digits <= 9)?,
    )?;
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = fraction.parse().ok()?;
    whole
        .checked_mul(1 << shift)?
        .checked_add(fraction.checked_mul(1 << shift)? / scale)
}

/// Bytes per second, at least 1.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    let bare = text.strip_suffix("/s").unwrap_or(text);
    size(bare)?
        .checked_sub(1)
        .map(|rest| rest + 1)
        .ok_or_else(|| {
            "a rate of 0 would never end; leave the limit out or use 1K and more".to_owned()
        })
}

/// A duration: seconds, or a number followed by `s`, `m`, `h` or `d`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "write a time like 30, 30s, 5m, 2h or 1d".to_owned();
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => {
            (text.get(..at).unwrap_or_default(), unit)
        }
        _ => (text, 's'),
    };
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// A duration that is not zero.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match span(text)? {
        Duration::ZERO => {
            Err("0 would give up at once; leave it out or use 1s and more".to_owned())
        }
        span => Ok(span),
    }
}

/// Bytes sent per byte of the torrent, 0 or more.
pub(crate) fn ratio(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|ratio: &f64| ratio.is_finite() && *ratio >= 0.0)
        .ok_or_else(|| "write a ratio like 1 or 1.5".to_owned())
}

/// A host, which may be a name, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// `HOST:PORT`; an IPv6 address must be in brackets.
pub(crate) fn host_port(text: &str) -> Result<HostPort, String> {
    let wrong = || "write HOST:PORT, for instance 192.0.2.7:6881 or [2001:db8::7]:6881".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port
        .parse()
        .ok()
        .filter(|&port| port > 0)
        .ok_or_else(wrong)?;
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || (host.contains(':') && !is_bracketed) {
        return Err(wrong());
    }
    Ok(HostPort {
        host: host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned(),
        port,
    })
}

/// An address or the name of an interface.
pub(crate) fn bind(text: &str) -> Result<Bind, String> {
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Ok(addr.into());
    }
    let looks_like_address = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".:[]".contains(&byte));
    if looks_like_address {
        return Err("write an address without a port, for instance 192.0.2.7 or 2001:db8::7, or the name of an interface".to_owned());
    }
    let device: Device = text
        .parse()
        .map_err(|error: DeviceNameError| error.to_string())?;
    Ok(device.into())
}

/// The address of a gateway: of one machine.
pub(crate) fn gateway(text: &str) -> Result<IpAddr, String> {
    let addr: IpAddr = text
        .parse()
        .map_err(|_| "write an address without a port, for instance 192.168.1.1".to_owned())?;
    let is_broadcast = addr == IpAddr::V4(Ipv4Addr::BROADCAST);
    if addr.is_unspecified() || addr.is_multicast() || is_broadcast {
        return Err("this is not the address of one machine; write the router's own".to_owned());
    }
    Ok(addr)
}

/// A tracker's URL.
pub(crate) fn url(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A web seed's URL (BEP 19).
pub(crate) fn web_seed(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if url.scheme != Scheme::Udp => Ok(text.to_owned()),
        Ok(_) | Err(UrlError::Scheme) => Err("only http and https are understood".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_fractions() {
        assert_eq!(size("65536"), Ok(65_536));
        assert_eq!(size("500K"), Ok(512_000));
        assert_eq!(size("1.5MiB"), Ok(3 << 19));
        assert_eq!(size("2g"), Ok(2 << 30));
        for bad in [
            "",
            "K",
            "1X",
            "1.",
            ".5.5M",
            "-1",
            "1 K",
            "99999999999T",
            "1.0000000001K",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_is_never_zero() {
        assert_eq!(rate("2M/s"), Ok(2 << 20));
        assert!(rate("0").unwrap_err().contains("never end"));
    }

    #[test]
    fn spans_have_units() {
        assert_eq!(span("90"), Ok(Duration::from_secs(90)));
        assert_eq!(span("2h"), Ok(Duration::from_secs(7200)));
        for bad in ["", "h", "1w", "1.5h", "-3", "99999999999999999999d", "1é"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_timeout_is_not_zero() {
        assert_eq!(timeout("1"), Ok(Duration::from_secs(1)));
        assert!(timeout("0s").unwrap_err().contains("at once"));
    }

    #[test]
    fn hosts_have_ports() {
        assert_eq!(
            host_port("[::1]:80"),
            Ok(HostPort {
                host: "::1".into(),
                port: 80
            })
        );
        assert_eq!(host_port("seed.example:6881").unwrap().host, "seed.example");
        for bad in ["seed.example", "::1:80", ":80", "a:0", "a:65536", ""] {
            assert!(host_port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_or_an_interface_is_bound() {
        assert_eq!(
            bind("::1"),
            Ok(Bind::from(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16])))
        );
        assert_eq!(
            bind("tun0"),
            Ok(Bind::from("tun0".parse::<Device>().unwrap()))
        );
        for bad in [
            "",
            "300.1.1.1",
            "10.0.0",
            "1.2.3.4:80",
            "[::1]",
            "a b",
            "a/b",
        ] {
            assert!(bind(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_gateway_is_one_machine() {
        assert_eq!(gateway("192.168.1.1"), Ok([192, 168, 1, 1].into()));
        assert!(gateway("fe80::1").is_ok());
        for bad in [
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "0.0.0.0",
            "::",
            "192.168.1.1:80",
            "router",
        ] {
            assert!(gateway(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn web_seeds_are_reached_over_http() {
        assert!(web_seed("https://seed.example/f").is_ok() && url("udp://t.example:80").is_ok());
        for bad in ["udp://seed.example:80/f", "ftp://seed.example/f", "seed"] {
            assert_eq!(
                web_seed(bad),
                Err("only http and https are understood".to_owned()),
                "{bad}"
            );
        }
    }

    #[test]
    fn ratios_are_finite() {
        assert_eq!(ratio("1.5"), Ok(1.5));
        assert!(ratio("inf").is_err() && ratio("-1").is_err() && ratio("x").is_err());
    }
}
