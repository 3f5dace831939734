//! The configuration of the tab's side of the tunnel.

use super::credit::Windows;
use super::keepalive::Keepalive;

/// The configuration of a tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// The token for bridges that require one, at most 256 bytes; longer ones are cut. Default:
    /// empty.
    pub token: String,
    /// The number of bytes accepted before any is consumed. Default: 512 KiB per stream, 32 MiB in
    /// all.
    pub windows: Windows,
    /// The limit in bytes to which the window of a stream grows while the bridge exhausts it.
    /// Default: 8 MiB, which permits 200 Mbit/s per peer over a path of 300 ms.
    pub widest: u32,
    /// The number of queued bytes per stream above which [`super::Client::send`] fails. Default: 4 MiB.
    pub max_queued: usize,
    /// When the bridge counts as gone; only `silence` is used here.
    pub keepalive: Keepalive,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            token: String::new(),
            windows: Windows {
                stream: 512 << 10,
                session: 32 << 20,
            },
            widest: 8 << 20,
            max_queued: 4 << 20,
            keepalive: Keepalive::default(),
        }
    }
}
