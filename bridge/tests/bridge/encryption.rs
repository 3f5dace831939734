//! Encrypted connections to peers (MSE), in both roles, and remote sides that abuse them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aqueduct_bridge::{Config, Limits, Seconds};
use aqueduct_core::connection::{Encrypted, Encryption, Transport};
use aqueduct_core::tunnel::JoinRequest;
use aqueduct_core::types::InfoHashV1;
use aqueduct_testkit::peer::{Listener, handshake};
use aqueduct_testkit::soon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::remote::{Remote, half_handshake, knock, outcome_of, tcp};
use crate::support::{Bridge, HASH, PEER_ID, TAB_ID, config, trickle};
use crate::tab::{Tab, request};
use crate::tracker_limits::open_house;

fn with(encryption: Encryption) -> Config {
    Config {
        encryption,
        no_utp: true,
        ..config()
    }
}

#[tokio::test]
async fn a_tab_reaches_a_peer_that_requires_encryption_and_sees_plain_messages() {
    for encryption in [Encryption::Allow, Encryption::Require] {
        let bridge = Bridge::start(with(encryption)).await;
        let peer = Listener::start().await;
        let (mut tab, _tracker, _) = Tab::member(&bridge, &[peer.addr]).await;
        let mut remote = None;
        while remote.is_none() {
            remote = Remote::accept(&peer.socket, Encryption::Require).await;
        }
        let stream = tab.stream().await;
        remote.unwrap().talk(&mut tab, stream).await;
        assert_eq!(bridge.counted("encrypted_streams_total").await, 1);
        assert_eq!(bridge.counted("dials_total").await, 1);
    }
}

#[tokio::test]
async fn a_peer_that_allows_encryption_is_dialled_in_the_clear_unless_it_is_required() {
    for (encryption, encrypted) in [(Encryption::Allow, 0), (Encryption::Require, 1)] {
        let bridge = Bridge::start(with(encryption)).await;
        let peer = Listener::start().await;
        let (mut tab, _tracker, _) = Tab::member(&bridge, &[peer.addr]).await;
        let remote = Remote::accept(&peer.socket, Encryption::Allow).await;
        let stream = tab.stream().await;
        remote.unwrap().talk(&mut tab, stream).await;
        let counted = bridge.counted("encrypted_streams_total").await;
        assert_eq!(counted, encrypted);
    }
}

#[tokio::test]
async fn a_peer_that_encrypts_finds_a_tab_through_the_peer_port() {
    for encryption in [Encryption::Allow, Encryption::Require] {
        let (bridge, port) = Bridge::start_with_peers(with(encryption)).await;
        let mut tab = Tab::alone(&bridge, &request(TAB_ID)).await;
        let remote = Remote::dial(port, tcp(), Encryption::Require);
        let (mut remote, (stream, line)) = tokio::join!(remote, tab.stream_and_line());
        remote.talk(&mut tab, stream).await;
        assert_eq!(line.transport, Transport::Tcp);
        assert_eq!(line.encrypted, Encrypted::Everything);
        assert_eq!(bridge.counted("encrypted_streams_total").await, 1);
    }
}

#[tokio::test]
async fn a_bridge_that_requires_encryption_refuses_peers_in_the_clear_and_one_without_it_others() {
    for (encryption, first) in [
        (
            Encryption::Require,
            handshake(PEER_ID, HASH).encode().to_vec(),
        ),
        (Encryption::Off, half_handshake().to_vec()),
    ] {
        let (bridge, port) = Bridge::start_with_peers(with(encryption)).await;
        let _tab = Tab::alone(&bridge, &request(TAB_ID)).await;
        let mut socket = knock(port, [127, 0, 0, 1]).await;
        socket.write_all(&first).await.unwrap();
        assert_eq!(answer(&mut socket).await, b"");
    }
}

#[tokio::test]
async fn a_bridge_without_encryption_dials_once() {
    let bridge = Bridge::start(with(Encryption::Off)).await;
    let (peer, other) = (Listener::start().await, Listener::start().await);
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[peer.addr, other.addr]).await;
    drop(peer.accept().await);
    let _connection = other.answer(HASH, b"").await;
    tab.stream().await;
    let again = tokio::time::timeout(Duration::from_secs(1), peer.socket.accept()).await;
    assert!(again.is_err(), "it dialled again");
}

#[tokio::test]
async fn an_encrypted_attempt_counts_as_a_dial_at_the_target() {
    let limits = Limits {
        dials_per_target: 1,
        ..Limits::default()
    };
    let bridge = Bridge::start(Config {
        limits,
        ..with(Encryption::Allow)
    })
    .await;
    let peer = Listener::start().await;
    let (_tab, _tracker, _) = Tab::member(&bridge, &[peer.addr]).await;
    drop(peer.accept().await);
    let closed = Instant::now();
    let (mut socket, _) = soon("an encrypted attempt", peer.socket.accept())
        .await
        .unwrap();
    let waited = closed.elapsed();
    assert!(waited > Duration::from_millis(800), "{waited:?}");
    let mut key = [0; 96];
    soon("a key", socket.read_exact(&mut key)).await.unwrap();
    assert_ne!(key[1..20], *b"BitTorrent protocol");
}

