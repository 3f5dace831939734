//! The search for the gateway (SSDP, UPnP Device Architecture 1.1, chapter 1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use aqueduct_core::discovery::url::Url;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::description::ServiceKind;
use super::description_url;
use crate::port_mapping::access::Access;
use crate::port_mapping::failure::Failure;

/// The group that devices listen to.
const GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250));
/// The same of IPv6, with the scopes of a link and of a site (annex A).
const GROUPS_V6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc)),
    IpAddr::V6(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0xc)),
];

/// What is searched for besides a service. Some gateways answer only to one of these.
const DEVICES: [&str; 2] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
];

/// The delay before the search is repeated. Datagrams may be lost.
const REPETITION: Duration = Duration::from_secs(1);
/// Longer answers are ignored.
const MAX_ANSWER: usize = 2048;
/// The maximum number of answers that are read; a gateway sends one per target and repetition.
const MAX_ANSWERS: usize = 64;

/// A search in progress. Only answers from the gateway's address count.
#[derive(Debug)]
pub(super) struct Search {
    access: Access,
    kind: ServiceKind,
    socket: UdpSocket,
    destinations: Vec<SocketAddr>,
    repetition: Instant,
    deadline: Instant,
    answers: usize,
    /// Addresses of descriptions that were found.
    seen: Vec<String>,
    /// The last answer of the gateway that was of no use.
    failure: Option<Failure>,
}

impl Search {
    /// Begins to search for gateways with a service of `kind`.
    ///
    /// # Errors
    /// The system cannot open the socket.
    pub(super) fn start(
        access: Access,
        kind: ServiceKind,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let gateway = access.gateway;
        let socket = gateway.open_udp_nearby(access.bind)?;
        if let IpAddr::V4(ours) = gateway.ours {
            SockRef::from(&socket).set_multicast_if_v4(&ours)?;
        }
        let port = access.ports.search;
        let mut destinations = vec![gateway.at(port)];
        if access.multicast {
            let groups = groups(gateway.ip());
            destinations.extend(groups.iter().map(|group| gateway.group(*group, port)));
        }
        Ok(Self {
            access,
            kind,
            socket,
            destinations,
            repetition: Instant::now(),
            deadline,
            answers: 0,
            seen: Vec::new(),
            failure: None,
        })
    }

    /// The address of the next description. `None`: no other came by the deadline.
    ///
    /// # Errors
    /// The same, if the gateway gave an answer that is of no use; or the system cannot send.
    pub(super) async fn next(&mut self) -> Result<Option<Url>, Failure> {
        let mut buffer = [0; MAX_ANSWER + 1];
        while Instant::now() < self.deadline && self.answers < MAX_ANSWERS {
            if Instant::now() >= self.repetition {
                self.send().await?;
                self.repetition = Instant::now() + REPETITION;
            }
            let until = self.repetition.min(self.deadline);
            let received = timeout_at(until, self.socket.recv_from(&mut buffer)).await;
            let Ok((length, from)) = received.unwrap_or(Ok((0, self.access.gateway.at(0))))
            // A port that is closed: the group may still answer.
            else {
                continue;
            };
            let answer = buffer
                .get(..length)
                .filter(|_| (1..=MAX_ANSWER).contains(&length));
            if let Some(url) = answer.and_then(|answer| self.read(from, answer)) {
                return Ok(Some(url));
            }
        }
        self.failure.take().map_or(Ok(None), Err)
    }

    async fn send(&self) -> Result<(), Failure> {
        let mut sent = Err(Failure::Silent);
        for destination in &self.destinations {
            for question in questions(destination.ip(), self.kind) {
                match self.socket.send_to(question.as_bytes(), destination).await {
                    Ok(_) => sent = Ok(()),
                    Err(error) if sent.is_err() => sent = Err(error.into()),
                    Err(_) => {}
                }
            }
        }
        match sent {
            // The answer to an earlier datagram: nothing listens there. It may soon.
            Err(Failure::Closed) => Ok(()),
            sent => sent,
        }
    }

    /// A description's address that is new, in an answer of the gateway.
    fn read(&mut self, from: SocketAddr, answer: &[u8]) -> Option<Url> {
        let gateway = self.access.gateway.at(0);
        if from.ip() != gateway.ip() {
            tracing::debug!(%from, "another device than the gateway answers the search");
            return None;
        }
        self.answers += 1;
        let location = read_location(answer)
            .map_err(|failure| self.failure = Some(failure))
            .ok()?;
        if self.seen.iter().any(|seen| seen == location) {
            return None;
        }
        self.seen.push(location.to_owned());
        description_url(gateway, location)
            .map_err(|failure| self.failure = Some(failure))
            .ok()
    }
}

/// The groups of the gateway's address family.
const fn groups(gateway: IpAddr) -> &'static [IpAddr] {
    match gateway {
        IpAddr::V4(_) => &[GROUP_V4],
        IpAddr::V6(_) => &GROUPS_V6,
    }
}

