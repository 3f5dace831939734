//! `Hello` and `Welcome`: the start of a session.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};

use super::credit::Windows;
use super::error::Fault;
use super::reader::{Reader, put_bytes, put_socket_addr};

/// The tunnel's version. A bridge refuses tabs of another one, which are told to reload the page.
pub const VERSION: u16 = 4;
/// The maximum length of a token: 256 bytes.
pub(super) const MAX_TOKEN: usize = 256;

/// The tab's first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) version: u16,
    /// The token, or empty.
    pub(super) token: Bytes,
    /// The windows of the tab.
    pub(super) windows: Windows,
}

impl Hello {
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u16(self.version);
        put_bytes(out, &self.token);
        self.windows.write(out);
    }

    /// Fields after the known ones are reserved for later versions.
    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        Ok(Self {
            version: r.u16()?,
            token: r.bytes(MAX_TOKEN)?,
            windows: Windows::read(&mut r)?,
        })
    }
}

/// The limits of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum number of simultaneous joins.
    pub joins: u16,
    /// The maximum number of simultaneous streams over all joins. Never 0.
    pub streams: u16,
    /// The maximum number of files offered to players at the same time. 0: no file can be offered,
    /// as the tab and the bridge are not known to be on one machine.
    pub offers: u16,
    /// The maximum number of simultaneous reads of offered files.
    pub reads: u16,
}

/// The bridge's first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The limits of this session.
    pub limits: Limits,
    /// The windows of the bridge.
    pub windows: Windows,
    /// The tab's address as seen by the bridge.
    pub observed: SocketAddr,
    /// The port at which peers can reach the tab through the bridge (`p` of BEP 10); 0: none.
    pub peer_port: u16,
}

impl Welcome {
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u16(VERSION);
        out.put_u16(self.limits.joins);
        out.put_u16(self.limits.streams);
        out.put_u16(self.limits.offers);
        out.put_u16(self.limits.reads);
        self.windows.write(out);
        put_socket_addr(out, self.observed);
        out.put_u16(self.peer_port);
    }

    /// Fields after the known ones are reserved for later versions.
    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let version = r.u16()?;
        let limits = Limits {
            joins: r.u16()?,
            streams: r.u16()?,
            offers: r.u16()?,
            reads: r.u16()?,
        };
        if version != VERSION || limits.streams == 0 {
            return Err(r.fault());
        }
        Ok(Self {
            limits,
            windows: Windows::read(&mut r)?,
            observed: r.socket_addr()?,
            peer_port: r.u16()?,
        })
    }
}
