//! UDP announces (BEP 15) from a few addresses, with as many in flight as a socket's buffer holds
//! answers.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Answers;
use super::load::{Announce, Load};
use super::servers::Server;

/// The number of loopback addresses that send announces.
const SOCKETS: u8 = 8;
/// The number of announces in flight per address.
const WINDOW: usize = 32;
/// The length of an answer without peers, in bytes.
const HEAD: usize = 20;
/// After this time an answer counts as lost.
const LOST: Duration = Duration::from_millis(200);

/// The number of announces that every server receives before the measurement, so that all return
/// the same number of peers.
const FILL: u64 = 100_000;

struct Client {
    socket: UdpSocket,
    connection: [u8; 8],
}

pub(super) fn ask(server: &Server, load: &mut Load, until: Instant) -> Result<Answers> {
    ask_while(server, load, |_| Instant::now() < until)
}

/// Fills the swarms.
pub(super) fn fill(server: &Server, load: &mut Load) -> Result<()> {
    ask_while(server, load, |answers| answers.count < FILL).map(drop)
}

fn ask_while(
    server: &Server,
    load: &mut Load,
    goes_on: impl Fn(&Answers) -> bool,
) -> Result<Answers> {
    let clients = (1..=SOCKETS)
        .map(|number| Client::connect(server, number))
        .collect::<Result<Vec<_>>>()?;
    let mut answers = Answers::default();
    for client in &clients {
        (0..WINDOW).try_for_each(|_| client.announce(&load.next()))?;
    }
    while goes_on(&answers) {
        for client in &clients {
            client.take_turn(load, &mut answers)?;
        }
    }
    Ok(answers)
}

impl Client {
    fn connect(server: &Server, number: u8) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, number), 0))?;
        socket.connect(server.addr)?;
        socket.set_read_timeout(Some(LOST))?;
        socket.send(&[
            0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, number,
        ])?;
        let mut answer = [0; 16];
        socket
            .recv(&mut answer)
            .with_context(|| format!("{} gives no connection id", server.name))?;
        let mut connection = [0; 8];
        connection.copy_from_slice(&answer[8..]);
        Ok(Self { socket, connection })
    }

    /// Reads a window of answers and sends the same number of announces.
    fn take_turn(&self, load: &mut Load, answers: &mut Answers) -> Result<()> {
        let mut answer = [0; 2048];
        for _ in 0..WINDOW {
            if let Ok(length) = self.socket.recv(&mut answer) {
                let whole = length >= HEAD && answer[..4] == [0, 0, 0, 1];
                anyhow::ensure!(
                    whole,
                    "refused: {}",
                    String::from_utf8_lossy(&answer[8..length])
                );
                answers.count += 1;
                answers.peers += (length - HEAD) as u64 / 6;
            }
            self.announce(&load.next())?;
        }
        Ok(())
    }

    fn announce(&self, announce: &Announce) -> Result<()> {
        let mut bytes = [0; 98];
        bytes[..8].copy_from_slice(&self.connection);
        bytes[11] = 1;
        bytes[16..36].copy_from_slice(&announce.info_hash);
        bytes[36..44].copy_from_slice(b"-XX0001-");
        bytes[64..72].copy_from_slice(&announce.left.to_be_bytes());
        bytes[92..96].copy_from_slice(&50u32.to_be_bytes());
        bytes[96..].copy_from_slice(&announce.port.to_be_bytes());
        self.socket.send(&bytes)?;
        Ok(())
    }
}
