//! Buffers for pieces, which are used again: allocating one of a MiB costs the browser as many page
//! faults as it has pages, and dropped ones stay allocated until the browser collects garbage.

use aqueduct_core::io::Rope;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsValue;

use crate::browser::buffers::BufferSink;

/// The maximum total size of spare buffers, in bytes: as much as the storage worker holds. At least
/// one is kept, whatever its size.
const MAX_SPARE: u32 = 4 << 20;

/// Spare buffers.
pub(super) struct Buffers {
    spare: Vec<ArrayBuffer>,
    sink: BufferSink,
}

impl Buffers {
    pub(super) fn new() -> Result<Self, JsValue> {
        Ok(Self {
            spare: Vec::new(),
            sink: BufferSink::new()?,
        })
    }

    /// A buffer of at least `length` bytes, whose contents are arbitrary, and its first `length`
    /// bytes.
    pub(super) fn take(&mut self, length: u32) -> (ArrayBuffer, Uint8Array) {
        let fits = |buffer: &ArrayBuffer| {
            (length..=length.saturating_mul(2)).contains(&buffer.byte_length())
        };
        let buffer = match self.spare.iter().position(fits) {
            Some(at) => self.spare.swap_remove(at),
            None => ArrayBuffer::new(length),
        };
        let bytes = view(&buffer, length);
        (buffer, bytes)
    }

    /// A buffer whose first bytes are those of `data`.
    pub(super) fn filled_with(&mut self, data: &Rope) -> (ArrayBuffer, u32) {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let (buffer, bytes) = self.take(length);
        let mut at = 0;
        for slice in &data.0 {
            let end = at + u32::try_from(slice.len()).unwrap_or(u32::MAX);
            bytes.subarray(at, end).copy_from(slice);
            at = end;
        }
        (buffer, length)
    }

    /// Takes a buffer back. If there is no room for it, larger ones are freed first: they are left from
    /// a torrent with larger pieces.
    pub(super) fn give_back(&mut self, buffer: ArrayBuffer) {
        let length = buffer.byte_length();
        if !self.has_room(length) {
            let spare = std::mem::take(&mut self.spare).into_iter();
            let (kept, larger): (Vec<_>, Vec<_>) =
                spare.partition(|other| other.byte_length() <= length);
            self.spare = kept;
            larger.iter().for_each(|buffer| self.sink.free(buffer));
        }
        if self.spare.is_empty() || self.has_room(length) {
            self.spare.push(buffer);
        } else {
            self.sink.free(&buffer);
        }
    }

    fn has_room(&self, length: u32) -> bool {
        let spare: u32 = self.spare.iter().map(ArrayBuffer::byte_length).sum();
        spare.saturating_add(length) <= MAX_SPARE
    }

    /// Frees a buffer that is not used again.
    pub(super) fn free(&self, buffer: &ArrayBuffer) {
        self.sink.free(buffer);
    }
}

/// The first `length` bytes of a buffer.
pub(super) fn view(buffer: &ArrayBuffer, length: u32) -> Uint8Array {
    Uint8Array::new_with_byte_offset_and_length(buffer, 0, length)
}
