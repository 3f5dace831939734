//! What the bridge's side of the tunnel reports to its driver.

use std::net::SocketAddr;

use bytes::Bytes;

use super::join::{JoinRequest, JoinUpdate};
use super::offer::OfferedFile;
use super::refusal::Refusal;

/// An event on the bridge's side.
#[derive(Clone, Debug)]
pub enum ServerEvent {
    /// The tab's `Hello` arrived. Answer with [`super::Server::welcome`] or [`super::Server::refuse`].
    Hello {
        /// The tab's token, or empty.
        token: Bytes,
    },
    /// The tab joins a swarm.
    Join {
        /// The number of the join.
        join: u32,
        /// The request.
        request: JoinRequest,
    },
    /// The tab joins more swarms than permitted. Answer with [`super::Server::refuse_join`].
    JoinBeyondLimit {
        /// The number of the join.
        join: u32,
    },
    /// A join changed.
    Update {
        /// The join.
        join: u32,
        /// The new state.
        update: JoinUpdate,
    },
    /// The tab sent addresses of further peers of a join. They are untrusted, and must be filtered
    /// and limited before any is dialled.
    Hint {
        /// The join.
        join: u32,
        /// The addresses, at most [`super::MAX_HINTS`].
        addrs: Vec<SocketAddr>,
    },
    /// The tab leaves a swarm: close the join's streams.
    Leave {
        /// The join.
        join: u32,
    },
    /// The tab offers a file to media players. Answer with [`super::Server::offered`].
    Offer {
        /// The number of the offer.
        offer: u32,
        /// The file.
        file: OfferedFile,
    },
    /// The tab withdraws an offer: close its streams.
    Withdrawn {
        /// The offer.
        offer: u32,
    },
    /// Data for a peer or a player, as a slice of the message. Return the credit with
    /// [`super::Server::consumed`].
    Data {
        /// The stream.
        stream: u32,
        /// Never empty.
        bytes: Bytes,
    },
    /// The tab closed a stream. Not sent after [`super::Server::close`].
    StreamClosed {
        /// The stream.
        stream: u32,
    },
    /// The session has ended, because of [`super::Server::refuse`] or a timeout. Send the packed messages
    /// and close the WebSocket with [`Refusal::close_code`].
    Ended(Refusal),
}
