//! PCP (RFC 6887) and NAT-PMP (RFC 6886), as a gateway sees them.

use std::net::{SocketAddr, UdpSocket};

use super::{Datagrams, Event, Shared, Transport};

/// Answers a datagram: the first byte is the version, 0 for NAT-PMP and 2 for PCP.
pub(super) fn answer(shared: &Shared, socket: &UdpSocket, from: SocketAddr, question: &[u8]) {
    let behaviour = shared.behaviour();
    let is_pcp = question.first() == Some(&2);
    let manner = if is_pcp {
        behaviour.pcp
    } else {
        behaviour.nat_pmp
    };
    let reply = match &manner {
        Datagrams::Silent => return,
        Datagrams::Raw(bytes) => bytes.clone(),
        Datagrams::Honest | Datagrams::Refuses(_) | Datagrams::ElsewhereFrom => {
            let code = match manner {
                Datagrams::Refuses(code) => code,
                _ => 0,
            };
            let reply = if is_pcp {
                pcp(shared, question, code)
            } else {
                nat_pmp(shared, question, code)
            };
            let Some(reply) = reply else { return };
            reply
        }
    };
    let sent = if manner == Datagrams::ElsewhereFrom {
        let other = UdpSocket::bind((shared.ip, 0)).unwrap();
        other.send_to(&reply, from)
    } else {
        socket.send_to(&reply, from)
    };
    // A client may be gone.
    let _ = sent;
}

fn number(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

fn seconds(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The port that is assigned: the suggested one, or if it is in use the next free one.
fn assign(shared: &Shared, transport: Transport, suggested: u16) -> u16 {
    (suggested..)
        .find(|port| !shared.is_taken(transport, *port))
        .unwrap()
}

fn nat_pmp(shared: &Shared, question: &[u8], code: u8) -> Option<Vec<u8>> {
    let opcode = *question.get(1)?;
    let head = |code: u8| {
        let epoch = shared.epoch().to_be_bytes();
        [&[0, opcode | 128, 0, code][..], &epoch].concat()
    };
    if opcode == 0 {
        shared.events.push(Event::Asked);
        let address = shared.behaviour().address.octets();
        return Some([head(0), address.to_vec()].concat());
    }
    if code != 0 {
        shared.events.push(Event::Refused);
        return Some(head(code));
    }
    let transport = if opcode == 1 {
        Transport::Udp
    } else {
        Transport::Tcp
    };
    let (internal, wanted) = (number(&question[4..]), number(&question[6..]));
    let asked = seconds(&question[8..12]);
    let (external, lifetime) = if asked == 0 {
        shared.unmap(transport, internal);
        (0, 0)
    } else {
        let lifetime = asked.min(shared.behaviour().lifetime);
        let external = assign(shared, transport, wanted);
        let external = shared.map(transport, internal, external, Some(lifetime));
        (external, lifetime)
    };
    let ports = [internal.to_be_bytes(), external.to_be_bytes()].concat();
    Some([head(0), ports, lifetime.to_be_bytes().to_vec()].concat())
}

fn pcp(shared: &Shared, question: &[u8], code: u8) -> Option<Vec<u8>> {
    let mut reply = question.to_vec();
    reply[1] |= 128;
    reply[8..12].copy_from_slice(&shared.epoch().to_be_bytes());
    reply[12..24].fill(0);
    if question[1] == 0 {
        shared.events.push(Event::Asked);
        return Some(reply);
    }
    if code != 0 {
        shared.events.push(Event::Refused);
        reply[3] = code;
        return Some(reply);
    }
    let transport = match question[36] {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        _ => return None,
    };
    let (internal, wanted) = (number(&question[40..]), number(&question[42..]));
    let asked = seconds(&question[4..8]);
    let lifetime = asked.min(shared.behaviour().lifetime);
    let external = if asked == 0 {
        shared.unmap(transport, internal);
        0
    } else {
        let external = assign(shared, transport, wanted);
        shared.map(transport, internal, external, Some(lifetime))
    };
    reply[4..8].copy_from_slice(&lifetime.to_be_bytes());
    reply[42..44].copy_from_slice(&external.to_be_bytes());
    let address = shared.behaviour().address.to_ipv6_mapped();
    reply[44..60].copy_from_slice(&address.octets());
    Some(reply)
}
