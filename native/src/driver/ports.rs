//! The ports at which peers reach us, and the transports by which we reach them.

use std::io;
use std::sync::Arc;

use aqueduct_core::utp;

use super::Settings;
use super::listen::{self, Listener};
use crate::dial::Ways;
use crate::net::OwnUser;
use crate::net::utp::{Endpoint, Rest};

/// TCP and UDP ports of the same number.
pub(super) struct Ports {
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
    pub(super) fn open(settings: &Settings) -> io::Result<Self> {
        let (tcp, number) = listen::bind(settings.bind, settings.port)?;
        let (utp, rest) = open_utp(settings, number)?.unzip();
        let ways = Ways {
            tcp: settings.tcp.then_some(settings.bind),
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
}

/// The UDP port, if uTP is used. If another program uses it, only TCP is used.
fn open_utp(settings: &Settings, port: u16) -> io::Result<Option<(Endpoint, Rest)>> {
    if !settings.utp {
        return Ok(None);
    }
    let config = utp::Config {
        max_connections: settings.config.max_peers_total + settings.half_open,
        ..utp::Config::default()
    };
    match Endpoint::bind(settings.bind, port, config, Arc::new(OwnUser)) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if settings.tcp => {
            tracing::info!(%error, port, "uTP is not used: the UDP port is taken");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
