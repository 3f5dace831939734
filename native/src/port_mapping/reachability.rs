//! Whether peers on the internet can connect to us, as far as can be told.

use std::fmt;

use super::address::is_public;
use super::failure::Failure;
use super::status::{Mapping, State, Status};
use super::{Protocol, Wanted};

/// Whether peers on the internet can connect to us. Its `Display` form is a sentence.
#[derive(Clone, Debug)]
pub struct Reachability {
    /// What we listen on.
    pub wanted: Wanted,
    /// The number of peers with public addresses that connected to us, over TCP or uTP.
    pub incoming: usize,
    /// Whether peers on this machine or its network connected, which does not show that those on
    /// the internet can.
    pub has_local: bool,
    /// The mappings; `None`: no gateway is asked.
    pub status: Option<Status>,
}

impl Reachability {
    /// Whether peers can connect to us; `None`: none did, and nothing speaks against it.
    #[must_use]
    pub fn is_reachable(&self) -> Option<bool> {
        if self.incoming > 0 {
            return Some(true);
        }
        let status = self.status.as_ref()?;
        match &status.v4 {
            // Peers with IPv6 may come through the pinhole.
            _ if matches!(status.v6, State::Mapped(_)) => None,
            State::Failed(_) => Some(false),
            State::Mapped(mapping) if is_inside(mapping) => Some(false),
            _ => None,
        }
    }

    /// The mapping that peers on the internet need: of IPv4, or without one that of IPv6.
    #[must_use]
    pub fn mapping(&self) -> Option<&Mapping> {
        let status = self.status.as_ref()?;
        [&status.v4, &status.v6]
            .into_iter()
            .find_map(|state| match state {
                State::Mapped(mapping) => Some(mapping),
                _ => None,
            })
    }

    /// Whether the gateway's answer is still waited for.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        let is_asking = |status: &Status| match status.v4 {
            State::NoGateway | State::Unused => status.v6 == State::Asking,
            _ => status.v4 == State::Asking,
        };
        self.incoming == 0 && self.status.as_ref().is_some_and(is_asking)
    }

    /// Who has not connected.
    const fn nobody(&self) -> &'static str {
        if self.has_local {
            "nobody from the internet"
        } else {
            "nobody"
        }
    }

    fn transports(&self) -> &'static str {
        match (self.wanted.tcp, self.wanted.udp) {
            (true, false) => "TCP",
            (false, true) => "UDP",
            _ => "TCP and UDP",
        }
    }

    /// What a user can do whose gateway does not map ports.
    fn advice(&self) -> String {
        let (port, transports) = (self.wanted.port, self.transports());
        format!("forward port {port} ({transports}) to this machine")
    }

    fn describe_mapping(&self, mapping: &Mapping) -> String {
        let (
            ours,
            Mapping {
                protocol, external, ..
            },
        ) = (self.wanted.port, mapping);
        let mapped = if *external == ours {
            format!("port {ours} is mapped by the gateway ({protocol})")
        } else {
            format!("the gateway's port {external} is mapped to our port {ours} ({protocol})")
        };
        let missing = mapping
            .missing
            .map(|transport| format!(", without {transport}"));
        format!("{mapped}{}", missing.unwrap_or_default())
    }

    /// A mapping, and whether it leads to the internet.
    fn describe_place(&self, mapping: &Mapping) -> String {
        let mapped = self.describe_mapping(mapping);
        match mapping.address.filter(|_| is_inside(mapping)) {
            Some(address) => format!(
                "not reachable: {mapped}, but its own address {address} is not on the internet: another router or the provider's network is in front of it; forward port {} there, too, or ask the provider for a public address",
                mapping.external,
            ),
            None => format!("{mapped}, {} connected yet", self.nobody()),
        }
    }

    fn describe_pinhole(&self, pinhole: &Mapping) -> String {
        let missing = pinhole
            .missing
            .map(|transport| format!(", without {transport}"));
        format!(
            "port {} is open for IPv6 in the gateway's firewall ({}){}, {} connected yet",
            self.wanted.port,
            pinhole.protocol,
            missing.unwrap_or_default(),
            self.nobody()
        )
    }

    fn describe_failures(&self, failures: &[(Protocol, Failure)]) -> String {
        let (what, advice) = (why(failures, "maps no port"), self.advice());
        format!("not reachable: {what}; {advice}")
    }

    /// What is known of IPv6 where IPv4 has no gateway.
    fn describe_v6(&self, v6: &State) -> String {
        let (port, nobody) = (self.wanted.port, self.nobody());
        match v6 {
            State::Mapped(pinhole) => self.describe_pinhole(pinhole),
            State::Asking => format!("the gateway is asked to let IPv6 in at port {port}"),
            State::Failed(failures) if is_open(failures) => format!(
                "{nobody} connected to port {port} yet; with IPv6, the gateway's firewall is switched off"
            ),
            State::Failed(failures) => format!(
                "{nobody} connected to port {port} yet; with IPv6, {}; allow incoming connections to port {port} ({}) in its firewall",
                why(failures, "opens no pinhole"),
                self.transports()
            ),
            _ => format!(
                "{nobody} connected to port {port} yet; no gateway was found that could map it"
            ),
        }
    }
}

