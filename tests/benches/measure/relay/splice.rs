//! The bridge's rival: the least work with which a program can relay between a WebSocket and a TCP
//! connection (RFC 6455), without tunnel, credit, limits or timers.
//!
//! Each direction has a thread that blocks in `read` and then in `write`, which costs less than
//! waiting for readiness. From the peer to the tab a frame's head is written in front of the bytes
//! that were read; from the tab to the peer the mask is removed in place.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::{Result, ensure};
use tokio_tungstenite::tungstenite;

/// The bytes of one `read`. With 256 KiB it took as much processor time as with 64 KiB, or more.
const CHUNK: usize = 64 * 1024;
/// The maximum length of a frame's head, with its mask.
const MAX_HEAD: usize = 14;
/// A final binary frame.
const BINARY: u8 = 0x82;

/// Relays between each tab that connects to `listen`, one after the other, and this peer.
pub(crate) fn serve(listen: SocketAddr, peer: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen)?;
    loop {
        let (tab, _) = listener.accept()?;
        // A connection that is no WebSocket only asks whether somebody listens.
        relay(&tab, peer).ok();
    }
}

fn relay(tab: &TcpStream, peer: SocketAddr) -> Result<()> {
    tungstenite::accept(tab.try_clone()?)?;
    let peer = TcpStream::connect(peer)?;
    tab.set_nodelay(true)?;
    peer.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let copied = to_tab(&peer, tab);
            // Ends the other direction.
            tab.shutdown(Shutdown::Both).ok();
            copied
        });
        let copied = to_peer(tab, &peer);
        peer.shutdown(Shutdown::Both).ok();
        copied
    })
}

fn to_tab(mut peer: &TcpStream, mut tab: &TcpStream) -> Result<()> {
    let mut buffer = vec![0; MAX_HEAD + CHUNK];
    loop {
        let (space, payload) = buffer.split_at_mut(MAX_HEAD);
        let length = peer.read(payload)?;
        if length == 0 {
            return Ok(());
        }
        let head = frame_head(length);
        let start = MAX_HEAD - head.len();
        space[start..].copy_from_slice(&head);
        tab.write_all(&buffer[start..MAX_HEAD + length])?;
    }
}

/// The head of a final binary frame from a server.
pub(crate) fn frame_head(length: usize) -> Vec<u8> {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => vec![BINARY, short],
        (_, Ok(long)) => [&[BINARY, 126][..], &long.to_be_bytes()].concat(),
        _ => [&[BINARY, 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

fn to_peer(mut tab: &TcpStream, mut peer: &TcpStream) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut frame = Frame::default();
    // Bytes of a head that is not complete.
    let mut kept = 0;
    loop {
        let length = tab.read(&mut buffer[kept..])?;
        if length == 0 {
            return Ok(());
        }
        let end = kept + length;
        let mut at = 0;
        while at < end {
            if frame.left == 0 {
                let Some(head) = Frame::parse(&buffer[at..end])? else {
                    break;
                };
                at += head.0;
                frame = head.1;
            }
            let part = frame.left.min(end - at);
            let payload = &mut buffer[at..at + part];
            frame.unmask(payload);
            peer.write_all(payload)?;
            at += part;
        }
        buffer.copy_within(at..end, 0);
        kept = end - at;
    }
}

/// A client's frame whose payload is being read.
#[derive(Default)]
struct Frame {
    left: usize,
    /// Begins with the byte for the next byte of the payload.
    mask: [u8; 4],
}

impl Frame {
    /// Reads a head; returns its length too. `None`: it is not complete.
    fn parse(bytes: &[u8]) -> Result<Option<(usize, Self)>> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        ensure!(
            first & 0x0f <= 2 && second & 0x80 != 0,
            "neither data nor a masked frame"
        );
        let size = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((length, rest)) = rest.split_at_checked(size) else {
            return Ok(None);
        };
        let Some(&mask) = rest.first_chunk() else {
            return Ok(None);
        };
        let left = match size {
            0 => usize::from(second & 0x7f),
            _ => length
                .iter()
                .fold(0, |left, byte| left << 8 | usize::from(*byte)),
        };
        Ok(Some((2 + size + mask.len(), Self { left, mask })))
    }

    fn unmask(&mut self, payload: &mut [u8]) {
        let (words, rest) = payload.as_chunks_mut::<4>();
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(self.mask)).to_ne_bytes();
        }
        rest.iter_mut()
            .zip(self.mask)
            .for_each(|(byte, mask)| *byte ^= mask);
        self.mask.rotate_left(rest.len());
        self.left -= payload.len();
    }
}
