//! A received message. Its bytes stay in the browser's memory until each frame is copied to where it
//! is used, so that payload is copied once on its way into this program's memory.

use aqueduct_core::tunnel::Fault;
use aqueduct_core::tunnel::frame::{self, HEADER, Header};
use js_sys::Uint8Array;

/// A message whose frames are taken one after another.
pub(super) struct Received {
    bytes: Uint8Array,
    at: u32,
}

/// A frame of a received message.
pub(super) struct ReceivedFrame {
    pub(super) header: Header,
    /// The whole frame.
    bytes: Uint8Array,
}

impl Received {
    /// A message; an error if it is empty or too long.
    pub(super) fn new(bytes: Uint8Array) -> Result<Self, Fault> {
        frame::check_length(bytes.length() as usize)?;
        Ok(Self { bytes, at: 0 })
    }

    /// The next frame; `None` at the end of the message.
    pub(super) fn next_frame(&mut self) -> Result<Option<ReceivedFrame>, Fault> {
        let (at, end) = (self.at, self.bytes.length());
        let left = (end - at) as usize;
        if left == 0 {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        if left < HEADER {
            return Err(Fault::CutHeader {
                expected: HEADER,
                received: left,
            });
        }
        self.bytes
            .subarray(at, at + in_browser(HEADER))
            .copy_to(&mut header);
        let header = Header::parse(header)?;
        let received = left - HEADER;
        if received < header.length {
            return Err(frame::cut(header.kind, header.length, received));
        }
        self.at = at + in_browser(HEADER + header.length);
        Ok(Some(ReceivedFrame {
            header,
            bytes: self.bytes.subarray(at, self.at),
        }))
    }
}

impl ReceivedFrame {
    /// Copies the payload, which has the length of the destination.
    pub(super) fn copy_payload_to(&self, destination: &mut [u8]) {
        let end = self.bytes.length();
        self.bytes
            .subarray(in_browser(HEADER), end)
            .copy_to(destination);
    }

    /// A copy of the whole frame.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }
}

/// Lengths and offsets in the browser's memory have 32 bits; those here are below a MiB.
fn in_browser(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
