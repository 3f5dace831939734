//! Pinholes for IPv6 (WANIPv6FirewallControl:1), as a gateway sees them.

use std::net::IpAddr;

use super::upnp::{argument, done, fault};
use super::{Pinholes, Shared, Transport};

pub(super) const SERVICE: &str = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1";

/// Answers a call of the service; `None`: the call is of another one. `from`: who calls.
pub(super) fn call(shared: &Shared, from: IpAddr, body: &str) -> Option<Vec<u8>> {
    let pinholes = shared.behaviour().pinholes;
    if body.contains("<u:GetFirewallStatus ") {
        let (enabled, allowed) = match pinholes {
            Pinholes::Status(enabled, allowed) => (enabled, allowed),
            _ => ("1", "1"),
        };
        let fields = format!(
            "<FirewallEnabled>{enabled}</FirewallEnabled><InboundPinholeAllowed>{allowed}</InboundPinholeAllowed>"
        );
        return Some(done("GetFirewallStatus", SERVICE, &fields));
    }
    if body.contains("<u:AddPinhole ") {
        return Some(add(shared, from, body, &pinholes));
    }
    if body.contains("<u:UpdatePinhole ") {
        let transport = by_number(argument(body, "UniqueID"));
        let lease = argument(body, "NewLeaseTime").parse().unwrap();
        let internal = opened(shared, transport);
        return Some(match internal {
            Some(internal) => {
                shared.map(transport, internal, internal, Some(lease));
                done("UpdatePinhole", SERVICE, "")
            }
            None => fault(shared, 704, "NoSuchEntry"),
        });
    }
    if body.contains("<u:DeletePinhole ") {
        let transport = by_number(argument(body, "UniqueID"));
        let internal = opened(shared, transport);
        return Some(match internal {
            Some(internal) => {
                shared.unmap(transport, internal);
                done("DeletePinhole", SERVICE, "")
            }
            None => fault(shared, 704, "NoSuchEntry"),
        });
    }
    None
}

fn add(shared: &Shared, from: IpAddr, body: &str, pinholes: &Pinholes) -> Vec<u8> {
    let client: IpAddr = argument(body, "InternalClient").parse().unwrap();
    match pinholes {
        Pinholes::Refuses(code, words) => return fault(shared, *code, words),
        Pinholes::ForAnyAddress => {}
        _ if client == from => {}
        _ => return fault(shared, 606, "Action not authorized"),
    }
    let transport = match argument(body, "Protocol") {
        "6" => Transport::Tcp,
        "17" => Transport::Udp,
        other => panic!("protocol {other}"),
    };
    let internal = argument(body, "InternalPort").parse().unwrap();
    let lease = argument(body, "LeaseTime").parse().unwrap();
    shared.map(transport, internal, internal, Some(lease));
    let number = match pinholes {
        Pinholes::Number(number) => (*number).to_owned(),
        _ => number(transport).to_string(),
    };
    let field = format!("<UniqueID>{number}</UniqueID>");
    done("AddPinhole", SERVICE, &field)
}

/// The number of the only pinhole of a transport.
const fn number(transport: Transport) -> u16 {
    match transport {
        Transport::Tcp => 1,
        Transport::Udp => 2,
    }
}

fn by_number(text: &str) -> Transport {
    match text {
        "1" => Transport::Tcp,
        _ => Transport::Udp,
    }
}

/// The port of the pinhole of a transport.
fn opened(shared: &Shared, transport: Transport) -> Option<u16> {
    let table = super::lock(&shared.table);
    let mut ports = table.keys().filter(|(of, _)| *of == transport);
    ports.next().map(|(_, internal)| *internal)
}
