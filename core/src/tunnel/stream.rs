//! `Open` and `Close`: the start and end of a stream.

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::reader::{Reader, put_peer_addr};
use crate::connection::{Encrypted, Line, Transport};
use crate::types::{PeerAddr, PeerId};
use crate::wire::Reserved;

/// A peer that has answered a handshake with the join's info-hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The join.
    pub join: u32,
    /// The address of the peer.
    pub addr: PeerAddr,
    /// Whether the bridge dialled it, so that `addr` is its listening address.
    pub dialled: bool,
    /// The peer's id.
    pub peer_id: PeerId,
    /// The peer's capabilities.
    pub reserved: Reserved,
    /// How bytes travel between the bridge and the peer.
    pub line: Line,
}

impl Opened {
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.join);
        put_peer_addr(out, self.addr);
        out.put_u8(u8::from(self.dialled));
        out.put_slice(&self.peer_id.0);
        out.put_slice(&self.reserved.0);
        out.put_u8(transport_number(self.line.transport));
        out.put_u8(encrypted_number(self.line.encrypted));
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let (join, addr, dialled) = (r.u32()?, r.peer_addr()?, r.flag()?);
        let opened = Self {
            join,
            addr,
            dialled,
            peer_id: PeerId(r.array()?),
            reserved: Reserved(r.array()?),
            line: Line {
                transport: read_transport(&mut r)?,
                encrypted: read_encrypted(&mut r)?,
            },
        };
        r.end()?;
        Ok(opened)
    }
}

/// Every transport with which a bridge reaches peers. Not WebRTC, which connects tabs without it.
const TRANSPORTS: [Transport; 3] = [Transport::Tcp, Transport::Utp, Transport::Pipe];

const fn transport_number(transport: Transport) -> u8 {
    match transport {
        Transport::Tcp => 1,
        Transport::Utp => 2,
        Transport::Pipe => 3,
        Transport::WebRtc => 4,
    }
}

fn read_transport(r: &mut Reader) -> Result<Transport, Fault> {
    let number = r.u8()?;
    TRANSPORTS
        .into_iter()
        .find(|transport| transport_number(*transport) == number)
        .ok_or(r.fault())
}

const fn encrypted_number(encrypted: Encrypted) -> u8 {
    match encrypted {
        Encrypted::Nothing => 0,
        Encrypted::Handshake => 1,
        Encrypted::Everything => 2,
    }
}

fn read_encrypted(r: &mut Reader) -> Result<Encrypted, Fault> {
    match r.u8()? {
        0 => Ok(Encrypted::Nothing),
        1 => Ok(Encrypted::Handshake),
        2 => Ok(Encrypted::Everything),
        _ => Err(r.fault()),
    }
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamClose {
    /// The tab closed it.
    #[error("the tab closed the stream")]
    Tab,
    /// The peer closed its connection.
    #[error("the peer closed the connection")]
    Peer,
    /// The connection between bridge and peer failed.
    #[error("the connection to the peer broke")]
    Broken,
    /// The tab left the swarm.
    #[error("the tab left the swarm")]
    Left,
    /// The bridge is stopping.
    #[error("the bridge is being restarted")]
    Draining,
    /// The torrent turned out to be private (BEP 27), and the peer was not returned by a tracker.
    #[error("the torrent is private and its trackers do not name this peer")]
    Private,
    /// The player has received all that it requested, or has closed its connection.
    #[error("the player needs no more")]
    Player,
}

impl StreamClose {
    const ALL: [Self; 7] = [
        Self::Tab,
        Self::Peer,
        Self::Broken,
        Self::Left,
        Self::Draining,
        Self::Private,
        Self::Player,
    ];

    const fn number(self) -> u8 {
        match self {
            Self::Tab => 1,
            Self::Peer => 2,
            Self::Broken => 3,
            Self::Left => 4,
            Self::Draining => 5,
            Self::Private => 6,
            Self::Player => 7,
        }
    }

    pub(super) fn write(self, out: &mut BytesMut) {
        out.put_u8(self.number());
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let number = r.u8()?;
        let reason = Self::ALL
            .into_iter()
            .find(|reason| reason.number() == number)
            .ok_or(r.fault())?;
        r.end()?;
        Ok(reason)
    }
}
