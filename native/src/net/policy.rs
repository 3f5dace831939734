//! Which addresses may be reached. All code that dials or sends asks a [`Policy`] first, with the
//! address itself instead of the name that it came from.

use std::borrow::Cow;
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use aqueduct_core::discovery::url::{Host, Url};
use aqueduct_core::net::is_local;

use super::permit::{Admission, Place, Unlimited};

/// What an address is reached for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A peer of a swarm.
    Peer,
    /// An announce over HTTP.
    HttpTracker,
    /// An announce over UDP.
    UdpTracker,
    /// A node of the DHT.
    Dht,
    /// A datagram that opens a connection over uTP (BEP 29), or its repetition.
    UtpSyn,
    /// A .torrent file whose URL the user typed.
    TorrentFile,
}

/// One intended dial.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The address.
    pub addr: SocketAddr,
    /// What it is reached for.
    pub purpose: Purpose,
    /// The URL's path with its query; empty if there is no URL.
    pub path_and_query: &'a str,
    /// The server that redirected here.
    pub redirected_by: Option<IpAddr>,
    /// On whose behalf: [`Key::owner`](aqueduct_core::discovery::Key::owner) of a torrent; 0 for
    /// the program itself.
    pub owner: u64,
}

impl<'a> Target<'a> {
    /// A dial without a URL.
    #[must_use]
    pub const fn new(purpose: Purpose, addr: SocketAddr) -> Self {
        Self {
            addr,
            purpose,
            path_and_query: "",
            redirected_by: None,
            owner: 0,
        }
    }

    fn path(&self) -> &'a str {
        self.path_and_query
            .split_once('?')
            .map_or(self.path_and_query, |(path, _)| path)
    }
}

/// An address that must not be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{addr} is not dialled: {why}")]
pub struct Refusal {
    /// The address.
    pub addr: SocketAddr,
    /// The rule that forbids it.
    pub why: Cow<'static, str>,
}

/// Decides which addresses may be reached, and how often.
pub trait Policy: Debug + Send + Sync {
    /// Whether an address may be reached.
    ///
    /// # Errors
    /// The rule that forbids it.
    fn check(&self, target: &Target<'_>) -> Result<(), Refusal>;

    /// Asks for permission for one request to a host that was checked: a dial, a datagram or the
    /// lookup of a name; `owner`: see [`Target::owner`]. By default it is always given.
    fn admit<'a>(&'a self, place: Place<'a>, owner: u64) -> Admission<'a> {
        let _ = (place, owner);
        Admission::Now(Ok(Box::new(Unlimited)))
    }
}

/// The address that a policy checks if a proxy resolves the name: that of an address, and a
/// loopback address for names of machines in the proxy's network (`localhost`, names without a dot,
/// and the domains of RFC 6761 and RFC 6762). `None`: only the proxy knows where the name leads.
#[must_use]
pub fn stand_in(host: &Host) -> Option<IpAddr> {
    let name = match host {
        Host::Addr(ip) => return Some(*ip),
        Host::Name(name) => name,
    };
    let domain = name.rsplit('.').next().unwrap_or_default();
    let is_local = !name.contains('.') || ["localhost", "local", "internal"].contains(&domain);
    is_local.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The terminal program's policy: it may use its user's own network, but neither a torrent nor a
/// public server can make it send requests of their choice to machines there.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnUser;

impl Policy for OwnUser {
    fn check(&self, target: &Target<'_>) -> Result<(), Refusal> {
        let refuse = |why: &'static str| {
            Err(Refusal {
                addr: target.addr,
                why: why.into(),
            })
        };
        let ip = target.addr.ip().to_canonical();
        if target.addr.port() == 0 || ip.is_multicast() || ip == Ipv4Addr::BROADCAST {
            return refuse("no program can listen there");
        }
        if !is_local(ip)
            || matches!(
                target.purpose,
                Purpose::Peer | Purpose::UdpTracker | Purpose::Dht | Purpose::UtpSyn
            )
        {
            return Ok(());
        }
        if target
            .redirected_by
            .is_some_and(|by| !is_local(by.to_canonical()))
        {
            return refuse("a public server redirects into a private network");
        }
        // With a fixed path a torrent cannot choose what is requested from a router or a local
        // service.
        if target.purpose == Purpose::HttpTracker
            && !["/announce", "/scrape"].contains(&target.path())
        {
            return refuse("a tracker in a private network must have the path /announce");
        }
        Ok(())
    }
}

/// The same policy, except for trackers that the user typed: they are asked on the private network,
/// too, whatever their path.
#[derive(Clone, Debug, Default)]
pub struct TypedTrackers {
    /// Port and path of each. A torrent that names another host with both gets no request that the
    /// user did not type.
    places: Vec<(u16, String)>,
}

impl TypedTrackers {
    /// Those of these texts that are URLs.
    #[must_use]
    pub fn new(urls: &[String]) -> Self {
        let urls = urls.iter().filter_map(|url| Url::parse(url).ok());
        Self {
            places: urls.map(|url| (url.port, url.path().to_owned())).collect(),
        }
    }

