//! PCP (RFC 6887): datagrams of the opcodes ANNOUNCE and MAP, of at most 1,100 bytes.

use std::net::{IpAddr, Ipv6Addr};

use aqueduct_core::net::as_v6;

use super::exchange::MAX_DATAGRAM;
use super::failure::Failure;
use super::protocol::Transport;

const VERSION: u8 = 2;
const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;
/// The bytes before the data of an opcode.
const HEAD: usize = 24;
const MAP_LENGTH: usize = 36;

/// Random bytes that identify the owner of a mapping: only a request with the same ones changes it.
pub type Nonce = [u8; 12];

/// A mapping to request.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// The same in all requests for one mapping.
    pub nonce: Nonce,
    /// TCP or UDP.
    pub transport: Transport,
    /// Our port.
    pub internal: u16,
    /// The gateway's port that is suggested.
    pub external: u16,
}

/// A mapping that the gateway made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The gateway's port.
    pub external: u16,
    /// The gateway's address on the internet.
    pub address: IpAddr,
    /// Seconds until the mapping lapses; 0: it was removed.
    pub lifetime: u32,
}

/// A question that maps nothing: whether the gateway speaks PCP (RFC 6887, 14.1).
#[must_use]
pub fn announce(ours: IpAddr) -> Vec<u8> {
    head(ANNOUNCE, ours, 0)
}

/// A request for a mapping. `lifetime` 0 removes it (RFC 6887, 11.5).
#[must_use]
pub fn request(ours: IpAddr, map: &Map, lifetime: u32) -> Vec<u8> {
    let mut bytes = head(MAP, ours, lifetime);
    bytes.extend(map.nonce);
    bytes.extend([map.transport.number(), 0, 0, 0]);
    bytes.extend(map.internal.to_be_bytes());
    let external = if lifetime == 0 { 0 } else { map.external };
    bytes.extend(external.to_be_bytes());
    // No suggestion, in the family of the mapping.
    let unspecified = match ours {
        IpAddr::V4(_) => IpAddr::from([0; 4]),
        IpAddr::V6(_) => IpAddr::from([0_u16; 8]),
    };
    bytes.extend(as_v6(unspecified).octets());
    bytes
}

fn head(opcode: u8, ours: IpAddr, lifetime: u32) -> Vec<u8> {
    let mut bytes = vec![VERSION, opcode, 0, 0];
    bytes.extend(lifetime.to_be_bytes());
    bytes.extend(as_v6(ours).octets());
    bytes
}

/// Reads the answer to [`announce`]; `None`: it is none. A gateway that does not know this opcode
/// speaks PCP all the same.
#[must_use]
pub fn read_announced(bytes: &[u8]) -> Option<Result<(), Failure>> {
    match head_of(bytes, ANNOUNCE)? {
        (0 | 4, _) => Some(Ok(())),
        (code, _) => Some(Err(refusal(code))),
    }
}

/// Reads the answer to a request for `map`; `None`: it is none, or about another mapping.
#[must_use]
pub fn read_granted(bytes: &[u8], map: &Map) -> Option<Result<Granted, Failure>> {
    let (code, lifetime) = head_of(bytes, MAP)?;
    let data = bytes.get(HEAD..HEAD + MAP_LENGTH);
    let Some(data) = data else {
        // An error need not repeat the request.
        let failure = match code {
            0 => Failure::Invalid(format!(
                "{} bytes, expected {}",
                bytes.len(),
                HEAD + MAP_LENGTH
            )),
            code => refusal(code),
        };
        return Some(Err(failure));
    };
    let (nonce, rest) = data.split_first_chunk::<12>()?;
    let &[proto, _, _, _, i0, i1, e0, e1, ref address @ ..] = rest else {
        return None;
    };
    let is_ours = *nonce == map.nonce
        && proto == map.transport.number()
        && u16::from_be_bytes([i0, i1]) == map.internal;
    if !is_ours {
        return None;
    }
    if code != 0 {
        return Some(Err(refusal(code)));
    }
    let address = <[u8; 16]>::try_from(address).ok()?;
    Some(Ok(Granted {
        external: u16::from_be_bytes([e0, e1]),
        address: IpAddr::V6(Ipv6Addr::from(address)).to_canonical(),
        lifetime,
    }))
}

/// The result code and the lifetime of an answer to `opcode`. A gateway of NAT-PMP alone answers in
/// its own version (RFC 6887, appendix A).
fn head_of(bytes: &[u8], opcode: u8) -> Option<(u8, u32)> {
    if let &[0, answered, 0, 1, ..] = bytes
        && answered & 0x7f == opcode
    {
        return Some((1, 0));
    }
    let head = bytes.first_chunk::<HEAD>()?;
    let &[VERSION, answered, _, code, l0, l1, l2, l3, ..] = head else {
        return None;
    };
    let is_answer =
        answered == opcode | 0x80 && bytes.len().is_multiple_of(4) && bytes.len() <= MAX_DATAGRAM;
    is_answer.then_some((code, u32::from_be_bytes([l0, l1, l2, l3])))
}

