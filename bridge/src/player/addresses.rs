//! The addresses of all sessions.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use aqueduct_core::tunnel::{OfferedFile, PlayerToken};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::compare::is_same;
use crate::limits::Limits;
use crate::limits::connection_time::Extension;
use crate::metrics::Metrics;
use crate::player::body::{Body, Held};
use crate::player::request::Request;
use crate::sync::lock;

/// Every token, and which file of which session it is for.
#[derive(Debug)]
pub(crate) struct Addresses {
    all: Mutex<Vec<Address>>,
    /// Reads that may be in progress at the same time.
    slots: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Address {
    token: PlayerToken,
    session: u64,
    offered: Offered,
}

/// A file, and how to read it.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) offer: u32,
    pub(crate) file: OfferedFile,
    /// To the session of its tab.
    pub(crate) requests: mpsc::UnboundedSender<Request>,
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// As many reads are in progress as may be.
    Busy,
    /// No tab offers it any more.
    Withdrawn,
}

impl Addresses {
    pub(crate) fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            all: Mutex::default(),
            slots: Arc::new(Semaphore::new(limits.player_reads)),
            metrics,
        }
    }

    /// Makes an address for an offer of a session.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn add(&self, session: u64, offered: Offered) -> io::Result<PlayerToken> {
        let mut token = PlayerToken([0; 16]);
        getrandom::fill(&mut token.0).map_err(io::Error::other)?;
        self.change(|all| {
            all.push(Address {
                token,
                session,
                offered,
            });
        });
        Ok(token)
    }

    /// Forgets the address of an offer of a session.
    pub(crate) fn remove(&self, session: u64, offer: u32) {
        let is_meant = |known: &Address| known.session == session && known.offered.offer == offer;
        self.change(|all| all.retain(|known| !is_meant(known)));
    }

    /// Forgets all addresses of a session.
    pub(crate) fn remove_session(&self, session: u64) {
        self.change(|all| all.retain(|known| known.session != session));
    }

    fn change(&self, act: impl FnOnce(&mut Vec<Address>)) {
        let mut all = lock(&self.all);
        act(&mut all);
        self.metrics.players.addresses.set(all.len());
    }

    /// The file for this token. Compares with every token, so that the time reveals nothing about
    /// them.
    pub(crate) fn find(&self, token: PlayerToken) -> Option<Offered> {
        let all = lock(&self.all);
        let found = all.iter().fold(None, |found, known| {
            let is_it = is_same(&known.token.0, &token.0);
            if is_it { Some(known) } else { found }
        });
        found.map(|known| known.offered.clone())
    }

    /// Starts to read bytes of the file for this token.
    ///
    /// # Errors
    /// As many reads are in progress as may be, or the file was withdrawn in the meantime.
    pub(crate) async fn read(
        &self,
        (token, offered): (PlayerToken, &Offered),
        bytes: Range<u64>,
        connection: Extension,
    ) -> Result<Body, Unread> {
        let players = &self.metrics.players;
        if let Some(body) = self.try_read(offered, bytes, connection).await {
            players.reads_total.add(1);
            Ok(body)
        } else if self.find(token).is_none() {
            Err(Unread::Withdrawn)
        } else {
            players.refused_total.add(1);
            Err(Unread::Busy)
        }
    }

    async fn try_read(
        &self,
        offered: &Offered,
        bytes: Range<u64>,
        connection: Extension,
    ) -> Option<Body> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let (answer, answered) = oneshot::channel();
        let request = Request {
            offer: offered.offer,
            bytes,
            held: Held::new(slot, connection),
            answer,
        };
        offered.requests.send(request).ok()?;
        answered.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::media::MediaType;

    use super::*;
    use crate::limits::connection_time::ConnectionTime;

    #[tokio::test]
    async fn a_file_that_is_withdrawn_while_it_is_requested_is_not_said_to_be_busy() {
        let metrics = Arc::new(Metrics::default());
        let addresses = Addresses::new(&Limits::default(), Arc::clone(&metrics));
        // The session is over, so that nobody receives the request.
        let (requests, _) = mpsc::unbounded_channel();
        let media_type = MediaType::parse("audio/mpeg").unwrap();
        let offered = Offered {
            offer: 1,
            file: OfferedFile {
                size: 9,
                media_type,
            },
            requests,
        };
        let token = addresses.add(7, offered.clone()).unwrap();
        let read = async || {
            let connection = ConnectionTime::default().extend();
            let read = addresses.read((token, &offered), 0..9, connection).await;
            read.map(|_| ())
        };
        let refused = || metrics.players.refused_total.get();
        assert_eq!((read().await, refused()), (Err(Unread::Busy), 1));
        addresses.remove_session(7);
        assert_eq!((read().await, refused()), (Err(Unread::Withdrawn), 1));
    }
}
