//! Remote sides that break the key exchange of an encrypted connection, over real sockets.

use aqueduct_core::wire::{EncryptionError, WireError};

use super::*;

/// The prime of the exchange minus one: a public key with which the secret is 1 or itself.
const LARGEST: &str = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090562";

fn key(last: u8) -> Vec<u8> {
    let mut key = vec![0; 96];
    key[95] = last;
    key
}

fn largest() -> Vec<u8> {
    let digits = LARGEST.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Why we refuse a remote side that sends these bytes, in both roles.
async fn refused(bytes: &[u8]) -> [CloseReason; 2] {
    let dialling = listener().await;
    let addr = dialling.local_addr().unwrap();
    let answering = async {
        let (mut stream, _) = dialling.accept().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        // Until we close it.
        while stream
            .read(&mut [0; 1024])
            .await
            .is_ok_and(|count| count > 0)
        {}
    };
    let (dialled, ()) = tokio::join!(connect(addr, Encryption::Require, hello(7, 1)), answering);

    let accepting = listener().await;
    let mut client = TcpStream::connect(accepting.local_addr().unwrap())
        .await
        .unwrap();
    client.write_all(bytes).await.unwrap();
    let (stream, _) = accepting.accept().await.unwrap();
    let accepted = accept(stream, Encryption::Allow, async { Ok(()) }, |_| {
        Some(hello(7, 2))
    })
    .await;
    [dialled.unwrap_err(), accepted.unwrap_err()]
}

#[tokio::test]
async fn public_keys_without_a_secret_are_refused_by_name() {
    for key in [key(0), key(1), largest(), vec![0xff; 96]] {
        let reason = CloseReason::Protocol(WireError::from(EncryptionError::PublicKey));
        assert_eq!(refused(&key).await, [reason.clone(), reason]);
    }
}

#[tokio::test]
async fn more_padding_than_permitted_is_refused_as_soon_as_it_is_there() {
    let bytes = [key(9), vec![0xaa; 512 + 20]].concat();
    let error = EncryptionError::Unsynchronised { limit: 512 };
    let reason = CloseReason::Protocol(WireError::from(error));
    assert_eq!(refused(&bytes).await, [reason.clone(), reason]);
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_key_now_and_then_do_not_move_the_deadline() {
    for dialling in [true, false] {
        let listener = listener().await;
        let addr = listener.local_addr().unwrap();
        let dribble = |mut stream: TcpStream| async move {
            while stream.write_all(&[0xaa]).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        let started = Instant::now();
        let reason = if dialling {
            let dialled = connect(addr, Encryption::Require, hello(7, 1));
            let slow = async { dribble(listener.accept().await.unwrap().0).await };
            tokio::select! {
                dialled = dialled => dialled.unwrap_err(),
                () = slow => unreachable!("we keep the connection open"),
            }
        } else {
            let client = TcpStream::connect(addr).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let accepted = accept(stream, Encryption::Allow, async { Ok(()) }, |_| {
                Some(hello(7, 2))
            });
            tokio::select! {
                accepted = accepted => accepted.unwrap_err(),
                () = dribble(client) => unreachable!("we keep the connection open"),
            }
        };
        assert_eq!(reason, CloseReason::HandshakeTimeout);
        assert!((HANDSHAKE_TIMEOUT..HANDSHAKE_TIMEOUT * 2).contains(&started.elapsed()));
    }
}
