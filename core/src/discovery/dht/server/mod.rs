//! Queries of other nodes, and our answers (BEP 5, 32, 51).

mod store;
mod tokens;

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use self::store::Store;
use self::tokens::Tokens;
use super::config::Config;
use super::id::{Contact, NodeId};
use super::io::Family;
use super::krpc::{Answer, Body, Message, Method, Query, QueryError, Samples, Want};
use super::local_node::LocalNodes;
use super::table::SIZE;
use crate::net::AnswerLimiter;
use crate::types::{InfoHashV1, Instant};

/// The number of peers in an answer, per family. Together with nodes of both families the datagram
/// stays below 1,280 bytes, which fits into every path's MTU.
const fn peers_given(family: Family) -> usize {
    match family {
        Family::V4 => 50,
        Family::V6 => 30,
    }
}

/// The number of swarms in an answer, and the time for which they stay the same (BEP 51), so that
/// listing all swarms takes many queries.
const SAMPLES_GIVEN: usize = 20;
const SAMPLE_LIFE: Duration = Duration::from_secs(10 * 60);

/// Answers queries.
#[derive(Debug)]
pub(super) struct Server {
    tokens: Tokens,
    store: Store,
    limiter: AnswerLimiter,
    sample: Vec<InfoHashV1>,
    sampled: Option<Instant>,
}

/// A query and its context.
pub(super) struct Asked<'a> {
    pub(super) now: Instant,
    pub(super) from: SocketAddr,
    pub(super) transaction: &'a [u8],
    pub(super) query: Result<&'a Query<'a>, QueryError>,
}

impl Server {
    pub(super) fn new(config: &Config, now: Instant, rng: &mut ChaCha8Rng) -> Self {
        Self {
            tokens: Tokens::new(now, rng),
            store: Store::new(config.max_stored),
            limiter: AnswerLimiter::new(config.answer_rate, config.questions_per_address),
            sample: Vec::new(),
            sampled: None,
        }
    }

    /// The datagram that answers, unless a rate limit is exceeded.
    pub(super) fn answer(
        &mut self,
        asked: &Asked<'_>,
        local: &LocalNodes,
        rng: &mut ChaCha8Rng,
    ) -> Option<Vec<u8>> {
        let Asked {
            now,
            from,
            transaction,
            query,
        } = *asked;
        if !self.limiter.admits(now, from) {
            return None;
        }
        self.tokens.rotate(now, rng);
        self.store.expire(now);
        let token = self.tokens.give(from.ip());
        let reply = query.and_then(|query| self.reply(now, from, query, &token, local, rng));
        let body = reply.map_or_else(Body::BadQuery, Body::Answer);
        let bytes = Message {
            transaction,
            read_only: false,
            ip: Some(from),
            body,
        }
        .encode();
        self.limiter.spends(now, bytes.len()).then_some(bytes)
    }

    /// A sample of the peers that were announced to us.
    pub(super) fn peers(
        &self,
        hash: InfoHashV1,
        family: Family,
        rng: &mut ChaCha8Rng,
    ) -> Vec<SocketAddr> {
        self.store.peers(hash, family, peers_given(family), rng)
    }

    fn reply<'t>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        query: &Query<'_>,
        token: &'t [u8],
        local: &LocalNodes,
        rng: &mut ChaCha8Rng,
    ) -> Result<Answer<'t>, QueryError> {
        let family = Family::of(&from);
        let own = local.get(family).map_or(query.id, |node| node.id);
        let near = |target: &NodeId| contacts(local, target, query.want, family);
        let answer = Answer::new(own);
        match query.method {
            Method::Ping => Ok(answer),
            Method::FindNode(target) => Ok(Answer {
                contacts: near(&target),
                ..answer
            }),
            Method::GetPeers(hash) => {
                let peers = self.peers(hash, family, rng);
                Ok(Answer {
                    contacts: near(&hash.into()),
                    token: Some(token),
                    peers,
                    ..answer
                })
            }
            Method::Announce { token: shown, .. } if !self.tokens.accepts(from.ip(), shown) => {
                Err(QueryError::Token)
            }
            Method::Announce {
                info_hash, port, ..
            } => {
                let port = port.unwrap_or(from.port());
                self.store
                    .add(now, info_hash, SocketAddr::new(from.ip(), port));
                Ok(answer)
            }
            Method::Sample(target) => Ok(Answer {
                contacts: near(&target),
                samples: Some(self.samples(now, rng)),
                ..answer
            }),
        }
    }

    fn samples(&mut self, now: Instant, rng: &mut ChaCha8Rng) -> Samples {
        if self.sampled.is_none_or(|at| now.since(at) >= SAMPLE_LIFE) {
            (self.sample, self.sampled) = (self.store.hashes(SAMPLES_GIVEN, rng), Some(now));
        }
        let age = self.sampled.map_or(Duration::ZERO, |at| now.since(at));
        let stored = u32::try_from(self.store.swarms()).unwrap_or(u32::MAX);
        Samples {
            interval: SAMPLE_LIFE.saturating_sub(age),
            stored,
            hashes: self.sample.clone(),
        }
    }
}

/// Nodes close to `target`, of the requested families.
fn contacts(
    local: &LocalNodes,
    target: &NodeId,
    want: Option<Want>,
    family: Family,
) -> Vec<Contact> {
    let wanted = |of| match (want, of) {
        (None, _) => of == family,
        (Some(want), Family::V4) => want.v4,
        (Some(want), Family::V6) => want.v6,
    };
    let local = local.iter().filter(|(of, _)| wanted(*of));
    local
        .flat_map(|(_, node)| node.table.closest(target, SIZE))
        .collect()
}
