//! The ports at which peers reach us, and the transports by which we reach them.

use std::io;
use std::sync::Arc;

use aqueduct_core::utp;

use super::Settings;
use super::listen::{self, Listener};
use crate::dial::Ways;
use crate::net::Policy;
use crate::net::utp::{Endpoint, Rest, STRANGERS_BUFFER};

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
        let (tcp, number) = listen::bind(settings.outbound.bind(), settings.port)?;
        let (utp, rest) = open_utp(settings, number, policy)?.unzip();
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

/// The UDP port, if uTP is used. If another program uses it, only TCP is used.
fn open_utp(
    settings: &Settings,
    port: u16,
    policy: Arc<dyn Policy>,
) -> io::Result<Option<(Endpoint, Rest)>> {
    if !settings.utp {
        return Ok(None);
    }
    let config = utp::Config {
        max_connections: settings.config.max_peers_total + settings.half_open,
        first_receive_buffer: STRANGERS_BUFFER,
        ..utp::Config::default()
    };
    match Endpoint::bind(settings.outbound.bind(), port, config, policy) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if settings.tcp => {
            tracing::info!(%error, port, "uTP is not used: the UDP port is taken");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
