//! NAT-PMP (RFC 6886): datagrams. A gateway's answer has 8, 12 or 16 bytes; other lengths are
//! errors, which name both.

use std::net::Ipv4Addr;

use super::failure::Failure;
use super::protocol::Transport;

/// Question for the gateway's external address: version 0, opcode 0.
pub const ADDRESS_QUESTION: [u8; 2] = [0, 0];
const ADDRESS: u8 = 0;

/// A mapping that the gateway made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The gateway's port.
    pub external: u16,
    /// Seconds until the mapping lapses; 0: it was removed.
    pub lifetime: u32,
}

const fn opcode(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 1,
        Transport::Tcp => 2,
    }
}

/// A request to map `external`, or another port if that is in use, to our port `internal`.
/// `lifetime` 0 removes the mapping (RFC 6886, 3.4).
#[must_use]
pub fn request(transport: Transport, internal: u16, external: u16, lifetime: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[1] = opcode(transport);
    bytes[4..6].copy_from_slice(&internal.to_be_bytes());
    let external = if lifetime == 0 { 0 } else { external };
    bytes[6..8].copy_from_slice(&external.to_be_bytes());
    bytes[8..].copy_from_slice(&lifetime.to_be_bytes());
    bytes
}

/// Reads the answer to [`ADDRESS_QUESTION`]; `None`: it is none.
#[must_use]
pub fn read_address(bytes: &[u8]) -> Option<Result<Ipv4Addr, Failure>> {
    let body = match body(bytes, ADDRESS)? {
        Ok(body) => body,
        Err(failure) => return Some(Err(failure)),
    };
    let octets = body.first_chunk::<4>().filter(|_| body.len() == 4);
    Some(octets.map_or_else(
        || Err(wrong_length(bytes, 12)),
        |octets| Ok(Ipv4Addr::from(*octets)),
    ))
}

/// Reads the answer to a request for our port `internal`; `None`: it is none, or about another
/// port.
#[must_use]
pub fn read_granted(
    bytes: &[u8],
    transport: Transport,
    internal: u16,
) -> Option<Result<Granted, Failure>> {
    let body = match body(bytes, opcode(transport))? {
        Ok(body) => body,
        Err(failure) => return Some(Err(failure)),
    };
    let &[p0, p1, e0, e1, l0, l1, l2, l3] = body else {
        return Some(Err(wrong_length(bytes, 16)));
    };
    (u16::from_be_bytes([p0, p1]) == internal).then_some(Ok(Granted {
        external: u16::from_be_bytes([e0, e1]),
        lifetime: u32::from_be_bytes([l0, l1, l2, l3]),
    }))
}

/// What follows the result code and the epoch in a successful answer. Answers have the opcode of
/// the question plus 128; some errors end after the epoch (RFC 6886, 3.5).
fn body(bytes: &[u8], opcode: u8) -> Option<Result<&[u8], Failure>> {
    let &[version, answered, c0, c1, ref rest @ ..] = bytes else {
        return None;
    };
    if answered != opcode | 0x80 {
        return None;
    }
    match (version, u16::from_be_bytes([c0, c1])) {
        (0, 0) => Some(rest.get(4..).ok_or_else(|| wrong_length(bytes, 12))),
        (0, code) => Some(Err(refusal(code))),
        // A server of PCP alone (RFC 6887, 9).
        (2, 1) => Some(Err(refusal(1))),
        _ => None,
    }
}

fn wrong_length(bytes: &[u8], expected: usize) -> Failure {
    Failure::Invalid(format!("{} bytes, expected {expected}", bytes.len()))
}

/// The result codes of RFC 6886, 3.5.
fn refusal(code: u16) -> Failure {
    Failure::Refused(match code {
        1 => "it does not speak this version".to_owned(),
        2 => "not authorized, port mapping may be switched off in its settings".to_owned(),
        3 => "it has no address on the internet at the moment".to_owned(),
        4 => "it can map no more ports".to_owned(),
        5 => "it does not know the request".to_owned(),
        code => format!("result code {code}"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn granted(bytes: &[u8]) -> Option<Result<Granted, Failure>> {
        read_granted(bytes, Transport::Tcp, 6881)
    }

    #[test]
    fn a_request_names_both_ports_and_a_removal_names_ours_alone() {
        assert_eq!(
            request(Transport::Tcp, 6881, 7000, 1200),
            [0, 2, 0, 0, 0x1a, 0xe1, 0x1b, 0x58, 0, 0, 4, 0xb0]
        );
        assert_eq!(
            request(Transport::Udp, 6881, 7000, 0),
            [0, 1, 0, 0, 0x1a, 0xe1, 0, 0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn every_result_code_has_a_reason_with_eight_bytes_as_with_sixteen() {
        for code in 1..=5 {
            let short = [0, 130, 0, code, 0, 0, 0, 1];
            let long = [&short[..], &[0; 8]].concat();
            let Some(Err(Failure::Refused(reason))) = granted(&short) else {
                panic!("code {code}: {:?}", granted(&short))
            };
            assert!(!reason.contains("code"), "{reason}");
            assert_eq!(granted(&long), Some(Err(Failure::Refused(reason))));
        }
        let unknown = granted(&[0, 130, 0, 99, 0, 0, 0, 1]);
        assert_eq!(
            unknown,
            Some(Err(Failure::Refused("result code 99".to_owned())))
        );
        assert_eq!(granted(&[2, 130, 0, 1]), Some(Err(refusal(1))));
    }

    #[test]
    fn answers_about_other_ports_and_questions_are_ignored() {
        let answer = |port: u16, opcode: u8| {
            let mut bytes = [0, opcode, 0, 0, 0, 0, 0, 9, 0, 0, 0x1b, 0x58, 0, 0, 0, 60];
            bytes[8..10].copy_from_slice(&port.to_be_bytes());
            bytes
        };
        let expected = Granted {
            external: 7000,
            lifetime: 60,
        };
        assert_eq!(granted(&answer(6881, 130)), Some(Ok(expected)));
        assert_eq!(granted(&answer(6882, 130)), None);
        assert_eq!(granted(&answer(6881, 129)), None);
        assert_eq!(granted(&answer(6881, 2)), None, "a question");
        assert!(matches!(
            granted(&answer(6881, 130)[..15]),
            Some(Err(Failure::Invalid(_)))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), port in any::<u16>()) {
            let _ = (read_address(&bytes), read_granted(&bytes, Transport::Udp, port));
        }

        #[test]
        fn an_external_address_is_read_as_it_was_sent(octets in any::<[u8; 4]>()) {
            let bytes = [&[0, 128, 0, 0, 0, 0, 0, 1][..], &octets].concat();
            prop_assert_eq!(read_address(&bytes), Some(Ok(Ipv4Addr::from(octets))));
        }
    }
}
