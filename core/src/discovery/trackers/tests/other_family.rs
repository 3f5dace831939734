//! Trackers of both address families (BEP 7).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::DiscoverRequest;
use crate::bencode::Encoder;
use crate::discovery::dht::Family;
use crate::discovery::swarm::{Amounts, Key, Swarm};
use crate::discovery::trackers::{
    Config, Fetched, Input, Output, QueryId, Request, Summary, TrackerError, TrackerState, Trackers,
};
use crate::types::{InfoHashV1, Instant, PeerId};

const KEY: Key = Key {
    info_hash: InfoHashV1([1; 20]),
    owner: 0,
};
const V4: &str = "9.9.9.9:1";
const V6: &str = "[2600::9]:1";

struct World {
    machine: Trackers,
    now: Instant,
}

impl World {
    fn with(tracker: &str) -> Self {
        let mut machine = Trackers::new(Config::default(), [1; 32]);
        let trackers = vec![vec![tracker.to_owned()]];
        let swarm = Swarm {
            trackers,
            peer_id: PeerId([2; 20]),
            port: 1,
            amounts: Amounts::default(),
            private: false,
        };
        machine.add(Instant::ZERO, KEY, swarm).unwrap();
        machine.request(Instant::ZERO, KEY, DiscoverRequest::Start);
        Self {
            machine,
            now: Instant::ZERO,
        }
    }

    fn hear(&mut self, input: Input) -> Vec<Output> {
        self.machine.handle(self.now, input);
        self.outputs()
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.machine.poll_output())
            .filter(|output| !matches!(output, Output::Status { .. }))
            .collect()
    }

    fn request(&mut self, request: DiscoverRequest) -> Vec<Output> {
        self.machine.request(self.now, KEY, request);
        self.outputs()
    }

    fn state(&self) -> (usize, bool) {
        let status = self.machine.tracker_status(KEY).remove(0);
        let TrackerState::Ok { peers, .. } = status.state else {
            panic!("{status:?}")
        };
        (peers, status.asking)
    }

    /// An HTTP answer with these peers.
    fn answer(&mut self, id: QueryId, from: &str, peers: &[u8]) -> Vec<Output> {
        let body = Encoder::new()
            .int("complete", 3)
            .bytes("external ip", [8, 8, 8, 8])
            .bytes("peers", peers)
            .finish()
            .into();
        let from = from.parse::<SocketAddr>().unwrap().ip();
        self.hear(Input::HttpResponse {
            id,
            result: Ok(Fetched {
                body,
                from,
                dual: true,
            }),
        })
    }

    fn datagram(&mut self, from: &str, action: u32, sent: &Output, body: &[u8]) -> Vec<Output> {
        let Output::Net(Request::UdpSend { to, bytes, .. }) = sent else {
            panic!("{sent:?}")
        };
        assert_eq!(to.to_string(), from);
        let bytes = [&action.to_be_bytes(), &bytes[12..16], body]
            .concat()
            .into();
        self.hear(Input::UdpPacket {
            from: from.parse().unwrap(),
            bytes,
        })
    }
}

fn get(outputs: &[Output]) -> (QueryId, String, Option<Family>) {
    let gets = outputs.iter().filter_map(|output| {
        if let Output::Net(Request::HttpGet {
            id, url, family, ..
        }) = output
        {
            Some((*id, url.clone(), *family))
        } else {
            None
        }
    });
    let gets: Vec<_> = gets.collect();
    assert_eq!(gets.len(), 1, "{outputs:?}");
    gets[0].clone()
}

const fn cancel(id: QueryId) -> Output {
    Output::Net(Request::Cancel(id))
}

fn peers(outputs: &[Output]) -> Vec<String> {
    let named = outputs.iter().filter_map(|output| {
        if let Output::Peers { addrs, .. } = output {
            Some(addrs)
        } else {
            None
        }
    });
    named.flatten().map(ToString::to_string).collect()
}