/// The searches to send to a group, or to the gateway itself.
fn questions(to: IpAddr, kind: ServiceKind) -> impl Iterator<Item = String> {
    let group = match to {
        IpAddr::V4(_) => GROUP_V4,
        IpAddr::V6(_) if to.is_multicast() => to,
        IpAddr::V6(_) => GROUPS_V6[0],
    };
    let host = SocketAddr::new(group, 1900);
    let service = match kind {
        ServiceKind::Connection => "urn:schemas-upnp-org:service:WANIPConnection:1",
        ServiceKind::Firewall => "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1",
    };
    DEVICES.into_iter().chain([service]).map(move |target| {
        format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: {host}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {target}\r\n\r\n"
        )
    })
}

/// The address of the description in an answer to the search.
///
/// # Errors
/// It is not an HTTP answer with status 200 and a header LOCATION.
pub fn read_location(answer: &[u8]) -> Result<&str, Failure> {
    let invalid = |words: &str| Failure::invalid(&format!("answer to the search: {words}"));
    let answer = std::str::from_utf8(answer).map_err(|_| invalid("not UTF-8"))?;
    let mut lines = answer.lines();
    let mut status = lines.next().unwrap_or_default().split_whitespace();
    match (status.next(), status.next()) {
        (Some(version), Some("200")) if version.starts_with("HTTP/1.") => {}
        (Some(version), Some(status)) if version.starts_with("HTTP/1.") => {
            return Err(invalid(&format!("HTTP status {status}")));
        }
        _ => return Err(invalid("not HTTP")),
    }
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("location"))
        .map(|(_, location)| location.trim())
        .filter(|location| !location.is_empty())
        .ok_or_else(|| invalid("no LOCATION"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn the_location_is_read_whatever_the_case_of_its_name() {
        let answer = b"HTTP/1.1 200 OK\r\nST: x\r\nLocation:http://192.168.1.1:5000/rootDesc.xml\r\nUSN: y\r\n\r\n";
        assert_eq!(
            read_location(answer),
            Ok("http://192.168.1.1:5000/rootDesc.xml")
        );
    }

    #[test]
    fn an_answer_without_an_address_says_what_is_wrong_with_it() {
        let of = |answer: &[u8]| read_location(answer).unwrap_err().to_string();
        for (answer, reason) in [
            (&b""[..], "not HTTP"),
            (b"NOTIFY * HTTP/1.1\r\nLOCATION: http://a/\r\n", "not HTTP"),
            (b"HTTP/1.1 200 OK\r\nLOCATION: \xff\r\n", "not UTF-8"),
            (
                b"HTTP/1.1 404 200\r\nLOCATION: http://a/\r\n",
                "HTTP status 404",
            ),
            (b"HTTP/1.1 200 OK\r\nLOCATION:\r\n", "no LOCATION"),
            (
                b"HTTP/1.1 200 OK\r\n\r\nLOCATION: http://a/\r\n",
                "no LOCATION",
            ),
        ] {
            let expected = format!("invalid answer: answer to the search: {reason}");
            assert_eq!(of(answer), expected);
        }
    }

    #[test]
    fn a_search_names_its_group_and_the_service_that_is_wanted() {
        let to: IpAddr = "fe80::1".parse().unwrap();
        let all: Vec<String> = questions(to, ServiceKind::Firewall).collect();
        assert!(
            all.iter()
                .all(|one| one.contains("\r\nHOST: [ff02::c]:1900\r\n"))
        );
        assert!(all[2].contains("ST: urn:schemas-upnp-org:service:WANIPv6FirewallControl:1\r\n"));
        let to: IpAddr = "192.168.1.1".parse().unwrap();
        let all: Vec<String> = questions(to, ServiceKind::Connection).collect();
        assert!(all[0].contains("\r\nHOST: 239.255.255.250:1900\r\n"));
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn of_a_literal_address_of_ipv6_port_and_path_are_used_at_the_gateways_own() {
        let gateway: SocketAddr = "[fe80::1]:0".parse().unwrap();
        let of = |location: &str| description_url(gateway, location);
        for ours in ["http://[2001:db8::1]:5000/x", "http://[fe80::1]:5000/x"] {
            assert!(of(ours).is_ok(), "{ours}");
        }
        for elsewhere in ["http://192.168.1.1/x", "http://router.example/x"] {
            assert!(matches!(of(elsewhere), Err(Failure::Elsewhere(_))));
        }
    }

    #[test]
    fn a_description_elsewhere_than_at_the_gateway_is_refused() {
        let gateway: SocketAddr = "192.168.1.1:0".parse().unwrap();
        let of = |location: &str| description_url(gateway, location);
        assert!(of("http://192.168.1.1:5000/x").is_ok());
        for elsewhere in [
            "http://192.168.1.2/x",
            "http://router.example/x",
            "https://192.168.1.1/x",
            "http://169.254.169.254/latest",
        ] {
            assert!(matches!(of(elsewhere), Err(Failure::Elsewhere(_))));
        }
        for invalid in ["ftp://192.168.1.1/", "http://[::1/", "/x", "http://0x7f.1/"] {
            assert!(matches!(of(invalid), Err(Failure::Invalid(_))), "{invalid}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = read_location(&bytes);
        }
    }
}
