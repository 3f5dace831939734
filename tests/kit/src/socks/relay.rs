//! The relay for datagrams (RFC 1928, section 7), honest or not.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::Script;

/// How the relay behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Relay {
    /// It relays, at the proxy's address, which it does not name.
    #[default]
    Honest,
    /// It relays, at an address that it names.
    Named,
    /// It refuses associations with this code.
    Refuses(u8),
    /// It says that it is at this address.
    At(SocketAddr),
    /// It relays; before each answer it sends fragments, headers that are cut short, of unknown
    /// kinds and with reserved bits, and the answer from another port.
    Junk,
    /// It closes the association's connection instead of relaying the first datagram of each of so
    /// many associations.
    Closes(usize),
}

/// How often threads look whether the association has ended.
const TICK: Duration = Duration::from_millis(20);

/// The relay's socket and the bytes of the reply that names it.
pub(super) fn open(ip: IpAddr, relay: &Relay) -> (UdpSocket, Vec<u8>) {
    let socket = UdpSocket::bind((ip, 0)).expect("a free port");
    let own = socket.local_addr().expect("it is bound");
    let named = match relay {
        Relay::At(addr) => *addr,
        Relay::Named => own,
        _ => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), own.port()),
    };
    let mut reply = vec![5, 0, 0];
    reply.extend(form(named));
    (socket, reply)
}

/// Relays until the client closes the association's connection.
pub(super) fn serve(script: &Arc<Script>, relay: &Relay, socket: UdpSocket, mut held: TcpStream) {
    let outside = UdpSocket::bind(("0.0.0.0", 0)).expect("a free port");
    for one in [&socket, &outside] {
        one.set_read_timeout(Some(TICK)).expect("it is positive");
    }
    let over = Arc::<AtomicBool>::default();
    let (script, relay, ended) = (Arc::clone(script), relay.clone(), Arc::clone(&over));
    let connection = held.try_clone().expect("a descriptor");
    thread::spawn(move || {
        let mut client = None;
        while !ended.load(Ordering::Relaxed) {
            let mut buffer = [0; 2048];
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                client = Some(from);
                let datagram = &buffer[..length];
                if script.closes(&relay) {
                    connection.shutdown(std::net::Shutdown::Both).ok();
                    return;
                }
                let (to, payload) = read(&script, datagram);
                if let Some(to) = to {
                    outside.send_to(payload, to).ok();
                }
            }
            if let (Ok((length, from)), Some(client)) = (outside.recv_from(&mut buffer), client) {
                let payload = &buffer[..length];
                if relay == Relay::Junk {
                    send_junk(&socket, client, from, payload);
                }
                let answer = [&[0, 0, 0][..], &form(from), payload].concat();
                socket.send_to(&answer, client).ok();
            }
        }
    });
    held.read_exact(&mut [0]).ok();
    over.store(true, Ordering::Relaxed);
}

/// What must all be dropped; the last one would be valid from the relay's own port.
fn send_junk(socket: &UdpSocket, client: SocketAddr, from: SocketAddr, payload: &[u8]) {
    let address = form(from);
    let with = |head: [u8; 3]| [&head[..], &address, payload].concat();
    let mut junk = vec![
        vec![],
        vec![0; 3],
        vec![0, 0, 0, 9, 1],
        vec![0, 0, 0, 3, 255, 1],
    ];
    junk.extend([with([1, 0, 0]), with([0, 1, 0])]);
    // Few enough for the client's buffer, so that the answer that follows fits in.
    junk.extend(
        (1..=16)
            .chain([127, 128, 255])
            .map(|fragment| with([0, 0, fragment])),
    );
    for datagram in &junk {
        socket.send_to(datagram, client).ok();
    }
    let other = UdpSocket::bind((client.ip(), 0)).expect("a free port");
    let mut forged = with([0; 3]);
    // An answer that would be taken for the tracker's refusal.
    let action = 3 + address.len()..3 + address.len() + 4;
    if let Some(action) = forged.get_mut(action) {
        action.copy_from_slice(&[0, 0, 0, 3]);
    }
    other.send_to(&forged, client).ok();
}

/// The destination of a datagram and its payload.
fn read<'a>(script: &Script, datagram: &'a [u8]) -> (Option<SocketAddr>, &'a [u8]) {
    assert_eq!(datagram[..3], [0; 3], "the head of a datagram");
    let (host, rest) = match datagram[3] {
        1 => {
            let octets: [u8; 4] = datagram[4..8].try_into().expect("four bytes");
            (Ipv4Addr::from(octets).to_string(), &datagram[8..])
        }
        4 => {
            let octets: [u8; 16] = datagram[4..20].try_into().expect("sixteen bytes");
            (format!("[{}]", Ipv6Addr::from(octets)), &datagram[20..])
        }
        _ => {
            let end = 5 + usize::from(datagram[4]);
            let name = String::from_utf8_lossy(&datagram[5..end]);
            (name.into_owned(), &datagram[end..])
        }
    };
    let port = u16::from_be_bytes([rest[0], rest[1]]);
    script.requests.push(format!("udp {host}:{port}"));
    (script.find(&host, port), &rest[2..])
}

fn form(addr: SocketAddr) -> Vec<u8> {
    let mut bytes = match addr.ip() {
        IpAddr::V4(v4) => [&[1][..], &v4.octets()].concat(),
        IpAddr::V6(v6) => [&[4][..], &v6.octets()].concat(),
    };
    bytes.extend(addr.port().to_be_bytes());
    bytes
}
