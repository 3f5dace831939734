//! Answers of gateways that are asked to map a port.

use std::net::{IpAddr, Ipv4Addr};

use aqueduct_core::discovery::url::Url;
use aqueduct_native::port_mapping::{Failure, Transport, nat_pmp, pcp, upnp};

use super::switch;

/// Our port in every request.
const PORT: u16 = 6881;
/// The nonce of every request.
const NONCE: pcp::Nonce = *b"twelve bytes";
/// The maximum number of characters in the reason of a failure, escaped.
const MAX_REASON: usize = 2048;

/// An answer of PCP is only taken if it repeats what was requested. The first byte selects the
/// transport.
pub(super) fn pcp(mut data: &[u8]) {
    let map = pcp::Map {
        nonce: NONCE,
        transport: transport(switch(&mut data)),
        internal: PORT,
        external: PORT,
    };
    check(pcp::read_announced(data).and_then(Result::err));
    match pcp::read_granted(data, &map) {
        None => {}
        Some(Err(failure)) => check(Some(failure)),
        Some(Ok(granted)) => {
            assert!(data.len() >= 60 && data.len() <= 1100);
            let request = pcp::request(Ipv4Addr::LOCALHOST.into(), &map, granted.lifetime);
            // Nonce, protocol and our port; what is reserved in between is ignored.
            for place in [24..37, 40..42] {
                assert_eq!(data[place.clone()], request[place]);
            }
            assert_eq!(data[42..44], granted.external.to_be_bytes());
            assert_eq!(granted.address, granted.address.to_canonical());
            let mut other = map;
            other.nonce[0] ^= 1;
            assert_eq!(pcp::read_granted(data, &other), None);
        }
    }
}

/// An answer of NAT-PMP is read from exactly its length. The first byte selects the transport.
pub(super) fn nat_pmp(mut data: &[u8]) {
    let transport = transport(switch(&mut data));
    match nat_pmp::read_address(data) {
        None => {}
        Some(Err(failure)) => check(Some(failure)),
        Some(Ok(address)) => assert_eq!(data[8..], address.octets()),
    }
    match nat_pmp::read_granted(data, transport, PORT) {
        None => {}
        Some(Err(failure)) => check(Some(failure)),
        Some(Ok(granted)) => {
            let request =
                nat_pmp::request(transport, PORT, granted.external, granted.lifetime.max(1));
            assert_eq!(data.len(), 16);
            assert_eq!((data[1], &data[8..10]), (request[1] | 0x80, &request[4..6]));
            assert_eq!(data[10..12], granted.external.to_be_bytes());
            assert_eq!(data[12..], granted.lifetime.to_be_bytes());
        }
    }
}

/// The address in an answer to UPnP's search is one line of it.
pub(super) fn search(data: &[u8]) {
    match upnp::read_location(data) {
        Ok(location) => {
            assert!(!location.is_empty() && location == location.trim());
            assert!(!location.contains('\n'));
            let is_part = |part: &[u8]| part == location.as_bytes();
            assert!(data.windows(location.len()).any(is_part));
        }
        Err(failure) => check(Some(failure)),
    }
}

/// A description names only services that are known, and each of their addresses is a URL or an
/// error.
pub(super) fn description(data: &[u8]) {
    let description = match upnp::Description::parse(data) {
        Ok(description) => description,
        Err(failure) => return check(Some(failure)),
    };
    let own = Url::parse("http://192.168.1.1:5000/rootDesc.xml").expect("it is valid");
    let gateways = [
        IpAddr::from([192, 168, 1, 1]),
        IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1_u16]),
    ];
    for kind in [upnp::ServiceKind::Connection, upnp::ServiceKind::Firewall] {
        for service in description.services(kind) {
            assert!(service.name.starts_with("urn:schemas-upnp-org:service:WAN"));
            for gateway in gateways {
                match description.place(gateway, &own, service) {
                    Ok(place) => assert!(place.path.starts_with('/'), "{place:?}"),
                    Err(failure) => check(Some(failure)),
                }
            }
        }
    }
}

/// An answer to a call has a bounded number of fields, or a reason. The first byte says whether the
/// HTTP status was one of success.
pub(super) fn call(mut data: &[u8]) {
    let is_ok = switch(&mut data) & 1 == 1;
    match upnp::read_answer(data, is_ok) {
        Ok(answer) => {
            assert!(is_ok);
            let address = answer.field("NewExternalIPAddress").unwrap_or_default();
            assert!(address.len() <= data.len() * 3, "three bytes replace one");
            check(upnp::read_status(&answer).err());
            match upnp::read_number(&answer) {
                Ok(number) => {
                    let text = answer.field("UniqueID").unwrap_or_default();
                    assert_eq!(text.trim_start_matches('+').parse(), Ok(number));
                }
                Err(failure) => check(Some(failure)),
            }
        }
        Err(fault) => check(Some(fault.into())),
    }
}

/// The reason of a failure is short, and contains nothing that a terminal interprets.
fn check(failure: Option<Failure>) {
    let Some(failure) = failure else { return };
    let reason = failure.to_string();
    assert!(!reason.is_empty() && reason.chars().count() <= MAX_REASON);
    assert!(!reason.chars().any(char::is_control), "{reason:?}");
}

const fn transport(switch: u8) -> Transport {
    match switch & 1 {
        0 => Transport::Tcp,
        _ => Transport::Udp,
    }
}