/// Why a gateway did nothing: `the gateway maps no port (PCP: refused: …)`.
fn why(failures: &[(Protocol, Failure)], nothing: &str) -> String {
    if failures.iter().all(|(_, failure)| failure.is_absence()) {
        return format!("the gateway does not answer {}", alternatives(failures));
    }
    let reasons: Vec<String> = failures
        .iter()
        .filter(|(_, failure)| !failure.is_absence())
        .map(|(protocol, failure)| format!("{protocol}: {failure}"))
        .collect();
    format!("the gateway {nothing} ({})", reasons.join("; "))
}

/// The names of the protocols: `PCP, NAT-PMP or UPnP`.
fn alternatives(failures: &[(Protocol, Failure)]) -> String {
    let names: Vec<String> = failures.iter().map(|(name, _)| name.to_string()).collect();
    match &names[..] {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

/// Whether the gateway filters nothing.
fn is_open(failures: &[(Protocol, Failure)]) -> bool {
    let mut failures = failures.iter();
    failures.any(|(_, failure)| *failure == Failure::NoFirewall)
}

/// Whether the gateway that made a mapping is itself behind another one.
fn is_inside(mapping: &Mapping) -> bool {
    mapping.address.is_some_and(|address| !is_public(address))
}

impl fmt::Display for Reachability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (port, nobody) = (self.wanted.port, self.nobody());
        if self.incoming > 0 {
            let peers = if self.incoming == 1 { "peer" } else { "peers" };
            return write!(f, "reachable: {} {peers} connected to us", self.incoming);
        }
        let Some(status) = &self.status else {
            return write!(
                f,
                "{nobody} connected to port {port} yet; no gateway is asked to map it"
            );
        };
        match (&status.v4, &status.v6) {
            (State::Asking, _) => write!(f, "the gateway is asked to map port {port}"),
            (State::Public(address), _) => write!(
                f,
                "{address} is a public address, {nobody} connected to port {port} yet"
            ),
            (State::Mapped(mapping), State::Mapped(pinhole)) if is_inside(mapping) => write!(
                f,
                "{}; with IPv4, another router or the provider's network is in front of the gateway",
                self.describe_pinhole(pinhole)
            ),
            (State::Mapped(mapping), _) => f.write_str(&self.describe_place(mapping)),
            (State::Failed(failures), State::Mapped(pinhole)) => write!(
                f,
                "{}; with IPv4, {}",
                self.describe_pinhole(pinhole),
                why(failures, "maps no port")
            ),
            (State::Failed(failures), _) => f.write_str(&self.describe_failures(failures)),
            (State::NoGateway | State::Unused, v6) => f.write_str(&self.describe_v6(v6)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port_mapping::Transport;

    fn reachability(incoming: usize, v4: State) -> Reachability {
        let wanted = Wanted {
            port: 6881,
            tcp: true,
            udp: true,
        };
        let v6 = State::Unused;
        Reachability {
            wanted,
            incoming,
            has_local: false,
            status: Some(Status { v4, v6 }),
        }
    }

    fn mapped(external: u16, address: [u8; 4]) -> State {
        State::Mapped(Mapping {
            protocol: Protocol::Upnp,
            external,
            address: Some(address.into()),
            missing: None,
        })
    }

    #[test]
    fn peers_that_connected_prove_that_we_are_reachable_whatever_the_gateway_says() {
        let one = reachability(1, State::NoGateway);
        assert_eq!(one.to_string(), "reachable: 1 peer connected to us");
        let three = reachability(3, State::Failed(vec![]));
        assert_eq!(three.to_string(), "reachable: 3 peers connected to us");
        assert_eq!(three.is_reachable(), Some(true));
    }

    #[test]
    fn a_mapping_names_its_port_and_says_what_is_missing() {
        let same = reachability(0, mapped(6881, [203, 0, 113, 9]));
        assert_eq!(
            same.to_string(),
            "port 6881 is mapped by the gateway (UPnP), nobody connected yet"
        );
        assert_eq!(same.is_reachable(), None);
        let State::Mapped(mapping) = mapped(7000, [203, 0, 113, 9]) else {
            panic!("it was made")
        };
        let missing = Some(Transport::Udp);
        let other = reachability(0, State::Mapped(Mapping { missing, ..mapping }));
        assert_eq!(
            other.to_string(),
            "the gateway's port 7000 is mapped to our port 6881 (UPnP), without UDP, nobody connected yet"
        );
    }

    #[test]
    fn a_peer_on_the_local_network_connected_and_proves_nothing_about_the_internet() {
        for v4 in [
            State::NoGateway,
            State::Public([203, 0, 113, 9].into()),
            mapped(6881, [203, 0, 113, 9]),
        ] {
            let local = Reachability {
                has_local: true,
                ..reachability(0, v4)
            };
            let text = local.to_string();
            assert!(
                text.contains("nobody from the internet connected"),
                "{text}"
            );
            assert_eq!(local.is_reachable(), None);
        }
    }

    #[test]
    fn a_gateway_behind_another_one_does_not_make_us_reachable() {
        let inside = reachability(0, mapped(6881, [100, 64, 3, 4]));
        assert_eq!(inside.is_reachable(), Some(false));
        let text = inside.to_string();
        assert!(
            text.starts_with("not reachable: port 6881 is mapped"),
            "{text}"
        );
        assert!(text.contains("100.64.3.4 is not on the internet"), "{text}");
    }

    #[test]
    fn a_pinhole_counts_as_a_way_in_and_its_refusal_is_told_where_it_is_the_only_one() {
        let pinhole = || {
            State::Mapped(Mapping {
                protocol: Protocol::Upnp,
                external: 6881,
                address: Some(std::net::Ipv6Addr::LOCALHOST.into()),
                missing: None,
            })
        };
        let of = |v4: State, v6: State| Reachability {
            status: Some(Status { v4, v6 }),
            ..reachability(0, State::Unused)
        };
        let open =
            "port 6881 is open for IPv6 in the gateway's firewall (UPnP), nobody connected yet";
        let asking = of(State::NoGateway, State::Asking);
        assert!(asking.is_pending(), "{asking}");
        let alone = of(State::NoGateway, pinhole());
        assert!(!alone.is_pending());
        assert_eq!(alone.to_string(), open);
        let silent = vec![(Protocol::Pcp, Failure::Silent)];
        let both = of(State::Failed(silent.clone()), pinhole());
        assert_eq!(both.is_reachable(), None);
        assert_eq!(
            both.to_string(),
            format!("{open}; with IPv4, the gateway does not answer PCP")
        );
        let inside = of(mapped(6881, [100, 64, 3, 4]), pinhole());
        assert!(inside.to_string().starts_with(open), "{inside}");
        assert_eq!(inside.is_reachable(), None);
        let off = vec![(Protocol::Upnp, Failure::NoFirewall)];
        assert_eq!(
            of(State::NoGateway, State::Failed(off)).to_string(),
            "nobody connected to port 6881 yet; with IPv6, the gateway's firewall is switched off"
        );
        let refused = Failure::Refused("not authorized (606)".to_owned());
        let failures = [silent, vec![(Protocol::Upnp, refused)]].concat();
        assert_eq!(
            of(State::NoGateway, State::Failed(failures)).to_string(),
            "nobody connected to port 6881 yet; with IPv6, the gateway opens no pinhole (UPnP: refused: not authorized (606)); allow incoming connections to port 6881 (TCP and UDP) in its firewall"
        );
    }

    #[test]
    fn a_silent_gateway_and_one_that_refuses_have_different_sentences_with_the_same_advice() {
        let silent = [Protocol::Pcp, Protocol::NatPmp, Protocol::Upnp]
            .map(|protocol| (protocol, Failure::Silent));
        let text = reachability(0, State::Failed(silent.to_vec())).to_string();
        assert_eq!(
            text,
            "not reachable: the gateway does not answer PCP, NAT-PMP or UPnP; forward port 6881 (TCP and UDP) to this machine"
        );
        let [pcp, _, upnp] = silent;
        let refused = (
            Protocol::NatPmp,
            Failure::Refused("not authorized".to_owned()),
        );
        let text = reachability(0, State::Failed(vec![pcp, refused, upnp])).to_string();
        assert_eq!(
            text,
            "not reachable: the gateway maps no port (NAT-PMP: refused: not authorized); forward port 6881 (TCP and UDP) to this machine"
        );
    }
}
