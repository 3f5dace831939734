//! HTTP announces (BEP 3): with one connection per announce, as clients do, and over persistent
//! connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Result, bail};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::Answers;
use super::load::{Announce, Load};
use super::servers::Server;

/// The number of announces in flight.
const WINDOW: usize = 32;

/// Uses one connection per announce.
pub(super) fn ask_once(server: &Server, load: &mut Load, until: Instant) -> Result<Answers> {
    let mut answers = Answers::default();
    while Instant::now() < until {
        let opened = (0..WINDOW).map(|_| {
            let mut socket = TcpStream::connect(server.addr)?;
            socket.write_all(request(&load.next(), "close").as_bytes())?;
            Ok(socket)
        });
        for mut socket in opened.collect::<Result<Vec<_>>>()? {
            let mut answer = Vec::with_capacity(1024);
            socket.read_to_end(&mut answer)?;
            answers.take(&answer)?;
        }
    }
    Ok(answers)
}

/// Uses persistent connections. Returns no answers if the server closes them.
pub(super) fn ask_again(server: &Server, load: &mut Load, until: Instant) -> Result<Answers> {
    let mut answers = Answers::default();
    let mut sockets = (0..WINDOW)
        .map(|_| Ok(TcpStream::connect(server.addr)?))
        .collect::<Result<Vec<_>>>()?;
    let mut answer = [0; 4096];
    while Instant::now() < until {
        for socket in &mut sockets {
            socket.set_nodelay(true)?;
            if socket
                .write_all(request(&load.next(), "keep-alive").as_bytes())
                .is_err()
            {
                return Ok(Answers::default());
            }
        }
        for socket in &mut sockets {
            // Servers write an answer in one call, and on loopback it is read in one call.
            match socket.read(&mut answer) {
                Ok(length) if length > 0 => answers.take(&answer[..length])?,
                _ => return Ok(Answers::default()),
            }
        }
    }
    Ok(answers)
}

impl Answers {
    fn take(&mut self, answer: &[u8]) -> Result<()> {
        let key = b"5:peers";
        let Some(at) = answer.windows(key.len()).position(|bytes| bytes == key) else {
            bail!("refused: {}", String::from_utf8_lossy(answer))
        };
        let digits = answer[at + key.len()..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |length, digit| length * 10 + u64::from(digit - b'0'));
        self.count += 1;
        self.peers += length / 6;
        Ok(())
    }
}

fn request(announce: &Announce, connection: &str) -> String {
    let (hash, Announce { port, left, .. }) = (
        percent_encode(&announce.info_hash, NON_ALPHANUMERIC),
        announce,
    );
    format!(
        "GET /announce?info_hash={hash}&peer_id=-XX0001-000000000000&port={port}&uploaded=0&downloaded=0&left={left}&compact=1&numwant=50 \
         HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: measure\r\nAccept: */*\r\nConnection: {connection}\r\n\r\n"
    )
}
