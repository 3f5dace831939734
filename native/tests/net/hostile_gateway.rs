//! Gateways that refuse, say nothing, or mean harm: each has a clear reason, and costs nothing.

use std::time::{Duration, Instant};

use aqueduct_native::net::Bind;
use aqueduct_native::port_mapping::{
    Failure, Options, PortMapping, Ports, Protocol, Reachability, State,
};
use aqueduct_testkit::free_udp_port;
use aqueduct_testkit::gateway::{Behaviour, Datagrams, Gateway, Upnp};
use aqueduct_testkit::http::{Server, ok};

use super::port_mapping::{BOTH, TIMING, mapped, options, start, state};

/// Why a protocol maps nothing, once that is a reason which `wanted` accepts.
async fn failure(
    mapping: &PortMapping,
    protocol: Protocol,
    wanted: impl Fn(&Failure) -> bool,
) -> Failure {
    let find = |state: &State| match state {
        State::Failed(failures) => {
            let mut failures = failures.iter();
            let found = failures.find(|(of, failure)| *of == protocol && wanted(failure));
            found.map(|(_, failure)| failure.clone())
        }
        _ => None,
    };
    let reached = state(mapping, |state| find(state).is_some()).await;
    find(&reached).unwrap()
}

/// Why gateways with these behaviours map nothing, all at the same time. A busy machine may be
/// silent at first.
async fn failures_of(behaviours: Vec<(Behaviour, Protocol)>) -> Vec<Failure> {
    let tasks: Vec<_> = behaviours
        .into_iter()
        .map(|(behaviour, protocol)| {
            tokio::spawn(async move {
                let gateway = Gateway::start(behaviour);
                let mapping = start(&gateway);
                failure(&mapping, protocol, |failure| *failure != Failure::Silent).await
            })
        })
        .collect();
    let mut failures = Vec::new();
    for task in tasks {
        failures.push(task.await.unwrap());
    }
    failures
}

fn upnp(upnp: Upnp) -> Behaviour {
    Behaviour {
        upnp,
        ..Behaviour::silent()
    }
}

#[tokio::test]
async fn a_silent_gateway_is_told_apart_from_closed_ports() {
    let gateway = Gateway::start(Behaviour::silent());
    let mapping = start(&gateway);
    for protocol in [Protocol::Pcp, Protocol::NatPmp, Protocol::Upnp] {
        failure(&mapping, protocol, |failure| *failure == Failure::Silent).await;
    }
    let reachability = Reachability {
        wanted: BOTH,
        incoming: 0,
        has_local: false,
        status: Some(mapping.status().borrow().clone()),
    };
    assert_eq!(
        reachability.to_string(),
        "not reachable: the gateway does not answer PCP, NAT-PMP or UPnP; forward port 6881 (TCP and UDP) to this machine"
    );
    let [control, announcements, search] = [0; 3].map(|_| free_udp_port());
    let closed = Options {
        gateway: Some([127, 0, 0, 1].into()),
        timing: TIMING,
        ports: Ports {
            control,
            announcements,
            search,
        },
    };
    let mapping = PortMapping::spawn(closed, Bind::default(), BOTH);
    failure(&mapping, Protocol::Pcp, |failure| {
        *failure == Failure::Closed
    })
    .await;
}

#[tokio::test]
async fn refusals_keep_their_reasons() {
    let pcp = (1..=13).map(|code| Behaviour {
        pcp: Datagrams::Refuses(code),
        ..Behaviour::silent()
    });
    let nat_pmp = (1..=5).map(|code| Behaviour {
        nat_pmp: Datagrams::Refuses(code),
        ..Behaviour::silent()
    });
    let asked = pcp.map(|behaviour| (behaviour, Protocol::Pcp));
    let asked = asked.chain(nat_pmp.map(|behaviour| (behaviour, Protocol::NatPmp)));
    for failure in failures_of(asked.collect()).await {
        assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
    }
    let refusals = [
        (
            606,
            "Action not authorized",
            "refused: Action not authorized (606)",
        ),
        (501, "", "refused: it could not do it (501)"),
        (402, "\u{202e}x", "refused: \\u{202e}x (402)"),
    ];
    let asked = refusals.map(|(code, words, _)| (upnp(Upnp::Refuses(code, words)), Protocol::Upnp));
    let failures = failures_of(asked.to_vec()).await;
    for (failure, (_, _, expected)) in failures.iter().zip(refusals) {
        assert_eq!(failure.to_string(), expected);
    }
    let conflict = upnp(Upnp::Refuses(718, "ConflictInMappingEntry"));
    let failures = failures_of(vec![(conflict, Protocol::Upnp)]).await;
    assert!(
        matches!(failures[..], [Failure::Conflict(_)]),
        "{failures:?}"
    );
}

