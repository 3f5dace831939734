//! Address ranges in the form `10.0.0.0/8` or `fd00::/8`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::option::text_options;

/// All addresses of one family that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    length: u8,
}

/// Why a text is not an address range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not an address.
    #[error("`{0}` is no address range; write it like 10.0.0.0/8 or fd00::/8")]
    Syntax(String),
    /// The prefix is longer than the address.
    #[error("`{text}`: a prefix of {received} bits, where at most {limit} are possible")]
    Length {
        /// As written.
        text: String,
        /// The number of bits of an address of this family.
        limit: u8,
        /// The given number of bits.
        received: u8,
    },
    /// There are nonzero bits after the prefix.
    #[error("`{text}` has bits set after its prefix; did you mean {meant}?")]
    HostBits {
        /// As written.
        text: String,
        /// The range that contains this address.
        meant: Cidr,
    },
}

impl Cidr {
    /// The IPv4 range; `length` is at most 32, and bits after it are zero.
    pub(crate) const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Self {
        Self {
            base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            length,
        }
    }

    /// The IPv6 range of these first four groups; `length` is at most 64, and bits after it are
    /// zero.
    pub(crate) const fn v6(groups: [u16; 4], length: u8) -> Self {
        let [a, b, c, d] = groups;
        Self {
            base: IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)),
            length,
        }
    }

    /// Whether the address is in the range. Families never match each other, not even embedded
    /// ones.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.base.is_ipv4() == ip.is_ipv4() && (bits(ip) ^ bits(self.base)) & self.mask() == 0
    }

    /// The first and the last address.
    #[cfg(test)]
    pub(crate) fn ends(&self) -> (u128, u128) {
        (
            bits(self.base),
            bits(self.base)
                | !self.mask()
                    & if self.base.is_ipv4() {
                        u128::from(u32::MAX)
                    } else {
                        u128::MAX
                    },
        )
    }

    fn mask(&self) -> u128 {
        let width: u8 = if self.base.is_ipv4() { 32 } else { 128 };
        u128::MAX
            .checked_shl(u32::from(width - self.length))
            .unwrap_or(0)
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn masked(range: Cidr) -> Cidr {
    let base = match range.base {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(
            v4.to_bits() & u32::try_from(range.mask() & u128::from(u32::MAX)).unwrap_or(u32::MAX),
        )
        .into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & range.mask()).into(),
    };
    Cidr { base, ..range }
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// Reads `ADDRESS/BITS`, or an address alone.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let syntax = || CidrError::Syntax(text.to_owned());
        let (base, length) = text
            .split_once('/')
            .map_or((text, None), |(base, length)| (base, Some(length)));
        let base: IpAddr = base.parse().map_err(|_| syntax())?;
        let limit = if base.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(limit), |length| length.parse().map_err(|_| syntax()))?;
        if length > limit {
            return Err(CidrError::Length {
                text: text.to_owned(),
                limit,
                received: length,
            });
        }
        let range = Self { base, length };
        if masked(range) == range {
            Ok(range)
        } else {
            Err(CidrError::HostBits {
                text: text.to_owned(),
                meant: masked(range),
            })
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.length)
    }
}

text_options!(Cidr);

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_its_ends_and_not_their_neighbours() {
        let range: Cidr = "172.16.0.0/12".parse().unwrap();
        for (ip, inside) in [
            ("172.15.255.255", false),
            ("172.16.0.0", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
        ] {
            assert_eq!(range.contains(ip.parse().unwrap()), inside, "{ip}");
        }
        assert!(!range.contains("::ffff:172.16.0.1".parse().unwrap()));
        assert!(
            "0.0.0.0/0"
                .parse::<Cidr>()
                .unwrap()
                .contains("255.255.255.255".parse().unwrap())
        );
    }

    #[test]
    fn what_is_no_range_is_refused_with_advice() {
        assert_eq!(
            "10.0.0.1/8".parse::<Cidr>().unwrap_err().to_string(),
            "`10.0.0.1/8` has bits set after its prefix; did you mean 10.0.0.0/8?"
        );
        assert!(matches!(
            "10.0.0.0/33".parse::<Cidr>(),
            Err(CidrError::Length {
                limit: 32,
                received: 33,
                ..
            })
        ));
        for text in [
            "",
            "10/8",
            "127.1",
            "0x7f.0.0.1",
            "localhost",
            "10.0.0.0/",
            "10.0.0.0/x",
            "010.0.0.0/8",
        ] {
            assert!(
                matches!(text.parse::<Cidr>(), Err(CidrError::Syntax(_))),
                "{text}"
            );
        }
        assert_eq!("fd00::/8".parse::<Cidr>().unwrap().to_string(), "fd00::/8");
    }
}