#[test]
fn a_tracker_of_both_families_hears_every_event_over_both_and_reads_as_one() {
    let mut world = World::with("http://t/announce");
    let (first, url, family) = get(&world.outputs());
    assert_eq!((url.contains("event=started"), family), (true, None));
    let said = world.answer(first, V6, &[1, 2, 3, 4, 0, 1]);
    assert_eq!(peers(&said), ["1.2.3.4:1"]);
    let (second, url, family) = get(&said);
    assert_eq!(
        (url.contains("event=started"), family),
        (true, Some(Family::V4))
    );
    assert_eq!(
        world.state(),
        (1, false),
        "nobody waits for the other family"
    );
    let said = world.answer(second, V4, &[1, 2, 3, 4, 0, 1, 5, 6, 7, 8, 0, 2]);
    assert_eq!(peers(&said), ["5.6.7.8:2"], "no peer is told twice");
    assert!(
        !said
            .iter()
            .any(|output| matches!(output, Output::Net(Request::HttpGet { .. }))),
        "{said:?}"
    );
    assert_eq!(world.state(), (2, false));
    assert_eq!(
        Summary::of(&world.machine.tracker_status(KEY)).to_string(),
        "asked 1 tracker: 1 knows peers"
    );
    let (bye, url, _) = get(&world.request(DiscoverRequest::Stop));
    assert!(url.contains("event=stopped"));
    let (_, url, family) = get(&world.answer(bye, V4, &[]));
    assert_eq!(
        (url.contains("event=stopped"), family),
        (true, Some(Family::V6))
    );
}

#[test]
fn our_own_address_comes_with_who_saw_it() {
    let mut world = World::with("http://t/announce");
    let (id, ..) = get(&world.outputs());
    let said = world.answer(id, V4, &[]);
    let (ip, by) = (IpAddr::from([8, 8, 8, 8]), IpAddr::from([9, 9, 9, 9]));
    assert!(
        said.contains(&Output::ExternalIp { key: KEY, ip, by }),
        "{said:?}"
    );
}

#[test]
fn a_family_that_fails_is_no_failure_of_the_tracker() {
    let mut world = World::with("http://t/announce");
    let (first, ..) = get(&world.outputs());
    let (second, ..) = get(&world.answer(first, V4, &[1, 2, 3, 4, 0, 1]));
    let error = TrackerError::Unreachable("no route".to_owned());
    assert_eq!(
        world.hear(Input::HttpResponse {
            id: second,
            result: Err(error)
        }),
        []
    );
    assert_eq!(world.state(), (1, false));
}

#[test]
fn silence_in_the_other_family_ends_and_holds_up_no_farewell() {
    let mut world = World::with("http://t/announce");
    let (first, ..) = get(&world.outputs());
    let (second, ..) = get(&world.answer(first, V4, &[1, 2, 3, 4, 0, 1]));
    world.now = world.now + Duration::from_secs(30);
    assert_eq!(world.hear(Input::Timeout), [cancel(second)]);
    let (bye, ..) = get(&world.request(DiscoverRequest::Stop));
    world.machine.remove(world.now, KEY);
    let (second, ..) = get(&world.answer(bye, V4, &[]));
    world.now = world.now + Duration::from_secs(15);
    assert_eq!(
        world.hear(Input::Timeout),
        [cancel(second), Output::Left(KEY)]
    );
    assert!(world.machine.is_empty() && world.machine.poll_timeout().is_none());
}

#[test]
fn a_udp_tracker_has_an_exchange_of_its_own_in_each_family() {
    let mut world = World::with("udp://t:1/announce");
    let said = world.outputs();
    let [Output::Net(Request::Resolve { id, .. })] = said[..] else {
        panic!("{said:?}")
    };
    let said = world.hear(Input::Resolved {
        id,
        result: Ok(vec![V4.parse().unwrap(), V6.parse().unwrap()]),
    });
    let said = world.datagram(V4, 0, &said[0], &[0; 8]);
    let said = world.datagram(
        V4,
        1,
        &said[0],
        &[&[0; 12][..], &[1, 2, 3, 4, 0, 1]].concat(),
    );
    assert_eq!(peers(&said), ["1.2.3.4:1"]);
    let said = world.datagram(V6, 0, &said[0], &[0; 8]);
    let v6 = [&[0; 12][..], &[0x26], &[0; 14], &[7, 0, 1]].concat();
    assert_eq!(
        peers(&world.datagram(V6, 1, &said[0], &v6)),
        ["[2600::7]:1"]
    );
    assert_eq!(world.state(), (2, false));
}
