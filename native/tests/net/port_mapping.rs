//! Port mapping with a scripted gateway: what is mapped, renewed, moved, remade and removed.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use aqueduct_native::net::Bind;
use aqueduct_native::port_mapping::{
    Mapping, Options, PortMapping, Ports, Protocol, State, Status, Timing, Wanted,
};
use aqueduct_testkit::gateway::{Behaviour, Datagrams, Event, Gateway, Transport, Upnp};
use aqueduct_testkit::{free_udp_port, soon};

/// The listening port that is mapped. Nothing listens there.
pub(crate) const OURS: u16 = 6881;

pub(crate) const BOTH: Wanted = Wanted {
    port: OURS,
    tcp: true,
    udp: true,
};

/// Short intervals, so that tests need not wait.
pub(crate) const TIMING: Timing = Timing {
    probe: Duration::from_millis(1500),
    request: Duration::from_millis(1500),
    lifetime: Duration::from_secs(1200),
    min_renewal: Duration::from_millis(200),
    pause: Duration::from_millis(10),
    retry: Duration::from_millis(200),
    max_retry: Duration::from_millis(400),
    watch: Duration::from_millis(100),
};

pub(crate) fn options(gateway: &Gateway) -> Options {
    Options {
        gateway: Some(gateway.ip),
        timing: TIMING,
        ports: Ports {
            control: gateway.control,
            announcements: free_udp_port(),
            search: gateway.search,
        },
    }
}

pub(crate) fn start(gateway: &Gateway) -> PortMapping {
    PortMapping::spawn(options(gateway), Bind::default(), BOTH)
}

/// Starts with a lifetime of one second, so that mappings are soon renewed.
pub(crate) fn start_short_lived(gateway: &Gateway) -> PortMapping {
    let timing = Timing {
        lifetime: Duration::from_secs(1),
        ..TIMING
    };
    let options = Options {
        timing,
        ..options(gateway)
    };
    PortMapping::spawn(options, Bind::default(), BOTH)
}

