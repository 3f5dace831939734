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
        match &self.status.as_ref()?.v4 {
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
        self.incoming == 0
            && self
                .status
                .as_ref()
                .is_some_and(|status| status.v4 == State::Asking)
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

    fn describe_failures(&self, failures: &[(Protocol, Failure)]) -> String {
        if failures.iter().all(|(_, failure)| failure.is_absence()) {
            let (advice, protocols) = (self.advice(), alternatives(failures));
            return format!("not reachable: the gateway does not answer {protocols}; {advice}");
        }
        let reasons: Vec<String> = failures
            .iter()
            .filter(|(_, failure)| !failure.is_absence())
            .map(|(protocol, failure)| format!("{protocol}: {failure}"))
            .collect();
        format!(
            "not reachable: the gateway maps no port ({}); {}",
            reasons.join("; "),
            self.advice()
        )
    }
}

/// The names of the protocols: `PCP, NAT-PMP or UPnP`.
fn alternatives(failures: &[(Protocol, Failure)]) -> String {
    let names: Vec<String> = failures.iter().map(|(name, _)| name.to_string()).collect();
    match &names[..] {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

/// Whether the gateway that made a mapping is itself behind another one.
fn is_inside(mapping: &Mapping) -> bool {
    mapping.address.is_some_and(|address| !is_public(address))
}

impl fmt::Display for Reachability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.wanted.port;
        if self.incoming > 0 {
            let peers = if self.incoming == 1 { "peer" } else { "peers" };
            return write!(f, "reachable: {} {peers} connected to us", self.incoming);
        }
        let Some(status) = &self.status else {
            return write!(
                f,
                "nobody connected to port {port} yet; no gateway is asked to map it"
            );
        };
        match &status.v4 {
            State::Asking => write!(f, "the gateway is asked to map port {port}"),
            State::Public(address) => write!(
                f,
                "{address} is a public address, nobody connected to port {port} yet"
            ),
            State::Mapped(mapping) => match mapping.address.filter(|_| is_inside(mapping)) {
                Some(address) => write!(
                    f,
                    "not reachable: {}, but its own address {address} is not on the internet: another router or the provider's network is in front of it; forward port {} there, too, or ask the provider for a public address",
                    self.describe_mapping(mapping),
                    mapping.external,
                ),
                None => write!(
                    f,
                    "{}, nobody connected yet",
                    self.describe_mapping(mapping)
                ),
            },
            State::Failed(failures) => f.write_str(&self.describe_failures(failures)),
            State::NoGateway | State::Unused => match &status.v6 {
                State::Mapped(mapping) => write!(
                    f,
                    "{} for IPv6, nobody connected yet",
                    self.describe_mapping(mapping)
                ),
                _ => write!(
                    f,
                    "nobody connected to port {port} yet; no gateway was found that could map it"
                ),
            },
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
