//! What comes of a request to the storage worker.

use aqueduct_core::OpError;
use aqueduct_core::types::Sha1Digest;
use bytes::Bytes;

use crate::storage::error::FsError;
use crate::storage::message::Answer;

/// What the storage worker answered, and the bytes of [`Answer::Bytes`].
pub(super) type Reply = Result<(Answer, Bytes), Failure>;

/// Why a request failed.
pub(super) enum Failure {
    /// The worker answered with this error, or could not be asked.
    Answered(OpError),
    /// The worker ended before it answered.
    Ended(OpError),
}

impl From<Failure> for OpError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Answered(error) | Failure::Ended(error) => error,
        }
    }
}

/// The digest in a reply.
pub(super) fn digest_in(reply: Reply) -> Result<Sha1Digest, OpError> {
    digest(&reply?.0).ok_or_else(unexpected)
}

/// The digest in an answer.
pub(super) const fn digest(answer: &Answer) -> Option<Sha1Digest> {
    match answer {
        Answer::Digest(digest) => Some(*digest),
        _ => None,
    }
}

/// What `pick` takes of an answer; `None` if not all of what was asked for exists.
pub(super) fn if_present<T>(
    reply: Reply,
    pick: impl FnOnce(Answer, Bytes) -> Option<T>,
) -> Result<Option<T>, OpError> {
    match reply? {
        (Answer::Missing, _) => Ok(None),
        (answer, bytes) => pick(answer, bytes).map(Some).ok_or_else(unexpected),
    }
}

/// An answer to another question, which the storage worker never gives.
fn unexpected() -> OpError {
    FsError::Unknown.into()
}
