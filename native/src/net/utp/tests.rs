//! Two endpoints on loopback.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::utp::{Config, Header, Kind, Packet};
use bytes::{BufMut as _, BytesMut};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{advance, timeout};

use super::{Endpoint, Rest, UtpStream};
use crate::net::{Bind, OwnUser, Policy, Purpose, Refusal, Target};
use crate::transport::ByteStream;

fn endpoint() -> (Endpoint, Rest, SocketAddr) {
    endpoint_at([127, 0, 0, 1].into())
}

fn endpoint_at(ip: IpAddr) -> (Endpoint, Rest, SocketAddr) {
    let bind = Bind::from(ip);
    let (endpoint, rest) = Endpoint::bind(bind, 0, Config::default(), Arc::new(OwnUser)).unwrap();
    let addr = SocketAddr::from((ip, endpoint.port()));
    (endpoint, rest, addr)
}

/// Writes everything, as a driver does.
async fn write(stream: &UtpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let (head, body) = bytes.split_at(bytes.len().min(13));
        match stream.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                stream.ready(Interest::WRITABLE).await.unwrap();
            }
        }
    }
}

/// Reads to the end.
async fn read(stream: &UtpStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = BytesMut::with_capacity(10_000);
    loop {
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(all),
            Ok(_) => all.put(buffer.split()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                assert!(stream.ready(Interest::READABLE).await?.is_readable());
            }
            Err(error) => return Err(error),
        }
        buffer.reserve(10_000);
    }
}