#[tokio::test]
async fn a_description_or_a_service_at_another_address_is_never_contacted() {
    let canary = Server::start(|_| ok("<root/>"));
    let elsewhere = canary.url("/description.xml");
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
    let asked = [
        Upnp::Location(elsewhere.clone()),
        Upnp::Control(elsewhere),
        Upnp::Http(redirect.into_bytes()),
    ];
    let asked = asked.map(|behaviour| (upnp(behaviour), Protocol::Upnp));
    let failures = failures_of(asked.to_vec()).await;
    let [
        Failure::Elsewhere(_),
        Failure::Elsewhere(_),
        Failure::Invalid(status),
    ] = &failures[..]
    else {
        panic!("{failures:?}")
    };
    assert_eq!(status, "HTTP status 302");
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_service_elsewhere_does_not_hide_one_at_the_gateway() {
    let canary = Server::start(|_| ok("<root/>"));
    let gateway = Gateway::start(upnp(Upnp::Preferred(canary.url("/control"))));
    assert_eq!(mapped(&start(&gateway)).await.protocol, Protocol::Upnp);
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_huge_and_a_broken_answer_end_by_their_bounds() {
    let endless = format!(
        "HTTP/1.1 200 OK\r\n\r\n<root>{}",
        "<device>".repeat(1 << 20)
    );
    let head = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1 << 20));
    let declared = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n<root/>";
    let asked = [
        Upnp::Http(endless.into_bytes()),
        Upnp::Http(head.into_bytes()),
        Upnp::Http(declared.into()),
        Upnp::Http(b"\0\x01\x02 nonsense".to_vec()),
        Upnp::Location("http://[::1".to_owned()),
    ];
    let asked = asked.map(|behaviour| (upnp(behaviour), Protocol::Upnp));
    let failures = failures_of(asked.to_vec()).await;
    assert_eq!(failures[0], Failure::TooLong(64 << 10));
    for failure in &failures[1..] {
        assert!(matches!(failure, Failure::Invalid(_)), "{failures:?}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_does_not_move_the_deadline() {
    let gateway = Gateway::start(upnp(Upnp::Trickle));
    let mapping = start(&gateway);
    let began = Instant::now();
    failure(&mapping, Protocol::Upnp, |failure| {
        *failure == Failure::Silent
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn external_addresses_that_are_none_are_refused() {
    let claims = [
        ([0, 0, 0, 0], Failure::Offline),
        ([224, 0, 0, 1], Failure::Address([224, 0, 0, 1].into())),
        ([127, 0, 0, 1], Failure::Address([127, 0, 0, 1].into())),
    ];
    for (address, expected) in claims {
        let asked = [
            (Behaviour::pcp(), Protocol::Pcp),
            (Behaviour::nat_pmp(), Protocol::NatPmp),
            (Behaviour::upnp(), Protocol::Upnp),
        ];
        let asked = asked.map(|(behaviour, protocol)| {
            let address = address.into();
            (
                Behaviour {
                    address,
                    ..behaviour
                },
                protocol,
            )
        });
        for failure in failures_of(asked.to_vec()).await {
            assert_eq!(failure, expected);
        }
    }
}

#[tokio::test]
async fn datagrams_from_another_port_and_nonsense_count_as_silence() {
    for manner in [
        Datagrams::ElsewhereFrom,
        Datagrams::Raw(vec![]),
        Datagrams::Raw(vec![0xff; 1500]),
        Datagrams::Raw(vec![2, 0x81, 0]),
    ] {
        let gateway = Gateway::start(Behaviour {
            pcp: manner.clone(),
            nat_pmp: manner.clone(),
            ..Behaviour::silent()
        });
        let mapping = PortMapping::spawn(options(&gateway), Bind::default(), BOTH);
        for protocol in [Protocol::Pcp, Protocol::NatPmp] {
            let failure = failure(&mapping, protocol, |_| true).await;
            assert_eq!(failure, Failure::Silent, "{manner:?}");
        }
    }
}
