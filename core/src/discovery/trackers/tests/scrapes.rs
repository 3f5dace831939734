//! Scrapes: counts without joining the swarm (BEP 48).

use super::*;

impl World {
    fn scrape(&mut self) -> Vec<Said> {
        self.machine.scrape(self.now, KEY);
        self.said()
    }
}

#[test]
fn a_scrape_asks_all_trackers_at_once_and_joins_nothing() {
    let mut world = World::with(&[&["http://a/announce", "http://b/"], &["udp://1.2.3.4:5"]]);
    let said = world.scrape();
    let [Said::Get(id, url), Said::Resolve(lookup, _)] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(
        *url,
        format!("http://a/scrape?info_hash={}", "h".repeat(20))
    );
    assert_eq!(world.state(1), TrackerState::Failed(TrackerError::NoScrape));
    let body = format!(
        "d5:filesd20:{}d8:completei3e10:incompletei4eeee",
        "h".repeat(20)
    );
    assert_eq!(world.answer(*id, Ok(body.into_bytes())), []);
    assert_eq!(
        world.state(0),
        TrackerState::Ok {
            seeders: Some(3),
            leechers: Some(4),
            peers: 0
        }
    );
    let addr = "1.2.3.4:5".parse().unwrap();
    world.machine.handle(
        world.now,
        Input::Resolved {
            id: *lookup,
            result: Ok(vec![addr]),
        },
    );
    assert!(matches!(&world.said()[..], [Said::Datagram(to, _)] if *to == addr.into()));
    world.pass(15);
    assert_eq!(
        world.state(2),
        TrackerState::Failed(TrackerError::Timeout(Duration::from_secs(15)))
    );
    assert_eq!(world.remove(), [Said::Left(0)], "nobody has to be told");
}

#[test]
fn a_start_takes_the_place_of_a_scrape_under_way() {
    let mut world = World::with(&[&["http://a/announce"]]);
    let said = world.scrape();
    let [Said::Get(scrape, _)] = said[..] else {
        panic!("{said:?}")
    };
    let said = world.request(Start);
    assert_eq!(said[0], Said::Cancel(scrape));
    assert_eq!(announce(&said).2, "started");
    assert_eq!(world.scrape(), [], "announces tell the same");
}