#[tokio::test]
async fn what_is_written_before_a_stream_is_dropped_arrives_to_the_last_byte() {
    let ((ours, ..), (theirs, _rest, addr)) = (endpoint(), endpoint());
    let data: Vec<u8> = (0..3_000_000_u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    let sending = async {
        let stream = ours.connect(addr).await.unwrap();
        write(&stream, &data).await;
    };
    let receiving = async {
        let (stream, _) = theirs.accept().await;
        read(&stream).await.unwrap()
    };
    let ((), received) = tokio::join!(sending, receiving);
    assert!(received == data, "{} bytes", received.len());
}

#[tokio::test]
async fn a_port_without_utp_refuses_a_dial_at_once() {
    let (ours, ..) = endpoint();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    let refusing = async {
        let mut buffer = [0; 100];
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let mut resets = aqueduct_core::utp::Resets::new();
        let now = aqueduct_core::Instant::ZERO;
        let reset = resets.answer(now, from, &buffer[..length]).unwrap();
        socket.send_to(&reset, from).await.unwrap();
    };
    let (refused, ()) = tokio::join!(ours.connect(addr), refusing);
    assert_eq!(
        refused.unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );
}

#[tokio::test]
async fn a_stream_that_the_peer_resets_fails() {
    let ((ours, ..), (theirs, _rest, addr)) = (endpoint(), endpoint());
    let (stream, (other, from)) = tokio::join!(ours.connect(addr), theirs.accept());
    let stream = stream.unwrap();
    assert_eq!(from.port(), ours.port());
    // It has removed the connection, and resets datagrams for it.
    theirs
        .port
        .turn(|machine| machine.abort(aqueduct_core::Instant::ZERO, other.id()));
    let error = read(&stream).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let written = stream.try_write_vectored(&[IoSlice::new(b"more")]);
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn what_is_not_utps_goes_to_the_rest_and_what_is_does_not() {
    let (_ours, mut rest, addr) = endpoint();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stray = Header {
        kind: Kind::Data,
        connection_id: 5,
        timestamp: 0,
        timestamp_difference: 0,
        window: 0,
        sequence: 7,
        acknowledgement: 9,
    };
    socket.send_to(&stray.encode(), addr).await.unwrap();
    socket.send_to(b"d1:y1:qe", addr).await.unwrap();
    let (from, datagram) = rest.receive().await;
    assert_eq!(from, socket.local_addr().unwrap());
    assert_eq!(datagram, &b"d1:y1:qe"[..]);
}

#[tokio::test]
async fn a_stream_that_does_not_linger_is_reset_when_it_is_dropped() {
    let ((ours, ..), (theirs, _rest, addr)) = (endpoint(), endpoint());
    let stream = ours.connect(addr).await.unwrap();
    let accepting = async {
        write(&stream, b"hello").await;
        theirs.accept().await
    };
    let (mut accepted, _) = accepting.await;
    accepted.set_linger(false);
    drop(accepted);
    let error = read(&stream).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(theirs.port.lock().machine.connections(), 0);
}

/// Permits everything but to open connections over uTP.
#[derive(Debug)]
struct NoSyns;

impl Policy for NoSyns {
    fn check(&self, target: &Target<'_>) -> Result<(), Refusal> {
        if target.purpose == Purpose::UtpSyn {
            let (addr, why) = (target.addr, "it has been sent enough".into());
            return Err(Refusal { addr, why });
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn syns_that_the_policy_refuses_are_not_sent() {
    let bind = Bind::from(std::net::IpAddr::from([127, 0, 0, 1]));
    let (ours, _rest) = Endpoint::bind(bind, 0, Config::default(), Arc::new(NoSyns)).unwrap();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let error = ours
        .connect(silent.local_addr().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let heard = silent.recv_from(&mut [0; 100]).unwrap_err();
    assert_eq!(heard.kind(), io::ErrorKind::WouldBlock);
}

/// A client that speaks uTP by hand.
struct Remote {
    socket: UdpSocket,
    /// The numbers of its next DATA, and of the last DATA that it received.
    numbers: (u16, u16),
}

impl Remote {
    const ID: u16 = 5;

    /// Opens a connection to `addr`.
    async fn dial(addr: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(addr).await.unwrap();
        let mut remote = Self {
            socket,
            numbers: (1, 1),
        };
        remote.send(Kind::Syn, Self::ID, b"");
        let answer = remote.receive().await;
        remote.numbers = (2, answer.sequence.wrapping_sub(1));
        remote.send(Kind::Data, Self::ID + 1, b"x");
        remote.numbers.0 = 3;
        remote
    }

    /// Sends a datagram, which has arrived when this returns.
    fn send(&self, kind: Kind, connection_id: u16, payload: &[u8]) {
        let header = Header {
            kind,
            connection_id,
            timestamp: 1,
            timestamp_difference: 0,
            window: 1 << 20,
            sequence: self.numbers.0,
            acknowledgement: self.numbers.1,
        };
        let datagram = [&header.encode()[..], payload].concat();
        SockRef::from(&self.socket).send(&datagram).unwrap();
    }

    async fn receive(&self) -> Header {
        let mut buffer = [0; 2000];
        let length = self.socket.recv(&mut buffer).await.unwrap();
        Packet::parse(&buffer[..length]).unwrap().header
    }

    async fn receive_data(&self) -> Header {
        loop {
            let header = self.receive().await;
            if header.kind == Kind::Data {
                return header;
            }
        }
    }
}

/// The acknowledgement of what is sent waits when the deadline for it has passed: the program did not
/// run. Both are ready at the same time, so that either could be handled first.
#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_while_the_program_did_not_run_is_not_sent_again() {
    let (theirs, _rest, addr) = endpoint();
    let (mut remote, (stream, _)) = tokio::join!(Remote::dial(addr), theirs.accept());
    for _ in 0..20 {
        write(&stream, b"y").await;
        let data = remote.receive_data().await;
        remote.numbers.1 = data.sequence;
        remote.send(Kind::State, Remote::ID + 1, b"");
        // The maximum of the timeout is 30 s.
        advance(Duration::from_secs(31)).await;
        // Over when nothing is left to do.
        let again = timeout(Duration::from_millis(1), remote.receive_data()).await;
        assert!(again.is_err(), "{again:?}");
    }
}

/// A host may have several addresses: a peer accepts an answer only from the one that it dialled.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn answers_leave_from_the_address_that_was_dialled() {
    let dialled = [
        IpAddr::from([127, 0, 0, 2]),
        [127, 0, 0, 1].into(),
        Ipv6Addr::LOCALHOST.into(),
    ];
    // A machine may lack IPv6.
    let exists = |ip: &IpAddr| std::net::UdpSocket::bind((*ip, 0)).is_ok();
    for dialled in dialled.into_iter().filter(exists) {
        let mut bind = Bind::default();
        bind.v4 = bind.v4.filter(|_| dialled.is_ipv4());
        let bound = Endpoint::bind(bind, 0, Config::default(), Arc::new(OwnUser));
        let (theirs, _rest) = bound.unwrap();
        let (ours, ..) = endpoint_at(if dialled.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            dialled
        });
        let addr = SocketAddr::from((dialled, theirs.port()));
        let sending = async {
            let stream = ours.connect(addr).await.unwrap();
            write(&stream, &[7; 100_000]).await;
        };
        let receiving = async {
            let (stream, _) = theirs.accept().await;
            read(&stream).await.unwrap()
        };
        let ((), received) = tokio::join!(sending, receiving);
        assert_eq!(received.len(), 100_000, "{dialled}");
    }
}
