//! Announces and scrapes over UDP in progress (BEP 15): connect, request, retransmit.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::announce::{Answer, Ask};
use super::endpoint::Endpoint;
use super::io::QueryId;
use super::status::TrackerError;
use super::udp::{Response, announce, connect, scrape};
use crate::types::Instant;

/// BEP 15: a connection id may be used for one minute.
const CONNECTION_LIFE: Duration = Duration::from_secs(60);

/// BEP 15: the timeout of an attempt is 15·2ⁿ seconds,
const FIRST_WAIT: Duration = Duration::from_secs(15);

/// for n from 0 to 8.
const LAST_ATTEMPT: u32 = 8;

/// All announces over UDP.
#[derive(Debug, Default)]
pub(crate) struct UdpClient {
    exchanges: BTreeMap<QueryId, Exchange>,
    transactions: BTreeMap<u32, QueryId>,
    connections: BTreeMap<Endpoint, Connection>,
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    id: u64,
    expires: Instant,
}

/// The next step of an exchange.
#[derive(Debug)]
pub(crate) enum Step {
    Send {
        to: Endpoint,
        bytes: Bytes,
        deadline: Instant,
    },
    Over(Result<Answer, TrackerError>),
}

#[derive(Debug)]
struct Exchange {
    ask: Ask,
    path_and_query: String,
    /// Where it is asked, in turn.
    endpoints: Vec<Endpoint>,
    turn: usize,
    attempt: u32,
    transaction: u32,
    /// The connection id of the last announce; `None` if a connect was sent.
    connection: Option<u64>,
    /// Whether a connection id was refused and a new one requested.
    renewed: bool,
}

impl Exchange {
    fn to(&self) -> Option<&Endpoint> {
        let turn = self.turn % self.endpoints.len().max(1);
        self.endpoints.get(turn)
    }
}

