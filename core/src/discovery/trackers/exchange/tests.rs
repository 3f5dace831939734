use rand::SeedableRng;

use super::*;
use crate::discovery::Amounts;
use crate::discovery::trackers::{Announce, AnnounceEvent};
use crate::types::{InfoHashV1, PeerId};

const ID: QueryId = QueryId(1);

struct World {
    client: UdpClient,
    rng: ChaCha8Rng,
}

impl World {
    fn new() -> Self {
        Self {
            client: UdpClient::default(),
            rng: ChaCha8Rng::from_seed([1; 32]),
        }
    }

    fn start(&mut self, now: u64, id: QueryId, addrs: &[&str]) -> Sent {
        let announce = Announce {
            info_hash: InfoHashV1([1; 20]),
            peer_id: PeerId([2; 20]),
            port: 1,
            amounts: Amounts::default(),
            event: AnnounceEvent::None,
            key: 0,
            num_want: 1,
        };
        let addrs = addrs.iter().map(|addr| endpoint(addr)).collect();
        sent(self.client.start(
            at(now),
            id,
            addrs,
            Ask::Announce(announce),
            "/",
            &mut self.rng,
        ))
    }

    fn receive(
        &mut self,
        now: u64,
        from: &str,
        action: u32,
        transaction: u32,
        body: &[u8],
    ) -> Option<Step> {
        let bytes = [&action.to_be_bytes(), &transaction.to_be_bytes(), body].concat();
        self.client
            .receive(at(now), from.parse().unwrap(), &bytes, &mut self.rng)
            .map(|(_, step)| step)
    }

    fn time_out(&mut self, now: u64) -> Step {
        self.client.time_out(at(now), ID, &mut self.rng).unwrap()
    }
}

struct Sent {
    to: String,
    connect: bool,
    transaction: u32,
    deadline: u64,
}

fn endpoint(addr: &str) -> Endpoint {
    addr.parse::<SocketAddr>().unwrap().into()
}

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

fn sent(step: Step) -> Sent {
    let Step::Send {
        to,
        bytes,
        deadline,
    } = step
    else {
        panic!("over")
    };
    let transaction = u32::from_be_bytes(bytes[12..16].try_into().unwrap());
    Sent {
        to: to.to_string(),
        connect: bytes[8..12] == [0; 4],
        transaction,
        deadline: deadline.0 / 1_000_000,
    }
}

#[test]
fn a_connection_id_serves_for_a_minute() {
    let mut world = World::new();
    let first = world.start(0, ID, &["1.1.1.1:1"]);
    assert!(first.connect);
    let second = sent(
        world
            .receive(0, "1.1.1.1:1", 0, first.transaction, &[0; 8])
            .unwrap(),
    );
    assert!(!second.connect && second.transaction != first.transaction);
    let over = world
        .receive(0, "1.1.1.1:1", 1, second.transaction, &[0; 12])
        .unwrap();
    assert!(matches!(over, Step::Over(Ok(_))));
    assert!(!world.start(59, QueryId(2), &["1.1.1.1:1"]).connect);
    assert!(world.start(60, QueryId(3), &["1.1.1.1:1"]).connect);
}

#[test]
fn only_the_asked_address_with_the_right_transaction_and_action_is_heard() {
    let mut world = World::new();
    let first = world.start(0, ID, &["1.1.1.1:1"]);
    assert!(
        world
            .receive(0, "1.1.1.1:2", 0, first.transaction, &[0; 8])
            .is_none()
    );
    assert!(
        world
            .receive(0, "1.1.1.2:1", 0, first.transaction, &[0; 8])
            .is_none()
    );
    assert!(
        world
            .receive(0, "1.1.1.1:1", 0, first.transaction ^ 1, &[0; 8])
            .is_none()
    );
    assert!(
        world
            .receive(0, "1.1.1.1:1", 1, first.transaction, &[0; 12])
            .is_none()
    );
    assert!(
        world
            .receive(0, "1.1.1.1:1", 0, first.transaction, &[0; 8])
            .is_some()
    );
    assert!(
        world
            .receive(0, "1.1.1.1:1", 0, first.transaction, &[0; 8])
            .is_none(),
        "an answer counts once"
    );
}

#[test]
fn silence_is_answered_by_bep_15s_retry_times() {
    let mut world = World::new();
    let mut sending = world.start(0, ID, &["1.1.1.1:1", "[2000::1]:1"]);
    let mut times = vec![sending.deadline];
    for attempt in 1..=8 {
        sending = sent(world.time_out(sending.deadline));
        assert_eq!(
            sending.to,
            if attempt % 2 == 0 {
                "1.1.1.1:1"
            } else {
                "[2000::1]:1"
            }
        );
        times.push(sending.deadline);
    }
    assert_eq!(times, [15, 45, 105, 225, 465, 945, 1905, 3825, 7665]);
    let over = world.time_out(7665);
    assert!(
        matches!(over, Step::Over(Err(TrackerError::Timeout(waited))) if waited.as_secs() == 7665)
    );
    assert!(world.client.transactions.is_empty());
}

#[test]
fn an_expired_connection_id_is_fetched_anew_before_a_retry() {
    let mut world = World::new();
    let first = world.start(0, ID, &["1.1.1.1:1"]);
    let second = sent(
        world
            .receive(0, "1.1.1.1:1", 0, first.transaction, &[0; 8])
            .unwrap(),
    );
    assert_eq!(second.deadline, 15);
    assert!(!sent(world.time_out(15)).connect);
    assert!(!sent(world.time_out(45)).connect);
    assert!(sent(world.time_out(105)).connect);
}

#[test]
fn a_refused_connection_id_is_renewed_once() {
    let mut world = World::new();
    let first = world.start(0, ID, &["1.1.1.1:1"]);
    let second = sent(
        world
            .receive(0, "1.1.1.1:1", 0, first.transaction, &[0; 8])
            .unwrap(),
    );
    let third = sent(
        world
            .receive(0, "1.1.1.1:1", 3, second.transaction, b"who?")
            .unwrap(),
    );
    assert!(third.connect);
    let fourth = sent(
        world
            .receive(0, "1.1.1.1:1", 0, third.transaction, &[0; 8])
            .unwrap(),
    );
    let over = world
        .receive(0, "1.1.1.1:1", 3, fourth.transaction, b"who?")
        .unwrap();
    assert!(matches!(over, Step::Over(Err(TrackerError::Failure(text))) if text == "who?"));
}

#[test]
fn an_unreachable_address_is_passed_over() {
    let mut world = World::new();
    world.start(0, ID, &["1.1.1.1:1", "[2000::1]:1"]);
    let mut steps =
        world
            .client
            .unreachable(at(0), &endpoint("1.1.1.1:1"), "no route", &mut world.rng);
    assert_eq!(sent(steps.remove(0).1).to, "[2000::1]:1");
    let mut steps =
        world
            .client
            .unreachable(at(0), &endpoint("[2000::1]:1"), "no route", &mut world.rng);
    assert!(
        matches!(steps.remove(0).1, Step::Over(Err(TrackerError::Unreachable(text))) if text == "[2000::1]:1: no route")
    );
}
