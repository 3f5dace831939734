//! The ports at which peers reach us, and the transports by which we reach them.

use std::io;
use std::sync::Arc;

use aqueduct_core::utp;

use super::Settings;
use super::listen::{self, Listener};
use crate::dial::Ways;
use crate::net::udp::Sockets;
use crate::net::utp::{Endpoint, Rest, STRANGERS_BUFFER};
use crate::net::{Policy, paired_ports};

/// TCP and UDP ports of the same number.
pub(super) struct Ports {
    /// 0: nobody can connect to us.
    pub(super) number: u16,
    pub(super) listeners: Vec<Listener>,
    pub(super) ways: Ways,
    /// Datagrams at the UDP port that are not uTP's; `None`: uTP is not used.
    pub(super) rest: Option<Rest>,
}

impl Ports {
    /// Opens the ports according to the settings.
    ///
    /// # Errors
    /// The TCP port is in use; or the UDP port is, and TCP is not used.
    pub(super) fn open(settings: &Settings, policy: Arc<dyn Policy>) -> io::Result<Self> {
        if settings.outbound.proxy().is_some() {
            return Ok(Self::none(settings));
        }
        let (tcp, number, udp) = paired_ports::open(
            paired_ports::numbers(settings.port, listen::PREFERRED),
            |number| listen::bind(settings.outbound.bind(), number),
            |number| open_udp(settings, number, &policy),
        )?;
        let (utp, rest) = opened(settings, number, udp)?.unzip();
        let ways = Ways {
            tcp: settings.tcp.then(|| settings.outbound.clone()),
            utp: utp.clone(),
        };
        // Without TCP, its port only determines a free number.
        let tcp = tcp.into_iter().filter(|_| settings.tcp);
        let listeners = tcp.map(Listener::Tcp).chain(utp.map(Listener::Utp));
        Ok(Self {
            number,
            listeners: listeners.collect(),
            ways,
            rest,
        })
    }

    /// No ports: through a proxy only TCP leads out, and nothing leads in.
    fn none(settings: &Settings) -> Self {
        Self {
            number: 0,
            listeners: Vec::new(),
            ways: Ways {
                tcp: settings.tcp.then(|| settings.outbound.clone()),
                utp: None,
            },
            rest: None,
        }
    }
}

/// The UDP port of this number, with uTP if that is used. Otherwise it only has to be free: the node of
/// the DHT will use it, or attempts to connect over uTP will be turned away there.
fn open_udp(
    settings: &Settings,
    number: u16,
    policy: &Arc<dyn Policy>,
) -> io::Result<Option<(Endpoint, Rest)>> {
    let bind = settings.outbound.bind();
    if !settings.utp {
        return Sockets::bind_only_at(bind, number).map(|_| None);
    }
    let config = utp::Config {
        max_connections: settings.config.max_peers_total + settings.half_open,
        first_receive_buffer: STRANGERS_BUFFER,
        ..utp::Config::default()
    };
    Endpoint::bind(bind, number, config, Arc::clone(policy)).map(Some)
}

/// uTP, if it is used and has its port. If another program uses the port, peers are reached over TCP
/// alone.
///
/// # Errors
/// TCP is not used.
fn opened(
    settings: &Settings,
    number: u16,
    udp: io::Result<Option<(Endpoint, Rest)>>,
) -> io::Result<Option<(Endpoint, Rest)>> {
    match udp {
        Err(_) if !settings.utp => Ok(None),
        Err(error) if settings.tcp => {
            tracing::info!(%error, number, "uTP is not used: the UDP port is taken");
            Ok(None)
        }
        udp => udp,
    }
}