impl UdpClient {
    /// Starts an announce at the first of `endpoints`; each further attempt uses the next one.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        id: QueryId,
        endpoints: Vec<Endpoint>,
        ask: Ask,
        path: &str,
        rng: &mut ChaCha8Rng,
    ) -> Step {
        let path_and_query = path.to_owned();
        let exchange = Exchange {
            ask,
            path_and_query,
            endpoints,
            turn: 0,
            attempt: 0,
            transaction: 0,
            connection: None,
            renewed: false,
        };
        self.send(now, id, exchange, rng)
    }

    /// Handles a datagram, which must match a pending transaction and come from the address that
    /// was asked.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        rng: &mut ChaCha8Rng,
    ) -> Option<(QueryId, Step)> {
        let response = Response::parse(bytes)?;
        let id = *self.transactions.get(&response.transaction)?;
        let asked = self.exchanges.get(&id)?.to()?;
        if !asked.accepts(from) {
            return None;
        }
        let asked = asked.clone();
        let is_v6 = from.is_ipv6();
        Some((id, self.answer(now, id, (asked, is_v6), &response, rng)?))
    }

    fn answer(
        &mut self,
        now: Instant,
        id: QueryId,
        (asked, is_v6): (Endpoint, bool),
        response: &Response<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Option<Step> {
        let exchange = self.exchanges.get(&id)?;
        if let Some(error) = response.as_error() {
            // The tracker may have forgotten the connection id, for example after a restart.
            return if exchange.connection.is_some() && !exchange.renewed {
                self.renew(now, id, &asked, rng)
            } else {
                self.over(id, Err(error))
            };
        }
        let answer = if exchange.connection.is_some() {
            match exchange.ask {
                Ask::Announce(_) => response.as_answer(is_v6).transpose()?,
                Ask::Scrape(_) => response.as_scrape().transpose()?,
            }
        } else {
            match response.as_connection().transpose()? {
                Ok(connection) => return self.connected(now, id, asked, connection, rng),
                Err(error) => Err(error),
            }
        };
        self.over(id, answer)
    }

    fn connected(
        &mut self,
        now: Instant,
        id: QueryId,
        asked: Endpoint,
        connection: u64,
        rng: &mut ChaCha8Rng,
    ) -> Option<Step> {
        self.connections
            .retain(|_, connection| connection.expires > now);
        self.connections.insert(
            asked,
            Connection {
                id: connection,
                expires: now + CONNECTION_LIFE,
            },
        );
        let exchange = self.take(id)?;
        Some(self.send(now, id, exchange, rng))
    }

    fn renew(
        &mut self,
        now: Instant,
        id: QueryId,
        asked: &Endpoint,
        rng: &mut ChaCha8Rng,
    ) -> Option<Step> {
        self.connections.remove(asked);
        let exchange = self.take(id)?;
        Some(self.send(
            now,
            id,
            Exchange {
                renewed: true,
                ..exchange
            },
            rng,
        ))
    }

    fn over(&mut self, id: QueryId, result: Result<Answer, TrackerError>) -> Option<Step> {
        self.take(id).map(|_| Step::Over(result))
    }

    /// Handles the timeout of the last step.
    pub(crate) fn time_out(
        &mut self,
        now: Instant,
        id: QueryId,
        rng: &mut ChaCha8Rng,
    ) -> Option<Step> {
        let exchange = self.take(id)?;
        if exchange.attempt == LAST_ATTEMPT {
            let waited = FIRST_WAIT * ((2 << LAST_ATTEMPT) - 1);
            return Some(Step::Over(Err(TrackerError::Timeout(waited))));
        }
        let exchange = Exchange {
            attempt: exchange.attempt + 1,
            turn: exchange.turn + 1,
            ..exchange
        };
        Some(self.send(now, id, exchange, rng))
    }

    /// Handles an endpoint to which nothing can be sent: its exchanges continue with their next one,
    /// or end if there is none.
    pub(crate) fn unreachable(
        &mut self,
        now: Instant,
        to: &Endpoint,
        message: &str,
        rng: &mut ChaCha8Rng,
    ) -> Vec<(QueryId, Step)> {
        let hit = self
            .exchanges
            .iter()
            .filter(|(_, exchange)| exchange.to() == Some(to));
        let ids: Vec<QueryId> = hit.map(|(id, _)| *id).collect();
        ids.into_iter()
            .filter_map(|id| Some((id, self.go_around(now, id, to, message, rng)?)))
            .collect()
    }

    fn go_around(
        &mut self,
        now: Instant,
        id: QueryId,
        to: &Endpoint,
        message: &str,
        rng: &mut ChaCha8Rng,
    ) -> Option<Step> {
        let mut exchange = self.take(id)?;
        exchange.endpoints.retain(|endpoint| endpoint != to);
        if exchange.endpoints.is_empty() {
            return Some(Step::Over(Err(TrackerError::Unreachable(format!(
                "{to}: {message}"
            )))));
        }
        Some(self.send(now, id, exchange, rng))
    }

    /// Whether more than a connect was sent, so that the tracker may have received the announce.
    pub(crate) fn has_announced(&self, id: QueryId) -> bool {
        self.exchanges
            .get(&id)
            .is_some_and(|exchange| exchange.connection.is_some())
    }

    /// Removes an announce.
    pub(crate) fn cancel(&mut self, id: QueryId) {
        self.take(id);
    }

    fn take(&mut self, id: QueryId) -> Option<Exchange> {
        let exchange = self.exchanges.remove(&id)?;
        self.transactions.remove(&exchange.transaction);
        Some(exchange)
    }

    fn send(
        &mut self,
        now: Instant,
        id: QueryId,
        mut exchange: Exchange,
        rng: &mut ChaCha8Rng,
    ) -> Step {
        let Some(to) = exchange.to().cloned() else {
            return Step::Over(Err(TrackerError::Unreachable(
                "its name has no address".to_owned(),
            )));
        };
        exchange.transaction = self.fresh_transaction(rng);
        exchange.connection = self
            .connections
            .get(&to)
            .filter(|connection| connection.expires > now)
            .map(|connection| connection.id);
        let bytes = match (exchange.connection, &exchange.ask) {
            (Some(connection), Ask::Announce(what)) => announce(
                connection,
                exchange.transaction,
                what,
                &exchange.path_and_query,
            ),
            (Some(connection), Ask::Scrape(info_hash)) => {
                scrape(connection, exchange.transaction, info_hash)
            }
            (None, _) => connect(exchange.transaction),
        };
        let deadline = now + FIRST_WAIT * (1 << exchange.attempt);
        self.transactions.insert(exchange.transaction, id);
        self.exchanges.insert(id, exchange);
        Step::Send {
            to,
            bytes,
            deadline,
        }
    }

    /// Random, so that hosts which cannot see our datagrams cannot answer them.
    fn fresh_transaction(&self, rng: &mut ChaCha8Rng) -> u32 {
        loop {
            let transaction = rng.next_u32();
            if !self.transactions.contains_key(&transaction) {
                return transaction;
            }
        }
    }
}

#[cfg(test)]
mod tests;
