//! The network returns after an outage.

use super::*;

impl World {
    fn network_returns(&mut self) -> Vec<Said> {
        self.machine.handle_network_return(self.now);
        self.said()
    }
}

#[test]
fn trackers_that_failed_during_an_outage_are_asked_when_the_network_returns_one_after_the_other() {
    let mut world = World::with(&[&["http://a/"], &["http://b/"]]);
    let (first, ..) = announce(&world.request(Start));
    let (second, ..) = announce(&world.fail(first));
    assert_eq!(world.fail(second), []);
    world.pass(2);
    let (again, host, event) = announce(&world.network_returns());
    assert_eq!((host.as_str(), event.as_str()), ("a", "started"));
    let (other, host, _) = announce(&world.fail(again));
    assert_eq!(host, "b");
    world.answer(other, peers(1800, None));
}

#[test]
fn a_request_that_hangs_since_the_outage_is_replaced() {
    let mut world = World::with(&[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.pass(2);
    let said = world.network_returns();
    assert_eq!(said[0], Said::Cancel(first));
    let (_, host, _) = announce(&said);
    assert_eq!(host, "a");
}

#[test]
fn a_tracker_that_answered_is_told_again_but_not_before_its_least_interval() {
    let mut world = World::with(&[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.answer(first, peers(1800, None));
    world.pass(10);
    assert_eq!(world.network_returns(), []);
    let (_, _, event) = announce(&world.tick());
    assert_eq!((world.seconds(), event.as_str()), (60, "none"));
}

#[test]
fn what_a_tracker_refused_stays_refused() {
    let mut world = World::with(&[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    let refusal = TrackerError::Failure("unregistered".to_owned());
    world.answer(first, Err(refusal));
    world.pass(2);
    assert_eq!(world.network_returns(), []);
}
