//! Tests of the limits per target.

use aqueduct_native::net::Permit as _;

use std::time::Duration;

use super::host::{READ_BURST, READ_SHARE};
use super::*;
use crate::limits::network::Networks;

fn client(last: u8) -> Network {
    Networks::of([192, 0, 2, last].into()).site()
}

fn place(port: u16) -> Place<'static> {
    Place::Addr(SocketAddr::from(([1, 2, 3, 4], port)))
}

fn begin(targets: &Arc<Targets>, place: Place<'_>) -> Option<Permit> {
    if let Start::Now(permit) = targets.start(place, client(1)) {
        Some(permit)
    } else {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn one_host_is_reached_twice_a_second_whatever_the_port() {
    let targets = Targets::new(&Limits::default());
    for second in 0..3 {
        let permits: Vec<_> = (0..5)
            .map(|port| begin(&targets, place(6881 + port)))
            .collect();
        assert_eq!(permits.iter().flatten().count(), 2, "second {second}");
        let other = Place::Addr("1.2.3.5:6881".parse().unwrap());
        assert!(
            begin(&targets, other).is_some(),
            "another host is not concerned"
        );
        tokio::time::advance(Duration::from_millis(1001)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn another_request_under_a_permit_counts_like_the_first_and_needs_no_other_place() {
    let limits = Limits {
        half_open_per_target: 1,
        ..Limits::default()
    };
    let (targets, begun) = (Targets::new(&limits), Instant::now());
    let permit = begin(&targets, place(6881)).unwrap();
    for half_seconds in 0..3 {
        permit.another().await;
        assert_eq!(begun.elapsed().as_millis() / 500, half_seconds);
    }
    drop(permit);
    assert!(begin(&targets, place(6882)).is_none(), "the rate is spent");
    tokio::time::advance(Duration::from_millis(501)).await;
    assert!(begin(&targets, place(6882)).is_some());
}

#[tokio::test(start_paused = true)]
async fn at_most_twenty_requests_to_one_host_are_under_way() {
    let targets = Targets::new(&Limits::default());
    let mut permits = Vec::new();
    for port in 0..25 {
        permits.extend(begin(&targets, place(2000 + port)));
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(permits.len(), 20);
    drop(permits);
    assert!(begin(&targets, place(3000)).is_some());
}

#[tokio::test(start_paused = true)]
async fn names_below_one_domain_share_its_rate() {
    let targets = Targets::new(&Limits::default());
    let names = [
        "a.example.net",
        "b.example.net",
        "c.a.example.net",
        "example.net",
    ];
    let permits = names.map(|name| begin(&targets, Place::Name(name)));
    assert_eq!(permits.iter().flatten().count(), 2);
    assert!(begin(&targets, Place::Name("example.org")).is_some());
}

#[tokio::test(start_paused = true)]
async fn clients_take_turns_and_queued_requests_start_at_the_rate() {
    let targets = Targets::new(&Limits::default());
    let (sender, mut served) = tokio::sync::mpsc::unbounded_channel();
    let begun = Instant::now();
    for n in [1, 1, 1, 1, 1, 1, 1, 1, 2] {
        let (targets, sender) = (Arc::clone(&targets), sender.clone());
        tokio::spawn(async move {
            let _permit = targets.wait(place(6881), client(n)).await.unwrap();
            sender.send((n, begun.elapsed().as_millis() / 500)).unwrap();
        });
    }
    drop(sender);
    let mut order = Vec::new();
    while let Some(next) = served.recv().await {
        order.push(next);
    }
    assert_eq!(
        order,
        [
            (1, 0),
            (1, 0),
            (1, 1),
            (2, 2),
            (1, 3),
            (1, 4),
            (1, 5),
            (1, 6),
            (1, 7)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_a_limit_and_a_request_that_gives_up_holds_up_no_other() {
    let targets = Targets::new(&Limits {
        half_open_per_target: 1,
        ..Limits::default()
    });
    let held = begin(&targets, place(1)).unwrap();
    let begun = Instant::now();
    assert_eq!(
        targets.wait(place(1), client(2)).await.unwrap_err(),
        Denied::Busy(LONGEST_WAIT)
    );
    assert_eq!(begun.elapsed(), LONGEST_WAIT);
    drop(held);
    assert!(begin(&targets, place(1)).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_read_from_a_host_has_a_bound_and_one_client_has_a_share_of_it() {
    let targets = Targets::new(&Limits::default());
    let rate = Limits::default().bytes_per_target;
    let share = (rate / READ_SHARE * READ_BURST) as usize;
    let mut permit = begin(&targets, place(1)).unwrap();
    let _second = begin(&targets, place(1)).unwrap();
    let waiting = {
        let targets = Arc::clone(&targets);
        tokio::spawn(async move { targets.wait(place(1), client(1)).await.map(drop) })
    };
    tokio::task::yield_now().await;
    assert!(permit.may_read_on(share - 1) && !permit.may_read_on(rate as usize));
    assert!(matches!(
        targets.start(place(1), client(1)),
        Start::Denied(Denied::Busy(_))
    ));
    assert!(
        matches!(waiting.await, Ok(Err(Denied::Busy(_)))),
        "also for requests that wait already"
    );
    for n in 2..=READ_SHARE {
        tokio::time::advance(Duration::from_secs(1)).await;
        let Start::Now(mut permit) = targets.start(place(1), client(u8::try_from(n).unwrap()))
        else {
            panic!("client {n} has a share")
        };
        permit.may_read_on(share);
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let before = targets.start(place(1), client(9));
    assert!(
        matches!(before, Start::Now(_)),
        "a few seconds' worth is left"
    );
    let Start::Now(mut permit) = before else {
        return;
    };
    permit.may_read_on(share);
    assert!(
        matches!(
            targets.start(place(1), client(10)),
            Start::Denied(Denied::Busy(_))
        ),
        "the host is left alone"
    );
}

#[tokio::test(start_paused = true)]
async fn one_host_gets_ten_datagrams_a_second_whatever_the_port_and_others_are_not_concerned() {
    let targets = Targets::new(&Limits::default());
    let sent = |last: u8| {
        (0..1000)
            .filter(|_| targets.may_send_datagram([1, 2, 3, last].into()))
            .count()
    };
    assert_eq!((sent(4), sent(5)), (100, 100), "ten seconds' worth at once");
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(sent(4), 30);
}