    fn holds(&self, target: &Target<'_>) -> bool {
        self.places
            .iter()
            .any(|(port, path)| (*port, path.as_str()) == (target.addr.port(), target.path()))
    }
}

impl Policy for TypedTrackers {
    fn check(&self, target: &Target<'_>) -> Result<(), Refusal> {
        // Like a file whose address the user typed: only redirects by public servers are refused.
        let typed = target.purpose == Purpose::HttpTracker && self.holds(target);
        OwnUser.check(&if typed {
            Target {
                purpose: Purpose::TorrentFile,
                ..*target
            }
        } else {
            *target
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(purpose: Purpose, addr: &str, path_and_query: &str, by: Option<&str>) -> bool {
        let redirected_by = by.map(|by| by.parse().unwrap());
        OwnUser
            .check(&Target {
                addr: addr.parse().unwrap(),
                purpose,
                path_and_query,
                redirected_by,
                owner: 0,
            })
            .is_ok()
    }

    #[test]
    fn local_trackers_are_asked_only_at_announce() {
        for local in [
            "127.0.0.1:80",
            "10.1.2.3:80",
            "0.0.0.0:80",
            "100.64.0.1:80",
            "[::1]:80",
            "[::ffff:192.168.0.1]:80",
            "[fe80::1]:80",
            "[fd00::1]:80",
        ] {
            assert!(
                check(Purpose::HttpTracker, local, "/announce?info_hash=x", None),
                "{local}"
            );
            assert!(
                check(Purpose::HttpTracker, local, "/scrape?info_hash=x", None),
                "{local}"
            );
            assert!(
                !check(Purpose::HttpTracker, local, "/reboot?x=/announce", None),
                "{local}"
            );
            assert!(
                !check(Purpose::HttpTracker, local, "/announce/../reboot", None),
                "{local}"
            );
        }
        for public in [
            "8.8.8.8:80",
            "100.128.0.1:80",
            "100.63.255.255:80",
            "172.32.0.1:80",
            "[2606:4700::1]:80",
            "[fec0::1]:80",
        ] {
            assert!(
                check(Purpose::HttpTracker, public, "/any", None),
                "{public}"
            );
        }
    }

    #[test]
    fn a_local_tracker_that_the_user_typed_is_asked_whatever_its_path() {
        let policy = TypedTrackers::new(&[
            "http://me:x@192.168.0.1:8000/tracker.php?key=1".to_owned(),
            "nonsense".to_owned(),
        ]);
        let check = |addr: &str, path_and_query, by: Option<&str>| {
            let redirected_by = by.map(|by| by.parse().unwrap());
            policy
                .check(&Target {
                    addr: addr.parse().unwrap(),
                    purpose: Purpose::HttpTracker,
                    path_and_query,
                    redirected_by,
                    owner: 0,
                })
                .is_ok()
        };
        assert!(check(
            "192.168.0.1:8000",
            "/tracker.php?key=1&info_hash=x",
            None
        ));
        assert!(
            check("192.168.0.1:80", "/announce", None),
            "what holds for all"
        );
        assert!(
            !check("192.168.0.1:8000", "/reboot", None)
                && !check("192.168.0.1:80", "/tracker.php", None)
        );
        assert!(!check("192.168.0.1:8000", "/tracker.php", Some("8.8.8.8")));
    }

    #[test]
    fn a_public_server_cannot_redirect_into_the_private_network() {
        assert!(!check(
            Purpose::TorrentFile,
            "127.0.0.1:80",
            "/a.torrent",
            Some("8.8.8.8")
        ));
        assert!(!check(
            Purpose::HttpTracker,
            "192.168.0.1:80",
            "/announce",
            Some("8.8.8.8")
        ));
        assert!(check(
            Purpose::TorrentFile,
            "127.0.0.1:80",
            "/a.torrent",
            Some("192.168.0.1")
        ));
        assert!(check(
            Purpose::TorrentFile,
            "127.0.0.1:80",
            "/a.torrent",
            None
        ));
    }

    #[test]
    fn behind_a_proxy_only_names_of_its_own_network_are_checked() {
        let checked = |host: &str| stand_in(&Host::parse(host).unwrap());
        for name in [
            "localhost",
            "router",
            "nas.local",
            "a.localhost",
            "db.internal",
        ] {
            assert_eq!(checked(name), Some(Ipv4Addr::LOCALHOST.into()), "{name}");
        }
        assert_eq!(checked("tracker.example"), None);
        assert_eq!(checked("10.0.0.1"), Some([10, 0, 0, 1].into()));
    }

    #[test]
    fn peers_are_dialled_in_the_private_network_but_never_where_nobody_can_be() {
        assert!(check(Purpose::Peer, "192.168.0.7:6881", "", None));
        for nowhere in [
            "1.2.3.4:0",
            "224.0.0.1:6881",
            "[ff02::1]:6881",
            "255.255.255.255:6881",
        ] {
            assert!(!check(Purpose::Peer, nowhere, "", None), "{nowhere}");
        }
    }
}
