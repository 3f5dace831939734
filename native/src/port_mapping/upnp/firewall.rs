//! Pinholes in the gateway's firewall for IPv6 (WANIPv6FirewallControl:1).

use std::net::IpAddr;
use std::time::Duration;

use tokio::pin;
use tokio::time::Instant;

use super::control::Control;
use super::description::ServiceKind;
use super::services::Services;
use super::soap::{Action, Answer, Fault};
use crate::port_mapping::access::Access;
use crate::port_mapping::failure::{Failure, shown};
use crate::port_mapping::protocol::Transport;

/// The bounds of a pinhole's lease in seconds (2.3.6).
const LEASE: (u64, u64) = (1, 86_400);

/// Error codes of the service (2.6).
mod code {
    pub(super) const FIREWALL_DISABLED: u16 = 702;
    pub(super) const NOT_ALLOWED: u16 = 703;
    pub(super) const NO_SUCH_ENTRY: u16 = 704;
}

/// A gateway that opens pinholes.
#[derive(Debug)]
pub(in crate::port_mapping) struct Firewall {
    control: Control,
    /// The gateway of IPv6, and the address of ours that pinholes lead to.
    access: Access,
    /// The numbers by which it knows our pinholes.
    pinholes: Vec<(Transport, u16)>,
}

/// What a code means.
const fn meaning(code: u16) -> Option<&'static str> {
    Some(match code {
        401 => "it does not know the request",
        402 | 600..=605 => "it does not accept the request's arguments",
        501 => "it could not do it",
        606 => {
            "not authorized; it may accept pinholes from other programs only after they logged in"
        }
        701 => "it has no room for another pinhole",
        703 => "its settings allow no pinholes for incoming connections",
        704 => "there is no such pinhole",
        705 => "it does not open pinholes for this transport protocol",
        706 | 707 => "it found the request too broad",
        708 => "it does not accept pinholes for all remote addresses",
        709 => "it saw no packet pass the pinhole",
        _ => return None,
    })
}

/// A refusal in our words if the code is known, or else in the gateway's.
fn refusal(fault: Fault) -> Failure {
    match fault {
        Fault::Failure(failure) => failure,
        Fault::Code(code::FIREWALL_DISABLED, _) => Failure::NoFirewall,
        Fault::Code(code, words) => match meaning(code) {
            Some(meaning) => Failure::refused(&format!("{meaning} ({code})")),
            None => Fault::Code(code, words).into(),
        },
    }
}

/// Reads the answer to `GetFirewallStatus`.
///
/// # Errors
/// The firewall is off, pinholes are not allowed, or the answer does not say it.
pub fn read_status(answer: &Answer) -> Result<(), Failure> {
    let flag = |name: &str| match answer.field(name) {
        Some("1" | "true" | "yes") => Ok(true),
        Some("0" | "false" | "no") => Ok(false),
        other => Err(Failure::Invalid(format!(
            "{name} is {}",
            other.map_or_else(|| "missing".to_owned(), shown)
        ))),
    };
    if !flag("FirewallEnabled")? {
        return Err(Failure::NoFirewall);
    }
    if !flag("InboundPinholeAllowed")? {
        return Err(refusal(Fault::Code(code::NOT_ALLOWED, String::new())));
    }
    Ok(())
}

/// Reads the answer to `AddPinhole`: the number of the pinhole.
///
/// # Errors
/// It is missing, or not of 16 bits.
pub fn read_number(answer: &Answer) -> Result<u16, Failure> {
    let number = answer.field("UniqueID").unwrap_or_default();
    number
        .parse()
        .map_err(|_| Failure::Invalid(format!("the number of the pinhole is {}", shown(number))))
}

/// The first result, or else the second one. Of two failures, the one that says more.
async fn or_else(
    first: Result<Firewall, Failure>,
    second: impl Future<Output = Result<Firewall, Failure>>,
) -> Result<Firewall, Failure> {
    let Err(failure) = first else { return first };
    second
        .await
        .map_err(|other| if other.is_absence() { failure } else { other })
}

