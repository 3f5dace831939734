//! The state machine with simulated trackers.

mod datagrams;
mod events;
mod limits;
mod order;
mod other_family;
mod outages;
mod random;
mod refusals;
mod scrapes;
mod side_by_side;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use super::{
    Config, Endpoint, Fetched, Input, Output, QueryId, Reason, Request, Summary, TrackerError,
    TrackerState, Trackers,
};
use crate::bencode::Encoder;
use crate::discovery::swarm::{AddError, Amounts, Key, Swarm};
use crate::io::DiscoverRequest::{Completed, More, Start, Stop};
use crate::types::{InfoHashV1, Instant, PeerId};

const KEY: Key = Key {
    info_hash: InfoHashV1([b'h'; 20]),
    owner: 0,
};

const COMPLETE: Amounts = Amounts {
    uploaded: 0,
    downloaded: 0,
    left: Some(0),
};

/// A machine, a clock, and the outputs.
struct World {
    machine: Trackers,
    now: Instant,
}

/// Outputs in the form that tests compare.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Get(QueryId, String),
    Resolve(QueryId, String),
    Datagram(Endpoint, Bytes),
    Cancel(QueryId),
    Peers(u64, usize),
    Left(u64),
    External(IpAddr),
}

impl World {
    fn new(config: Config) -> Self {
        Self {
            machine: Trackers::new(config, [7; 32]),
            now: Instant::ZERO,
        }
    }

    fn with(tiers: &[&[&str]]) -> Self {
        let mut world = Self::new(Config::default());
        world.add(KEY, tiers);
        world
    }

    fn add(&mut self, key: Key, tiers: &[&[&str]]) {
        let trackers = tiers
            .iter()
            .map(|tier| tier.iter().map(|url| (*url).to_owned()).collect())
            .collect();
        let amounts = Amounts {
            left: Some(100),
            ..Amounts::default()
        };
        self.machine
            .add(
                self.now,
                key,
                Swarm {
                    trackers,
                    peer_id: PeerId([b'p'; 20]),
                    port: 6881,
                    amounts,
                    private: false,
                },
            )
            .unwrap();
    }

    fn request(&mut self, request: crate::DiscoverRequest) -> Vec<Said> {
        self.machine.request(self.now, KEY, request);
        self.said()
    }

    fn remove(&mut self) -> Vec<Said> {
        self.machine.remove(self.now, KEY);
        self.said()
    }

    fn answer(&mut self, id: QueryId, result: Result<Vec<u8>, TrackerError>) -> Vec<Said> {
        self.machine.handle(
            self.now,
            Input::HttpResponse {
                id,
                result: result.map(fetched),
            },
        );
        self.said()
    }

    fn fail(&mut self, id: QueryId) -> Vec<Said> {
        self.answer(id, Err(TrackerError::Unreachable("nobody".to_owned())))
    }

    /// Advances to the next deadline.
    fn tick(&mut self) -> Vec<Said> {
        self.now = self.machine.poll_timeout().expect("a deadline").0;
        self.machine.handle(self.now, Input::Timeout);
        self.said()
    }

    fn pass(&mut self, seconds: u64) -> Vec<Said> {
        self.now = self.now + Duration::from_secs(seconds);
        self.machine.handle(self.now, Input::Timeout);
        self.said()
    }

    fn said(&mut self) -> Vec<Said> {
        let outputs: Vec<Output> = std::iter::from_fn(|| self.machine.poll_output()).collect();
        outputs.into_iter().filter_map(said).collect()
    }

    fn seconds(&self) -> u64 {
        self.now.0 / 1_000_000
    }

    fn state(&self, index: usize) -> TrackerState {
        self.machine.tracker_status(KEY)[index].state.clone()
    }
}

fn fetched(body: Vec<u8>) -> Fetched {
    Fetched {
        body: body.into(),
        from: IpAddr::from([9, 9, 9, 9]),
        dual: false,
    }
}

fn said(output: Output) -> Option<Said> {
    Some(match output {
        Output::Net(Request::HttpGet { id, url, .. }) => Said::Get(id, url),
        Output::Net(Request::Resolve { id, host, port, .. }) => {
            Said::Resolve(id, format!("{host}:{port}"))
        }
        Output::Net(Request::UdpSend { to, bytes, .. }) => Said::Datagram(to, bytes),
        Output::Net(Request::Cancel(id)) => Said::Cancel(id),
        Output::Peers { key, addrs, .. } => Said::Peers(key.owner, addrs.len()),
        Output::Left(key) => Said::Left(key.owner),
        Output::ExternalIp { ip, .. } => Said::External(ip),
        Output::Status { .. } => return None,
    })
}

/// The only announce among the outputs: its id, the tracker, the event.
fn announce(said: &[Said]) -> (QueryId, String, String) {
    let gets: Vec<_> = said
        .iter()
        .filter_map(|said| {
            if let Said::Get(id, url) = said {
                Some((*id, url))
            } else {
                None
            }
        })
        .collect();
    let [(id, url)] = gets[..] else {
        panic!("one announce expected: {said:?}")
    };
    let host = url.split('/').nth(2).unwrap_or_default().to_owned();
    let event = url
        .split("&event=")
        .nth(1)
        .unwrap_or("none")
        .split('&')
        .next()
        .unwrap_or_default()
        .to_owned();
    (id, host, event)
}

fn peers(interval: u32, min_interval: Option<u32>) -> Result<Vec<u8>, TrackerError> {
    let mut answer = Encoder::new();
    answer
        .int("interval", interval)
        .bytes("peers", [1, 2, 3, 4, 0, 80]);
    min_interval.into_iter().for_each(|seconds| {
        answer.int("min interval", seconds);
    });
    Ok(answer.finish())
}

fn nobody() -> Result<Vec<u8>, TrackerError> {
    Ok(b"d8:intervali1800e5:peers0:e".to_vec())
}

fn refusal(retry: &str) -> Result<Vec<u8>, TrackerError> {
    Ok(format!("d14:failure reason4:busy8:retry in{retry}e").into_bytes())
}
