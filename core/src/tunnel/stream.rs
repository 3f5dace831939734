//! `Open` and `Close`: the start and end of a stream.

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::reader::{Reader, put_peer_addr};
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
}

impl Opened {
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.join);
        put_peer_addr(out, self.addr);
        out.put_u8(u8::from(self.dialled));
        out.put_slice(&self.peer_id.0);
        out.put_slice(&self.reserved.0);
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let (join, addr, dialled) = (r.u32()?, r.peer_addr()?, r.flag()?);
        let opened = Self {
            join,
            addr,
            dialled,
            peer_id: PeerId(r.array()?),
            reserved: Reserved(r.array()?),
        };
        r.end()?;
        Ok(opened)
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
}

impl StreamClose {
    const ALL: [Self; 6] = [
        Self::Tab,
        Self::Peer,
        Self::Broken,
        Self::Left,
        Self::Draining,
        Self::Private,
    ];

    const fn number(self) -> u8 {
        match self {
            Self::Tab => 1,
            Self::Peer => 2,
            Self::Broken => 3,
            Self::Left => 4,
            Self::Draining => 5,
            Self::Private => 6,
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