impl Firewall {
    /// Searches for a gateway with this service, over IPv6, and at the gateway of IPv4, which is
    /// often the same device.
    pub(in crate::port_mapping) async fn find(
        access: Access,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let over_v6 = Self::search(access, access, deadline);
        let over_v4 = async {
            let gateway = access.gateway_v4.ok_or(Failure::Silent)?;
            Self::search(Access { gateway, ..access }, access, deadline).await
        };
        pin!(over_v6, over_v4);
        tokio::select! {
            biased;
            first = &mut over_v6 => or_else(first, over_v4).await,
            first = &mut over_v4 => or_else(first, over_v6).await,
        }
    }

    /// Searches at the gateway of one address family.
    async fn search(at: Access, access: Access, deadline: Instant) -> Result<Self, Failure> {
        let mut services = Services::search(at, ServiceKind::Firewall, deadline)?;
        let mut failure = None;
        loop {
            let control = services.next(failure.take()).await?;
            match Self::of_either(control, access, deadline).await {
                Ok(found) => return Ok(found),
                Err(error) => failure = Some(error),
            }
        }
    }

    /// The service as it is reached over IPv6, or else where it was found. Many gateways open
    /// pinholes only for the address that asks.
    async fn of_either(
        control: Control,
        access: Access,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        if control.access.gateway != access.gateway {
            let over_v6 = Control {
                access,
                ..control.clone()
            };
            let now = Instant::now();
            let half = now + deadline.saturating_duration_since(now) / 2;
            if let Ok(found) = Self::of(over_v6, access, half).await {
                return Ok(found);
            }
        }
        Self::of(control, access, deadline).await
    }

    async fn of(control: Control, access: Access, deadline: Instant) -> Result<Self, Failure> {
        let action = Action::new("GetFirewallStatus");
        let status = control.call(&action, deadline).await;
        read_status(&status.map_err(refusal)?)?;
        Ok(Self {
            control,
            access,
            pinholes: Vec::new(),
        })
    }

    /// The address of ours that pinholes lead to.
    pub(in crate::port_mapping) const fn address(&self) -> IpAddr {
        self.access.gateway.ours
    }

    /// Opens a pinhole for a port of ours, or renews it. Returns its lease.
    pub(in crate::port_mapping) async fn open(
        &mut self,
        transport: Transport,
        port: u16,
    ) -> Result<Duration, Failure> {
        let (least, most) = LEASE;
        let lease = self.access.timing.lifetime.as_secs().clamp(least, most);
        if let Some(number) = self.number(transport) {
            match self.update(number, lease).await {
                Ok(()) => return Ok(Duration::from_secs(lease)),
                // It has forgotten the pinhole, or cannot renew any: the same request again extends
                // the lease of a pinhole that is there (2.5.2).
                Err(Fault::Code(..)) => self.pinholes.retain(|(of, _)| *of != transport),
                Err(fault) => return Err(refusal(fault)),
            }
        }
        let action = Action::new("AddPinhole")
            .with("RemoteHost", "")
            .with("RemotePort", 0)
            .with("InternalClient", self.access.gateway.ours)
            .with("InternalPort", port)
            .with("Protocol", transport.number())
            .with("LeaseTime", lease);
        let answer = self.control.call(&action, self.control.deadline()).await;
        let number = read_number(&answer.map_err(refusal)?)?;
        self.pinholes.push((transport, number));
        Ok(Duration::from_secs(lease))
    }

    async fn update(&self, number: u16, lease: u64) -> Result<(), Fault> {
        let action = Action::new("UpdatePinhole")
            .with("UniqueID", number)
            .with("NewLeaseTime", lease);
        let answer = self.control.call(&action, self.control.deadline()).await;
        answer.map(|_| ())
    }

    /// Closes the pinhole of a transport. One that is gone already counts as closed.
    pub(in crate::port_mapping) async fn close(&self, transport: Transport) -> Result<(), Failure> {
        let Some(number) = self.number(transport) else {
            return Ok(());
        };
        let action = Action::new("DeletePinhole").with("UniqueID", number);
        match self.control.call(&action, self.control.deadline()).await {
            Ok(_) | Err(Fault::Code(code::NO_SUCH_ENTRY, _)) => Ok(()),
            Err(fault) => Err(refusal(fault)),
        }
    }

