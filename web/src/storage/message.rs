//! The messages between the engine's worker and the storage worker.
//!
//! Those of one callback of the browser leave together ([`Outbox`]): an array of the messages with
//! their numbers, encoded, and of their attachments, which are transferred. Every [`Request`] is
//! answered once, under its number: with [`Answer::Done`], unless it says otherwise, or with
//! [`Answer::Failed`]. Writes, flushes and everything else that touches files are carried
//! out in the order in which they were requested.

use std::cell::RefCell;

use aqueduct_core::OpError;
use aqueduct_core::types::TorrentId;
use js_sys::{Array, ArrayBuffer};
use wasm_bindgen::{JsCast, JsValue};

use super::space::Need;
use crate::codec::{self, Encoded};
use crate::texts::Language;

/// The name of the storage worker, before the tag of its language.
const WORKER_NAME: &str = "storage-";
/// The number of messages that answer no request.
pub(super) const UNASKED: u64 = 0;

/// The name of a storage worker that has texts in this language. The program knows by its name what
/// it is.
pub(super) fn worker_name(language: Language) -> String {
    format!("{WORKER_NAME}{}", language.tag())
}

/// The language of the storage worker with this name; `None` if it is another worker.
pub(crate) fn language_in(name: &str) -> Option<Language> {
    let tag = name.strip_prefix(WORKER_NAME)?;
    Some(Language::of_tag(tag).unwrap_or_default())
}

/// A range of a torrent's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encoded)]
pub(super) struct Span {
    pub(super) torrent: u32,
    /// The offset of the first byte in the torrent.
    pub(super) offset: u64,
    /// The number of bytes.
    pub(super) length: u32,
}

impl Span {
    pub(super) const fn id(self) -> TorrentId {
        TorrentId(self.torrent)
    }
}

/// From the engine's worker.
#[derive(Clone, Debug, PartialEq, Eq, Encoded)]
pub(super) enum Request {
    /// The folder of a torrent to which other requests refer. The attachment is its raw `info`
    /// dictionary.
    Torrent { torrent: u32, folder: String },
    /// Digests the first `length` bytes of the attachment, and keeps it for a [`Request::Write`].
    /// Answered with the digest.
    Digest { length: u32 },
    /// Returns the piece of an earlier [`Request::Digest`], which is not written.
    Release { piece: u64 },
    /// Writes the piece of an earlier [`Request::Digest`], or the attachment, which comes back with
    /// the answer. With `need`, only if the browser grants this page that many more bytes.
    Write {
        span: Span,
        need: Option<Need>,
        piece: Option<u64>,
    },
    /// Writes the attachment and answers with its digest.
    Add { span: Span, need: Option<Need> },
    /// Answered with [`Answer::Bytes`] or [`Answer::Missing`].
    Read { span: Span },
    /// Reads and digests a piece. Answered with the digest or [`Answer::Missing`].
    Check { span: Span },
    /// Makes the writes to a torrent's files durable.
    Flush { torrent: u32 },
    /// Stores the attachment, an encoded resume record, as the torrent's next generation.
    Save { folder: String },
    /// Stores the bridge's token.
    SaveToken { token: String },
    /// Marks a torrent as removed by the user, or removes the mark.
    MarkRemoved { folder: String, removed: bool },
    /// Marks a folder as that of a torrent which is being created under this name; `None` removes
    /// the mark.
    MarkCreating {
        folder: String,
        name: Option<String>,
    },
    /// Closes a torrent's files and deletes its folder.
    Delete { torrent: u32, folder: String },
    /// Deletes a folder that belongs to no torrent.
    DeleteLeftover { folder: String },
    /// Deletes the records and marks in a folder, but not the data.
    ForgetRecords { folder: String },
    /// Answered with [`Answer::Present`]: whether the folder of all torrents exists.
    CheckPresent,
    /// Opens the storage again after all its contents were deleted.
    Reopen,
}

/// From the storage worker.
#[derive(Clone, Debug, PartialEq, Eq, Encoded)]
pub(super) enum Answer {
    /// It holds the lock of the storage and takes requests.
    Ready,
    /// The request was carried out.
    Done,
    /// The SHA-1 digest of the bytes.
    Digest([u8; 20]),
    /// The attachment contains the bytes.
    Bytes,
    /// Not all of the bytes are stored.
    Missing,
    /// The answer to [`Request::CheckPresent`].
    Present(bool),
    /// The request failed.
    Failed {
        /// Whether the cause is lack of space.
        full: bool,
        /// The reason and what to do, for the user.
        message: String,
    },
}

impl From<OpError> for Answer {
    fn from(error: OpError) -> Self {
        let message = error.to_string();
        let full = matches!(error, OpError::Storage { full: true, .. });
        Self::Failed { full, message }
    }
}

/// A message with its number and attachment.
pub(super) struct Envelope<T> {
    pub(super) number: u64,
    pub(super) message: T,
    pub(super) attachment: Option<ArrayBuffer>,
}

impl<T: Encoded> Envelope<T> {
    /// Unpacks a received value; empty if it does not consist of such messages.
    pub(super) fn unpack(value: JsValue) -> Vec<Self> {
        let unpacked = || {
            let value: Array = value.dyn_into().ok()?;
            let messages: Vec<(u64, T)> = codec::from_js(&value.get(0))?;
            let attachments: Array = value.get(1).dyn_into().ok()?;
            let received = messages.into_iter().zip(attachments);
            let envelopes = received.map(|((number, message), attachment)| Self {
                number,
                message,
                attachment: attachment.dyn_into().ok(),
            });
            Some(envelopes.collect())
        };
        unpacked().unwrap_or_default()
    }
}

/// Messages that leave together. Each message costs both sides much beside the few bytes of a
/// torrent's smallest pieces.
pub(super) struct Outbox<T>(RefCell<Vec<Envelope<T>>>);

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Encoded> Outbox<T> {
    /// Adds a message. Returns whether it is the first one since [`Outbox::take`].
    pub(super) fn push(&self, envelope: Envelope<T>) -> bool {
        let mut waiting = self.0.borrow_mut();
        waiting.push(envelope);
        waiting.len() == 1
    }

    /// The value to post, and what is transferred with it; `None` if there is no message.
    pub(super) fn take(&self) -> Option<(Array, Array)> {
        let waiting = self.0.take();
        if waiting.is_empty() {
            return None;
        }
        let (all, transferred) = (Array::new(), Array::new());
        let mut messages = Vec::with_capacity(waiting.len());
        for envelope in waiting {
            messages.push((envelope.number, envelope.message));
            let attachment = JsValue::from(envelope.attachment);
            if !attachment.is_undefined() {
                transferred.push(&attachment);
            }
            all.push(&attachment);
        }
        Some((Array::of2(&codec::to_js(&messages), &all), transferred))
    }

    /// Removes all messages.
    pub(super) fn clear(&self) {
        self.0.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_storage_worker_tells_its_language() {
        for (language, _) in Language::ALL {
            assert_eq!(language_in(&worker_name(language)), Some(language));
        }
        assert_eq!(language_in(""), None);
    }
}