/// The result codes of RFC 6887, 7.4.
fn refusal(code: u8) -> Failure {
    Failure::Refused(match code {
        1 => "it does not speak this version".to_owned(),
        2 => "not authorized, port mapping may be switched off in its settings".to_owned(),
        3 => "it found the request malformed".to_owned(),
        4 => "it does not know the request".to_owned(),
        5 | 6 => "it does not accept an option of the request".to_owned(),
        7 => "it has no address on the internet at the moment".to_owned(),
        8 => "it can map no more ports at the moment".to_owned(),
        9 => "it does not map this transport protocol".to_owned(),
        10 => "it maps no more ports for this machine".to_owned(),
        11 => "it cannot provide the external port or address".to_owned(),
        12 => "it sees us at another address, so another router is between it and this machine"
            .to_owned(),
        13 => "too many remote peers".to_owned(),
        code => format!("result code {code}"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 5));
    const WANTED: Map = Map {
        nonce: [7; 12],
        transport: Transport::Udp,
        internal: 6881,
        external: 6881,
    };

    /// The gateway's answer to a request.
    fn answer(request: &[u8], code: u8, lifetime: u32, address: [u8; 4]) -> Vec<u8> {
        let mut bytes = request.to_vec();
        bytes[1] |= 0x80;
        bytes[3] = code;
        bytes[4..8].copy_from_slice(&lifetime.to_be_bytes());
        bytes[8..24].copy_from_slice(&[0; 16]);
        if bytes.len() > HEAD {
            let mapped = std::net::Ipv4Addr::from(address).to_ipv6_mapped();
            bytes[44..60].copy_from_slice(&mapped.octets());
        }
        bytes
    }

    #[test]
    fn a_request_says_who_asks_and_what_for() {
        let bytes = request(OURS, &WANTED, 1200);
        assert_eq!(bytes.len(), 60);
        assert_eq!(bytes[..8], [2, 1, 0, 0, 0, 0, 4, 0xb0]);
        assert_eq!(
            bytes[8..24],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 168, 1, 5]
        );
        assert_eq!(bytes[36..44], [17, 0, 0, 0, 0x1a, 0xe1, 0x1a, 0xe1]);
        let removal = request(OURS, &WANTED, 0);
        assert_eq!(removal[42..44], [0, 0], "no external port is suggested");
    }

    #[test]
    fn only_the_answer_about_our_mapping_is_taken() {
        let right = answer(&request(OURS, &WANTED, 1200), 0, 600, [203, 0, 113, 9]);
        let expected = Granted {
            external: 6881,
            address: IpAddr::from([203, 0, 113, 9]),
            lifetime: 600,
        };
        assert_eq!(read_granted(&right, &WANTED), Some(Ok(expected)));
        for (at, what) in [
            (24, "nonce"),
            (36, "protocol"),
            (41, "port"),
            (0, "version"),
        ] {
            let mut wrong = right.clone();
            wrong[at] ^= 1;
            assert_eq!(read_granted(&wrong, &WANTED), None, "{what}");
        }
        assert_eq!(
            read_granted(&right[..59], &WANTED),
            None,
            "not a multiple of four"
        );
        let cut = read_granted(&right[..56], &WANTED);
        assert!(matches!(cut, Some(Err(Failure::Invalid(_)))));
    }

    #[test]
    fn every_result_code_has_a_reason_with_and_without_the_request() {
        for code in 1..=13 {
            let whole = answer(&request(OURS, &WANTED, 1200), code, 30, [0; 4]);
            for bytes in [&whole[..], &whole[..HEAD]] {
                let Some(Err(Failure::Refused(reason))) = read_granted(bytes, &WANTED) else {
                    panic!("code {code}")
                };
                assert!(!reason.contains("code"), "{reason}");
            }
        }
    }

    #[test]
    fn a_gateway_of_nat_pmp_alone_says_that_it_lacks_the_version() {
        let expected = Some(Err(refusal(1)));
        assert_eq!(
            read_granted(&[0, 0x81, 0, 1, 0, 0, 0, 9], &WANTED),
            expected
        );
        let announced = read_announced(&[0, 0x80, 0, 1, 0, 0, 0, 9]);
        assert_eq!(announced, Some(Err(refusal(1))));
    }

    #[test]
    fn a_gateway_that_answers_an_announce_speaks_pcp_even_if_it_does_not_know_it() {
        let question = announce(OURS);
        for code in [0, 4] {
            let bytes = answer(&question, code, 0, [0; 4]);
            assert_eq!(read_announced(&bytes), Some(Ok(())));
        }
        let mismatch = read_announced(&answer(&question, 12, 0, [0; 4]));
        assert_eq!(mismatch, Some(Err(refusal(12))));
        assert_eq!(read_announced(&question), None, "our own question");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = (read_announced(&bytes), read_granted(&bytes, &WANTED));
        }

        #[test]
        fn an_answer_is_read_as_it_was_sent(lifetime in any::<u32>(), octets in any::<[u8; 4]>()) {
            let bytes = answer(&request(OURS, &WANTED, 1200), 0, lifetime, octets);
            let granted = read_granted(&bytes, &WANTED).unwrap().unwrap();
            prop_assert_eq!((granted.lifetime, granted.address), (lifetime, octets.into()));
        }
    }
}