/// What the bridge sends until it closes the connection.
async fn answer(socket: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    // The connection may be reset, since not all was read.
    let _ = soon("the end", socket.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn a_peer_that_seeks_a_swarm_without_tabs_learns_nothing_but_a_key() {
    let (bridge, port) = Bridge::start_with_peers(with(Encryption::Allow)).await;
    let _tab = Tab::alone(&bridge, &request(TAB_ID)).await;
    let other = InfoHashV1([9; 20]);
    let outcome = outcome_of(knock(port, [127, 0, 0, 1]).await, handshake(PEER_ID, other)).await;
    assert!(outcome.contains("closed"), "{outcome}");
    assert_eq!(bridge.counted("streams_total").await, 0);
}

#[tokio::test]
async fn padding_beyond_what_is_permitted_ends_the_exchange() {
    let (_bridge, port) = Bridge::start_with_peers(with(Encryption::Allow)).await;
    let mut socket = knock(port, [127, 0, 0, 1]).await;
    let _ = socket.write_all(&half_handshake()).await;
    let _ = socket.write_all(&[0xaa; 600]).await;
    let answer = answer(&mut socket).await.len();
    assert!((0..=96 + 512).contains(&answer), "{answer} bytes");
}

/// Its deadline is the only one that a peer which encrypts has, however it sends.
#[tokio::test]
async fn half_and_slow_exchanges_end_at_their_own_deadline() {
    let limits = Limits {
        handshake_timeout: Seconds(Duration::from_millis(300)),
        encrypted_handshake_timeout: Seconds(Duration::from_millis(1200)),
        ..Limits::default()
    };
    let (_bridge, port) = Bridge::start_with_peers(Config {
        limits,
        ..with(Encryption::Allow)
    })
    .await;
    let begun = Instant::now();
    let slow = knock(port, [127, 0, 0, 1]).await;
    let mut half = knock(port, [127, 0, 0, 1]).await;
    let mut silent = knock(port, [127, 0, 0, 1]).await;
    half.write_all(&half_handshake()).await.unwrap();
    let ended = async |socket: &mut TcpStream| {
        answer(socket).await;
        begun.elapsed()
    };
    let slowly = async {
        trickle(slow, b"x", Duration::from_millis(50)).await;
        begun.elapsed()
    };
    let (half, silent, slow) = tokio::join!(ended(&mut half), ended(&mut silent), slowly);
    let encrypted = Duration::from_millis(1100)..Duration::from_secs(10);
    assert!(
        encrypted.contains(&half) && encrypted.contains(&slow),
        "{half:?} {slow:?}"
    );
    assert!(silent < half, "{silent:?}");
}

#[tokio::test]
async fn one_address_begins_so_many_key_exchanges_and_others_are_served() {
    let limits = Limits {
        encrypted_handshakes_per_address: 1,
        ..open_house().limits
    };
    let (bridge, port) = Bridge::start_with_peers(Config {
        limits,
        no_utp: true,
        ..open_house()
    })
    .await;
    let mut tab = Tab::alone(&bridge, &request(TAB_ID)).await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        let mut socket = knock(port, [127, 0, 0, 2]).await;
        let _ = socket.write_all(&half_handshake()[..96]).await;
        let _ = socket.shutdown().await;
        answers.push(answer(&mut socket).await.len());
    }
    let answered = answers.iter().filter(|length| **length >= 96).count();
    assert!((5..9).contains(&answered), "{answers:?}");
    let refused = bridge.counted("refused_key_exchanges_total").await;
    assert_eq!(refused, 12 - answered as u64);
    let remote = Remote::dial(port, tcp(), Encryption::Require);
    let (mut remote, stream) = tokio::join!(remote, tab.stream());
    remote.talk(&mut tab, stream).await;
}

/// All of 127.0.0.0/8 is loopback: sixty addresses of an attacker begin five exchanges each.
#[tokio::test]
async fn peers_exchange_keys_in_time_while_an_attacker_begins_exchanges_from_many_addresses() {
    const RATE: u32 = 60;
    const ADDRESSES: u16 = 60;
    const EACH: u16 = 10;
    let limits = Limits {
        encrypted_handshakes: RATE,
        incoming_half_open: 1000,
        ..open_house().limits
    };
    let (bridge, port) = Bridge::start_with_peers(Config {
        limits,
        no_utp: true,
        ..open_house()
    })
    .await;
    let mut tab = Tab::alone(&bridge, &request(TAB_ID)).await;
    let (begun, computed) = (Instant::now(), Arc::new(AtomicU32::new(0)));
    let mut attackers = JoinSet::new();
    for number in 0..ADDRESSES * EACH {
        let computed = Arc::clone(&computed);
        let mut socket = knock(port, [127, 0, 1, (number % ADDRESSES) as u8]).await;
        socket.write_all(&half_handshake()[..96]).await.unwrap();
        attackers.spawn(async move {
            let mut key = [0; 96];
            if socket.read_exact(&mut key).await.is_ok() {
                computed.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let remote = Remote::dial(port, tcp(), Encryption::Require);
    let (mut remote, stream) = tokio::join!(remote, tab.stream());
    let before = computed.load(Ordering::Relaxed);
    let allowed = RATE + RATE * u32::try_from(begun.elapsed().as_secs() + 1).unwrap();
    assert!(before <= allowed, "{before} exchanges, {allowed} allowed");
    // If the first came first, all 600 of the attacker's would.
    assert!(before < 480, "{before} of the attacker's came first");
    remote.talk(&mut tab, stream).await;
}

#[tokio::test]
async fn a_peer_that_encrypts_finds_a_hybrid_torrent_by_its_other_info_hash() {
    let (bridge, port) = Bridge::start_with_peers(with(Encryption::Allow)).await;
    let hybrid = JoinRequest {
        info_hash: InfoHashV1([7; 20]),
        other_hash: Some(HASH),
        ..request(TAB_ID)
    };
    let mut tab = Tab::alone(&bridge, &hybrid).await;
    let remote = Remote::dial(port, tcp(), Encryption::Require);
    let (mut remote, stream) = tokio::join!(remote, tab.stream());
    remote.talk(&mut tab, stream).await;
}
