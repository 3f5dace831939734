//! `Hello` and `Welcome`: how a session begins.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};

use super::credit::Windows;
use super::error::Fault;
use super::reader::{Reader, put_bytes, put_socket_addr};

/// The tunnel's version.
pub const VERSION: u16 = 2;
/// Longest token: 256 bytes.
pub(super) const MAX_TOKEN: usize = 256;

/// The tab's first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) version: u16,
    /// Shown to bridges that want one; else empty.
    pub(super) token: Bytes,
    /// What the tab takes.
    pub(super) windows: Windows,
}

impl Hello {
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u16(self.version);
        put_bytes(out, &self.token);
        self.windows.write(out);
    }

    /// What follows the known fields is left to later versions.
    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        Ok(Self {
            version: r.u16()?,
            token: r.bytes(MAX_TOKEN)?,
            windows: Windows::read(&mut r)?,
        })
    }
}

/// What one session may have at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Torrents joined at a time.
    pub joins: u16,
    /// Streams at a time, over all joins. Never 0.
    pub streams: u16,
}

/// The bridge's first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// What this session may have.
    pub limits: Limits,
    /// What the bridge takes.
    pub windows: Windows,
    /// Where the bridge sees the tab.
    pub observed: SocketAddr,
    /// Where peers dial the bridge in order to reach the tab (`p` of BEP 10); 0: nowhere.
    pub peer_port: u16,
}

impl Welcome {
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u16(VERSION);
        out.put_u16(self.limits.joins);
        out.put_u16(self.limits.streams);
        self.windows.write(out);
        put_socket_addr(out, self.observed);
        out.put_u16(self.peer_port);
    }

    /// What follows the known fields is left to later versions.
    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let version = r.u16()?;
        let limits = Limits {
            joins: r.u16()?,
            streams: r.u16()?,
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