    fn number(&self, transport: Transport) -> Option<u16> {
        let found = self.pinholes.iter().find(|(of, _)| *of == transport);
        found.map(|(_, number)| *number)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use aqueduct_testkit::free_udp_port;
    use aqueduct_testkit::gateway::{Behaviour, Gateway as Scripted, Pinholes};
    use proptest::prelude::{any, proptest};

    use super::super::soap::read_answer;
    use super::*;
    use crate::net::Bind;
    use crate::port_mapping::gateway::Gateway;
    use crate::port_mapping::timing::{Ports, Timing};

    fn answer(fields: &str) -> Answer {
        let body = format!("<r><u:XResponse xmlns:u=\"urn:x\">{fields}</u:XResponse></r>");
        read_answer(body.as_bytes(), true).unwrap()
    }

    #[test]
    fn a_firewall_that_is_off_or_allows_no_pinholes_is_told_in_words() {
        let of = |enabled: &str, allowed: &str| {
            read_status(&answer(&format!(
                "<FirewallEnabled>{enabled}</FirewallEnabled><InboundPinholeAllowed>{allowed}</InboundPinholeAllowed>"
            )))
        };
        assert_eq!(of("1", "true"), Ok(()));
        let words = |result: Result<(), Failure>| result.unwrap_err().to_string();
        assert_eq!(of("0", "1"), Err(Failure::NoFirewall));
        assert_eq!(
            words(of("1", "0")),
            "refused: its settings allow no pinholes for incoming connections (703)"
        );
        assert_eq!(words(of("2", "1")), "invalid answer: FirewallEnabled is 2");
        assert_eq!(
            words(read_status(&answer(""))),
            "invalid answer: FirewallEnabled is missing"
        );
    }

    #[test]
    fn every_code_of_the_service_has_a_sentence_and_others_keep_the_gateways_words() {
        let known = [401, 402, 501, 606, 701].into_iter().chain(703..=709);
        for code in known {
            let words = refusal(Fault::Code(code, "Words".to_owned())).to_string();
            assert!(!words.contains("Words"), "{words}");
            assert!(words.ends_with(&format!("({code})")), "{words}");
        }
        let other = refusal(Fault::Code(899, "Words".to_owned()));
        assert_eq!(other.to_string(), "refused: Words (899)");
    }

    #[test]
    fn a_pinhole_has_a_number_of_16_bits() {
        let of = |number: &str| read_number(&answer(&format!("<UniqueID>{number}</UniqueID>")));
        assert_eq!(of(" 65535 "), Ok(u16::MAX));
        for wrong in ["", "-1", "65536", "x\u{202e}y"] {
            let failure = of(wrong).unwrap_err().to_string();
            assert!(!failure.contains('\u{202e}'), "{failure}");
        }
    }

    #[tokio::test]
    async fn the_gateway_of_ipv4_may_be_the_one_that_describes_the_firewall() {
        // Nothing answers over IPv6, neither the search nor calls.
        let gateway = Scripted::start(Behaviour {
            pinholes: Pinholes::ForAnyAddress,
            ..Behaviour::silent()
        });
        let bind = Bind::default();
        let access = Access {
            gateway: Gateway::named(Ipv6Addr::LOCALHOST.into(), bind).unwrap(),
            gateway_v4: Some(Gateway::named(gateway.ip, bind).unwrap()),
            bind,
            ports: Ports {
                control: free_udp_port(),
                announcements: free_udp_port(),
                search: gateway.search,
            },
            timing: Timing::default(),
            multicast: false,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut firewall = Firewall::find(access, deadline).await.unwrap();
        firewall.open(Transport::Tcp, 6881).await.unwrap();
        assert_eq!(gateway.mappings().len(), 1);
        firewall.close(Transport::Tcp).await.unwrap();
        assert_eq!(gateway.mappings(), []);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(answer) = read_answer(&bytes, true) {
                let _ = (read_status(&answer), read_number(&answer));
            }
        }

        #[test]
        fn any_text_in_a_field_is_read_without_a_panic(text in "[^<>&]{0,300}") {
            let body = format!("<UniqueID>{text}</UniqueID><FirewallEnabled>{text}</FirewallEnabled>");
            if let Ok(answer) = read_answer(format!("<r><XResponse>{body}</XResponse></r>").as_bytes(), true) {
                let _ = (read_status(&answer), read_number(&answer));
            }
        }
    }
}
