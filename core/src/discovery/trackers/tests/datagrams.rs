//! UDP trackers (BEP 15).

use super::*;

#[test]
fn a_udp_tracker_is_resolved_connected_and_asked() {
    let mut world = World::with(&[&["udp://t.example:6969/announce"]]);
    let [Said::Resolve(id, name)] = &world.request(Start)[..] else {
        panic!("a lookup expected")
    };
    assert_eq!(name, "t.example:6969");
    let to: SocketAddr = "9.9.9.9:6969".parse().unwrap();
    world.machine.handle(
        world.now,
        Input::Resolved {
            id: *id,
            result: Ok(vec![to]),
        },
    );
    let connect = datagram(&world.said(), to);
    world.datagram(to, 0, &connect[12..16], &[5; 8]);
    let request = datagram(&world.said(), to);
    assert_eq!(request[..8], [5; 8]);
    world.datagram(
        "9.9.9.8:6969".parse().unwrap(),
        1,
        &request[12..16],
        &[0; 12],
    );
    assert_eq!(world.said(), [], "another address is not heard");
    world.datagram(
        to,
        1,
        &request[12..16],
        &[0, 0, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 0, 80],
    );
    assert_eq!(world.said(), [Said::Peers(0, 1)]);
    assert_eq!(
        world.state(0),
        TrackerState::Ok {
            seeders: Some(2),
            leechers: Some(1),
            peers: 1
        }
    );
    let farewell = datagram(&world.request(Stop), to);
    assert_eq!(
        (farewell[..8].to_vec(), farewell[83]),
        (vec![5; 8], 3),
        "the connection id serves for the farewell, too"
    );
}

impl World {
    fn datagram(&mut self, from: SocketAddr, action: u8, transaction: &[u8], body: &[u8]) {
        let bytes = Bytes::from([&[0, 0, 0, action], transaction, body].concat());
        self.machine
            .handle(self.now, Input::UdpPacket { from, bytes });
    }
}

fn datagram(said: &[Said], expected: impl Into<Endpoint>) -> Bytes {
    let [Said::Datagram(to, bytes)] = said else {
        panic!("one datagram expected: {said:?}")
    };
    assert_eq!(*to, expected.into());
    bytes.clone()
}

#[test]
fn a_silent_udp_tracker_is_passed_over_but_still_heard() {
    let mut world = World::with(&[&["udp://9.9.9.9:1/"], &["http://b/"]]);
    let [Said::Resolve(id, _)] = &world.request(Start)[..] else {
        panic!("a lookup expected")
    };
    let to: SocketAddr = "9.9.9.9:1".parse().unwrap();
    world.machine.handle(
        world.now,
        Input::Resolved {
            id: *id,
            result: Ok(vec![to]),
        },
    );
    datagram(&world.said(), to);
    let (second, host, _) = announce(&world.tick());
    assert_eq!((host.as_str(), world.now), ("b", Instant(500_000)));
    world.answer(second, peers(1800, None));
    assert_eq!(
        world.tick(),
        [],
        "from now on it does not count among the queries"
    );
    assert_eq!(world.seconds(), 5);
    let again = datagram(&world.tick(), to);
    assert_eq!(world.seconds(), 15);
    world.datagram(to, 0, &again[12..16], &[5; 8]);
    let request = datagram(&world.said(), to);
    world.datagram(to, 1, &request[12..16], &[0; 12]);
    assert_eq!(
        world.state(0),
        TrackerState::Ok {
            seeders: Some(0),
            leechers: Some(0),
            peers: 0
        }
    );
}

#[test]
fn a_name_that_a_proxy_resolves_is_asked_by_name_and_answers_from_wherever_it_leads() {
    let mut world = World::with(&[&["udp://t.example:6969/announce"]]);
    let [Said::Resolve(id, _)] = &world.request(Start)[..] else {
        panic!("a lookup expected")
    };
    let to = Endpoint::Name {
        host: "t.example".to_owned(),
        port: 6969,
    };
    world.machine.handle(world.now, Input::ByName { id: *id });
    let connect = datagram(&world.said(), to.clone());
    let (v4, v6): (SocketAddr, SocketAddr) = (
        "9.9.9.9:6969".parse().unwrap(),
        "[2001:db8::9]:6969".parse().unwrap(),
    );
    world.datagram(v4, 0, &[9; 4], &[5; 8]);
    assert_eq!(world.said(), [], "another transaction");
    world.datagram(v4, 0, &connect[12..16], &[5; 8]);
    let request = datagram(&world.said(), to.clone());
    assert_eq!(request[..8], [5; 8]);
    // The family of the answer's addresses is that of its sender (BEP 15).
    let mut peers = [0; 12 + 18];
    peers[3] = 1;
    peers[12..].copy_from_slice(&[
        0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 80,
    ]);
    world.datagram(v6, 1, &request[12..16], &peers);
    assert_eq!(world.said(), [Said::Peers(0, 1)]);
    // The next one uses the connection id of the name.
    let [Said::Resolve(id, _)] = &world.request(Stop)[..] else {
        panic!("a lookup expected")
    };
    world.machine.handle(world.now, Input::ByName { id: *id });
    let farewell = datagram(&world.said(), to);
    assert_eq!(farewell[..8], [5; 8]);
}

#[test]
fn a_name_to_which_the_proxy_relays_nothing_has_failed_with_its_reason() {
    let mut world = World::with(&[&["udp://t.example:6969/announce"]]);
    let [Said::Resolve(id, _)] = &world.request(Start)[..] else {
        panic!("a lookup expected")
    };
    world.machine.handle(world.now, Input::ByName { id: *id });
    let [Said::Datagram(to, _)] = &world.said()[..] else {
        panic!("a datagram expected")
    };
    let (to, message) = (to.clone(), "no relay".to_owned());
    world
        .machine
        .handle(world.now, Input::UdpFailed { to, message });
    assert_eq!(
        world.state(0),
        TrackerState::Failed(TrackerError::Unreachable(
            "t.example:6969: no relay".to_owned()
        ))
    );
}
