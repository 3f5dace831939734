//! Refusals by trackers, and how they are reported.

use super::*;

#[test]
fn a_refusing_tracker_is_asked_again_when_it_says() {
    let mut world = World::with(&[&["http://a/announce"]]);
    let (id, ..) = announce(&world.request(Start));
    world.answer(id, refusal("i40e"));
    assert_eq!(
        world.machine.poll_timeout(),
        Some((Instant(40 * 60 * 1_000_000), Reason::Announce))
    );
    let (id, ..) = announce(&world.tick());
    world.answer(id, refusal("i999999999e"));
    assert_eq!(
        world.machine.poll_timeout().unwrap().0,
        world.now + Duration::from_secs(24 * 3600),
        "within bounds"
    );
}

#[test]
fn a_tracker_that_never_wants_to_be_asked_again_is_not() {
    let mut world = World::with(&[&["http://a/announce"], &["http://b/announce"]]);
    let (id, ..) = announce(&world.request(Start));
    let (id, host, _) = announce(&world.answer(id, refusal("5:never")));
    assert_eq!(host, "b");
    assert_eq!(world.answer(id, nobody()), []);
    assert_eq!(world.request(More), []);
    assert_eq!(announce(&world.pass(1800)).1, "b");
    assert_eq!(
        world.state(0),
        TrackerState::Failed(TrackerError::Never("busy".to_owned()))
    );
}

#[test]
fn our_own_address_is_handed_on() {
    let mut world = World::with(&[&["http://a/announce"]]);
    let (id, ..) = announce(&world.request(Start));
    let body = Encoder::new().bytes("external ip", [9, 8, 7, 6]).finish();
    assert_eq!(
        world.answer(id, Ok(body)),
        [Said::External("9.8.7.6".parse().unwrap())]
    );
}