/// Waits until the state of IPv4 is one that `wanted` accepts.
pub(crate) async fn state(mapping: &PortMapping, wanted: impl Fn(&State) -> bool) -> State {
    let mut status = mapping.status();
    let reached = soon("the state", status.wait_for(|status| wanted(&status.v4))).await;
    reached
        .map(|status: tokio::sync::watch::Ref<'_, Status>| status.v4.clone())
        .unwrap()
}

pub(crate) async fn mapped(mapping: &PortMapping) -> Mapping {
    match state(mapping, |state| matches!(state, State::Mapped(_))).await {
        State::Mapped(mapping) => mapping,
        other => panic!("{other:?}"),
    }
}

/// Waits until the gateway has `count` events that `wanted` accepts.
pub(crate) async fn events(gateway: &Gateway, count: usize, wanted: impl Fn(&Event) -> bool) {
    let mut found = 0;
    for number in 0.. {
        let event = soon("an event", gateway.events.entry(number)).await;
        found += usize::from(wanted(&event.expect("the gateway runs")));
        if found == count {
            return;
        }
    }
}

fn is_mapped(event: &Event) -> bool {
    matches!(event, Event::Mapped { .. })
}

pub(crate) const AT_OURS: [(Transport, u16, u16); 2] =
    [(Transport::Tcp, OURS, OURS), (Transport::Udp, OURS, OURS)];

#[tokio::test]
async fn each_protocol_maps_both_transports_and_removes_them_at_the_end() {
    for (behaviour, protocol) in [
        (Behaviour::pcp(), Protocol::Pcp),
        (Behaviour::nat_pmp(), Protocol::NatPmp),
        (Behaviour::upnp(), Protocol::Upnp),
    ] {
        let gateway = Gateway::start(behaviour);
        let mapping = start(&gateway);
        let expected = Mapping {
            protocol,
            external: OURS,
            address: Some(Ipv4Addr::new(203, 0, 113, 9).into()),
            missing: None,
        };
        assert_eq!(mapped(&mapping).await, expected);
        assert_eq!(gateway.mappings(), AT_OURS, "{protocol}");
        mapping.close(Duration::from_secs(10)).await;
        assert_eq!(gateway.mappings(), [], "{protocol}");
    }
}

#[tokio::test]
async fn a_gateway_of_all_protocols_is_asked_for_the_mapping_by_one_alone() {
    let gateway = Gateway::start(Behaviour {
        nat_pmp: Datagrams::Honest,
        upnp: Upnp::Honest,
        ..Behaviour::pcp()
    });
    let mapping = start(&gateway);
    mapped(&mapping).await;
    let made = gateway.events.all().into_iter().filter(is_mapped);
    assert_eq!(made.count(), 2);
    mapping.close(Duration::from_secs(10)).await;
    assert_eq!(gateway.mappings(), []);
}

#[tokio::test]
async fn only_the_transports_in_use_are_mapped() {
    let gateway = Gateway::start(Behaviour::pcp());
    let wanted = Wanted { udp: false, ..BOTH };
    let mapping = PortMapping::spawn(options(&gateway), Bind::default(), wanted);
    assert_eq!(mapped(&mapping).await.missing, None);
    assert_eq!(gateway.mappings(), AT_OURS[..1]);
}

#[tokio::test]
async fn a_mapping_is_renewed_before_it_lapses() {
    for behaviour in [Behaviour::pcp(), Behaviour::nat_pmp()] {
        let gateway = Gateway::start(Behaviour {
            lifetime: 2,
            ..behaviour
        });
        let _mapping = start(&gateway);
        events(&gateway, 4, is_mapped).await;
        let renewed = gateway.events.all().into_iter().filter(is_mapped).skip(2);
        for event in renewed {
            assert!(matches!(event, Event::Mapped { renewed: true, .. }));
        }
    }
}

#[tokio::test]
async fn a_lifetime_of_a_second_or_of_years_is_renewed_at_our_own_pace() {
    let gateway = Gateway::start(Behaviour {
        lifetime: 1,
        ..Behaviour::pcp()
    });
    let timing = Timing {
        lifetime: Duration::from_secs(3600),
        min_renewal: Duration::from_secs(3600),
        ..TIMING
    };
    let options = Options {
        timing,
        ..options(&gateway)
    };
    let mapping = PortMapping::spawn(options, Bind::default(), BOTH);
    mapped(&mapping).await;
    tokio::time::timeout(Duration::from_millis(1500), events(&gateway, 3, is_mapped))
        .await
        .expect_err("a gateway does not decide how busy we are");
}

#[tokio::test]
async fn a_port_that_is_in_use_at_the_gateway_moves_both_transports_to_the_same_other_one() {
    for taken in [Transport::Tcp, Transport::Udp] {
        for behaviour in [Behaviour::pcp(), Behaviour::nat_pmp(), Behaviour::upnp()] {
            let gateway = Gateway::start(Behaviour {
                taken: vec![(taken, OURS)],
                ..behaviour
            });
            let mapping = start(&gateway);
            let external = mapped(&mapping).await.external;
            assert_ne!(external, OURS);
            let expected = [
                (Transport::Tcp, OURS, external),
                (Transport::Udp, OURS, external),
            ];
            assert_eq!(gateway.mappings(), expected, "{taken:?}");
            mapping.close(Duration::from_secs(10)).await;
            assert_eq!(gateway.mappings(), []);
        }
    }
}

#[tokio::test]
async fn mappings_that_a_gateway_lost_are_made_again_when_they_are_renewed() {
    for behaviour in [Behaviour::pcp(), Behaviour::upnp()] {
        let gateway = Gateway::start(behaviour);
        let mapping = start_short_lived(&gateway);
        mapped(&mapping).await;
        gateway.forget();
        events(&gateway, 4, is_mapped).await;
        assert_eq!(gateway.mappings(), AT_OURS);
    }
}

#[tokio::test]
async fn a_gateway_that_announces_its_restart_is_asked_again_at_once() {
    let gateway = Gateway::start(Behaviour::nat_pmp());
    let options = options(&gateway);
    let mapping = PortMapping::spawn(options, Bind::default(), BOTH);
    mapped(&mapping).await;
    gateway.forget();
    let to = SocketAddr::from(([127, 0, 0, 1], options.ports.announcements));
    gateway.announce_restart(to);
    events(&gateway, 4, is_mapped).await;
    assert_eq!(gateway.mappings(), AT_OURS);
}

#[tokio::test]
async fn another_device_that_announces_a_restart_is_not_heard() {
    let gateway = Gateway::start(Behaviour::nat_pmp());
    let other = Gateway::start(Behaviour::silent());
    let options = options(&gateway);
    let mapping = PortMapping::spawn(options, Bind::default(), BOTH);
    mapped(&mapping).await;
    let to = SocketAddr::from(([127, 0, 0, 1], options.ports.announcements));
    other.announce_restart(to);
    tokio::time::timeout(Duration::from_millis(500), events(&gateway, 3, is_mapped))
        .await
        .expect_err("the mapping is not renewed");
}

#[tokio::test]
async fn a_gateway_that_begins_to_answer_later_maps_then() {
    let gateway = Gateway::start(Behaviour::silent());
    let mapping = start(&gateway);
    state(&mapping, |state| matches!(state, State::Failed(_))).await;
    gateway.behave(|behaviour| behaviour.upnp = Upnp::Honest);
    assert_eq!(mapped(&mapping).await.protocol, Protocol::Upnp);
}

#[tokio::test]
async fn a_protocol_that_refuses_is_followed_by_the_next_one() {
    let gateway = Gateway::start(Behaviour {
        pcp: Datagrams::Refuses(2),
        nat_pmp: Datagrams::Refuses(2),
        ..Behaviour::upnp()
    });
    let mapping = start(&gateway);
    assert_eq!(mapped(&mapping).await.protocol, Protocol::Upnp);
}

#[tokio::test]
async fn a_gateway_that_makes_only_lasting_mappings_gets_them_removed_at_the_end() {
    let gateway = Gateway::start(Behaviour {
        upnp: Upnp::Permanent,
        ..Behaviour::silent()
    });
    let mapping = start(&gateway);
    mapped(&mapping).await;
    assert_eq!(gateway.mappings(), AT_OURS);
    mapping.close(Duration::from_secs(10)).await;
    assert_eq!(gateway.mappings(), []);
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_gateway_that_fell_silent() {
    let gateway = Gateway::start(Behaviour::pcp());
    let mapping = start(&gateway);
    mapped(&mapping).await;
    gateway.behave(|behaviour| behaviour.pcp = Datagrams::Silent);
    let limit = Duration::from_millis(300);
    soon("the end", mapping.close(limit)).await;
    let gateway = Gateway::start(Behaviour::silent());
    let asking = start(&gateway);
    tokio::task::yield_now().await;
    soon("the end", asking.close(Duration::from_secs(3600))).await;
}

#[tokio::test]
async fn with_ipv6_a_pinhole_is_requested_for_our_own_address() {
    let gateway = Gateway::start_v6(&Behaviour::pcp());
    let mapping = start(&gateway);
    let mut status = mapping.status();
    let is_mapped = |status: &Status| matches!(status.v6, State::Mapped(_));
    let reached = soon("a pinhole", status.wait_for(is_mapped)).await;
    let State::Mapped(pinhole) = reached.map(|status| status.v6.clone()).unwrap() else {
        panic!("it was made")
    };
    assert_eq!(pinhole.protocol, Protocol::Pcp);
    assert_eq!(pinhole.address, Some(Ipv6Addr::LOCALHOST.into()));
    assert_eq!(gateway.mappings(), AT_OURS);
    mapping.close(Duration::from_secs(10)).await;
    assert_eq!(gateway.mappings(), []);
}
