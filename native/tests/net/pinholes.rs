//! Pinholes for IPv6 by UPnP, with a scripted gateway.

use std::net::Ipv6Addr;
use std::time::Duration;

use aqueduct_native::port_mapping::{Failure, Mapping, PortMapping, Protocol, State, Status};
use aqueduct_testkit::gateway::{Behaviour, Event, Gateway, Pinholes, Transport, Upnp};
use aqueduct_testkit::http::{Server, ok};
use aqueduct_testkit::soon;

use super::port_mapping::{AT_OURS, OURS, events, start, start_short_lived};

/// Waits until the state of IPv6 is one that `wanted` accepts.
async fn state(mapping: &PortMapping, wanted: impl Fn(&State) -> bool) -> State {
    let mut status = mapping.status();
    let reached = soon("the state", status.wait_for(|status| wanted(&status.v6))).await;
    reached.map(|status| Status::clone(&status).v6).unwrap()
}

async fn opened(mapping: &PortMapping) -> Mapping {
    match state(mapping, |state| matches!(state, State::Mapped(_))).await {
        State::Mapped(mapping) => mapping,
        other => panic!("{other:?}"),
    }
}

/// Why a gateway with this behaviour opens no pinhole by UPnP. A busy machine may be silent at
/// first.
async fn failure(behaviour: &Behaviour) -> Failure {
    let gateway = Gateway::start_v6(behaviour);
    let mapping = start(&gateway);
    let find = |state: &State| match state {
        State::Failed(failures) => {
            let told = |(of, failure): &&(Protocol, Failure)| {
                *of == Protocol::Upnp && *failure != Failure::Silent
            };
            failures
                .iter()
                .find(told)
                .map(|(_, failure)| failure.clone())
        }
        _ => None,
    };
    let reached = state(&mapping, |state| find(state).is_some()).await;
    find(&reached).unwrap()
}

fn pinholes(pinholes: Pinholes) -> Behaviour {
    Behaviour {
        pinholes,
        ..Behaviour::silent()
    }
}

#[tokio::test]
async fn a_pinhole_is_opened_for_our_own_address_and_closed_at_the_end() {
    let gateway = Gateway::start_v6(&Behaviour::pinholes());
    let mapping = start(&gateway);
    let expected = Mapping {
        protocol: Protocol::Upnp,
        external: OURS,
        address: Some(Ipv6Addr::LOCALHOST.into()),
        missing: None,
    };
    assert_eq!(opened(&mapping).await, expected);
    assert_eq!(gateway.mappings(), AT_OURS);
    mapping.close(Duration::from_secs(10)).await;
    assert_eq!(gateway.mappings(), []);
}

#[tokio::test]
async fn a_pinhole_is_renewed_and_one_that_the_gateway_forgot_is_opened_again() {
    let gateway = Gateway::start_v6(&Behaviour::pinholes());
    let mapping = start_short_lived(&gateway);
    opened(&mapping).await;
    events(&gateway, 4, |event| matches!(event, Event::Mapped { .. })).await;
    let renewed = gateway.events.all().into_iter().skip(2);
    for event in renewed {
        assert!(
            matches!(event, Event::Mapped { renewed: true, .. }),
            "{event:?}"
        );
    }
    gateway.forget();
    let is_new = |event: &Event| matches!(event, Event::Mapped { renewed: false, .. });
    events(&gateway, 4, is_new).await;
    assert_eq!(gateway.mappings(), AT_OURS);
}

#[tokio::test]
async fn why_no_pinhole_is_opened_is_told_in_words() {
    for (code, words) in [
        (606, "not authorized"),
        (701, "no room for another pinhole"),
        (703, "its settings allow no pinholes"),
        (705, "this transport protocol"),
    ] {
        let failure = failure(&pinholes(Pinholes::Refuses(code, "Words")))
            .await
            .to_string();
        assert!(failure.contains(words), "{failure}");
        assert!(failure.ends_with(&format!("({code})")), "{failure}");
    }
    for off in [
        pinholes(Pinholes::Status("0", "1")),
        pinholes(Pinholes::Refuses(702, "FirewallDisabled")),
    ] {
        assert_eq!(failure(&off).await, Failure::NoFirewall);
    }
    let closed = failure(&pinholes(Pinholes::Status("1", "0"))).await;
    assert!(closed.to_string().ends_with("(703)"), "{closed}");
}

#[tokio::test]
async fn answers_that_are_none_are_told_as_such() {
    for manner in [
        Pinholes::Status("perhaps", "1"),
        Pinholes::Number(""),
        Pinholes::Number("65536"),
        Pinholes::Number("\u{202e}1"),
    ] {
        let failure = failure(&pinholes(manner)).await;
        assert!(matches!(failure, Failure::Invalid(_)), "{failure:?}");
        assert!(!failure.to_string().contains('\u{202e}'));
    }
    let lacking = Behaviour {
        upnp: Upnp::Honest,
        ..Behaviour::silent()
    };
    assert_eq!(
        failure(&lacking).await.to_string(),
        "invalid answer: its description names no service that opens pinholes"
    );
}

#[tokio::test]
async fn of_a_global_address_in_the_description_only_port_and_path_are_used() {
    let gateway = Gateway::start_v6(&Behaviour::pinholes());
    let location = format!("http://[2001:db8::7]:{}/description.xml", gateway.http);
    gateway.behave(|behaviour| behaviour.upnp = Upnp::Location(location));
    let mapping = start(&gateway);
    assert_eq!(opened(&mapping).await.protocol, Protocol::Upnp);
    assert_eq!(gateway.mappings()[0], (Transport::Tcp, OURS, OURS));
}

#[tokio::test]
async fn a_firewall_at_another_kind_of_address_is_never_contacted() {
    let canary = Server::start(|_| ok("<root/>"));
    let elsewhere = canary.url("/description.xml");
    for upnp in [Upnp::Location(elsewhere.clone()), Upnp::Control(elsewhere)] {
        let behaviour = Behaviour {
            upnp,
            ..Behaviour::pinholes()
        };
        let failure = failure(&behaviour).await;
        assert!(matches!(failure, Failure::Elsewhere(_)), "{failure:?}");
    }
    assert_eq!(canary.connections(), 0);
}
