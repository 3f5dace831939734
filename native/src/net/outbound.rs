//! The ways out of this machine: directly from our addresses, or through a proxy alone.

use super::bind::Bind;
use super::proxy::Proxy;
use super::resolve::Resolver;

/// How the network is reached. Cheap to clone.
///
/// With a proxy there is no other way: [`Outbound::bind`] names no address, so that no socket can be
/// opened there, and [`Outbound::resolver`] looks nothing up.
#[derive(Clone, Debug)]
pub struct Outbound {
    bind: Bind,
    resolver: Resolver,
    proxy: Option<Proxy>,
}

impl Default for Outbound {
    /// Directly, from all addresses.
    fn default() -> Self {
        Self::direct(Bind::default())
    }
}

impl Outbound {
    /// Directly from our addresses, from which names are looked up, too.
    #[must_use]
    pub fn direct(bind: Bind) -> Self {
        Self {
            bind,
            resolver: Resolver::from_addresses(bind),
            proxy: None,
        }
    }

    /// Through a proxy: connections over TCP, datagrams to UDP trackers if it relays them, and
    /// nothing else.
    #[must_use]
    pub fn through(proxy: Proxy) -> Self {
        Self {
            bind: Bind::NONE,
            resolver: Resolver::off(),
            proxy: Some(proxy),
        }
    }

    /// The same, whose names `resolver` looks up. With a proxy it is not used.
    #[must_use]
    pub fn resolving_with(mut self, resolver: Resolver) -> Self {
        if self.proxy.is_none() {
            self.resolver = resolver;
        }
        self
    }

    /// Our addresses for listeners, datagrams and direct connections; none with a proxy.
    #[must_use]
    pub const fn bind(&self) -> Bind {
        self.bind
    }

    /// Our addresses for connections to the proxy, or without one for everything.
    #[must_use]
    pub fn source(&self) -> Bind {
        self.proxy.as_ref().map_or(self.bind, Proxy::bind)
    }

    /// Looks up names.
    #[must_use]
    pub const fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The proxy that is used for everything, if there is one.
    #[must_use]
    pub const fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Why the proxy relays no datagrams, in a sentence; `None`: nothing is known to prevent it.
    #[must_use]
    pub fn relay_trouble(&self) -> Option<String> {
        self.proxy.as_ref().and_then(Proxy::relay_trouble)
    }

    /// What prevents sending at present, in a sentence; `None`: nothing is known to.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        match &self.proxy {
            Some(proxy) => proxy.trouble(),
            None => self.bind.trouble(),
        }
    }
}
