//! Handshakes over real sockets. Time advances automatically when all tasks wait.

mod hostile_encryption;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use aqueduct_core::CloseReason;
use aqueduct_core::connection::{Encryption, Transport, obfuscated};
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_core::wire::{Handshake, Reserved};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::{HANDSHAKE_TIMEOUT, Peer, Wanted, Ways, accept, not_connected};
use crate::net::Bind;
use crate::transport::PeerStream;

fn hello(swarm: u8, id: u8) -> Handshake {
    Handshake {
        reserved: Reserved::OURS,
        info_hash: InfoHashV1([swarm; 20]),
        peer_id: PeerId([id; 20]),
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

type Outcome = Result<Peer<PeerStream>, CloseReason>;

async fn connect(addr: SocketAddr, encryption: Encryption, ours: Handshake) -> Outcome {
    super::connect(addr, &Ways::tcp(Bind::default()), encryption, ours).await
}

/// Dials a peer in the swarm `theirs`. It listens until it has accepted a connection, or refused
/// one because of the swarm.
async fn meet(theirs: u8, dialling: Encryption, accepting: Encryption) -> (Outcome, Outcome) {
    let listener = listener().await;
    let addr = listener.local_addr().unwrap();
    let welcome = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let accepted = accept(
                PeerStream::from(stream),
                accepting,
                async { Ok(()) },
                |wanted| answer(theirs, wanted),
            )
            .await;
            if !matches!(accepted, Err(CloseReason::Protocol(_))) {
                break accepted;
            }
        }
    };
    let dialled = connect(addr, dialling, hello(7, 1));
    let (mut dialled, mut welcome) = (pin!(dialled), pin!(welcome));
    tokio::select! {
        dialled = &mut dialled => match dialled {
            Ok(peer) => (Ok(peer), welcome.await),
            Err(reason) => (Err(reason), Err(CloseReason::Remote)),
        },
        accepted = &mut welcome => (dialled.await, accepted),
    }
}

/// The handshake of a member of the swarm `theirs`.
fn answer(theirs: u8, wanted: Wanted) -> Option<Handshake> {
    let ours = hello(theirs, 2);
    let found = match wanted {
        Wanted::InfoHash(info_hash) => info_hash == ours.info_hash,
        Wanted::Obfuscated(swarm) => swarm == obfuscated(ours.info_hash),
    };
    found.then_some(ours)
}

#[tokio::test]
async fn both_sides_learn_who_the_other_is() {
    for (dialling, accepting) in [
        (Encryption::Off, Encryption::Off),
        (Encryption::Off, Encryption::Allow),
        (Encryption::Allow, Encryption::Off),
        (Encryption::Allow, Encryption::Allow),
        (Encryption::Allow, Encryption::Require),
        (Encryption::Require, Encryption::Allow),
        (Encryption::Require, Encryption::Require),
    ] {
        let (dialled, accepted) = meet(7, dialling, accepting).await;
        assert_eq!(dialled.unwrap().handshake.peer_id, PeerId([2; 20]));
        assert_eq!(accepted.unwrap().handshake.peer_id, PeerId([1; 20]));
    }
}

#[tokio::test]
async fn sides_that_want_the_opposite_do_not_connect() {
    let (dialled, _) = meet(7, Encryption::Off, Encryption::Require).await;
    assert_eq!(dialled.unwrap_err(), CloseReason::ClosedInHandshake);
    let (dialled, _) = meet(7, Encryption::Require, Encryption::Off).await;
    assert_eq!(
        dialled.unwrap_err(),
        CloseReason::ClosedInEncryptedHandshake
    );
}

#[tokio::test]
async fn nobody_is_welcome_for_a_swarm_that_is_not_ours() {
    let (dialled, accepted) = meet(8, Encryption::Off, Encryption::Allow).await;
    assert_eq!(accepted.unwrap_err(), CloseReason::Inactive);
    assert!(dialled.unwrap_err() == CloseReason::ClosedInHandshake);
}

#[tokio::test]
async fn an_answer_for_another_swarm_is_refused() {
    let listener = listener().await;
    let dialling = tokio::spawn(connect(
        listener.local_addr().unwrap(),
        Encryption::Off,
        hello(7, 1),
    ));
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&hello(9, 2).encode()).await.unwrap();
    assert_eq!(
        dialling.await.unwrap().unwrap_err(),
        CloseReason::WrongInfoHash
    );
}

#[tokio::test]
async fn a_peer_that_waits_for_our_id_before_it_tells_its_own_is_answered() {
    let listener = listener().await;
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let hesitating = async {
        let (first, rest) = (&hello(7, 1).encode()[..48], &hello(7, 1).encode()[48..]);
        client.write_all(first).await.unwrap();
        let mut answer = [0; 68];
        client.read_exact(&mut answer).await.unwrap();
        client.write_all(rest).await.unwrap();
        answer
    };
    let (accepted, answer) = tokio::join!(
        accept(stream, Encryption::Allow, async { Ok(()) }, |_| Some(
            hello(7, 2)
        )),
        hesitating
    );
    assert_eq!(answer, hello(7, 2).encode());
    let handshake = accepted.unwrap().handshake;
    assert_eq!(handshake.peer_id, PeerId([1; 20]));
    assert_eq!(handshake.line.transport, Transport::Tcp);
}

#[tokio::test]
async fn what_comes_right_behind_the_handshake_is_kept() {
    let listener = listener().await;
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    client
        .write_all(&[&hello(7, 1).encode()[..], &[0, 0, 0, 1, 2]].concat())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let peer = accept(stream, Encryption::Allow, async { Ok(()) }, |_| {
        Some(hello(7, 2))
    })
    .await
    .unwrap();
    let mut rest = peer.rest;
    let mut stream = peer.stream;
    while rest.len() < 5 {
        stream.read_buf(&mut rest).await.unwrap();
    }
    assert_eq!(&rest[..], [0, 0, 0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_does_not_move_the_deadline() {
    let listener = listener().await;
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let started = Instant::now();
    let dribble = async {
        for byte in hello(7, 1).encode() {
            sleep(Duration::from_secs(1)).await;
            if client.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    };
    let (accepted, ()) = tokio::join!(
        accept(stream, Encryption::Allow, async { Ok(()) }, |_| Some(
            hello(7, 2)
        )),
        dribble
    );
    assert_eq!(accepted.unwrap_err(), CloseReason::HandshakeTimeout);
    assert!(started.elapsed() >= HANDSHAKE_TIMEOUT);
}

#[test]
fn a_reset_that_comes_before_the_connection_is_noticed_counts_as_one_in_the_handshake() {
    for kind in [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted] {
        assert_eq!(not_connected(kind.into()), CloseReason::ClosedInHandshake);
    }
    let refused = not_connected(ErrorKind::ConnectionRefused.into());
    assert_eq!(refused, CloseReason::Refused);
}
