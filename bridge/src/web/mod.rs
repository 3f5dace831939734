//! The page's port: HTTP, TLS, the page itself, and which clients may open a session.

pub(crate) mod accept;
mod assets;
mod connection;
mod connection_guard;
pub(crate) mod context;
mod http;
mod loopback;
pub(crate) mod origin;
mod plain;
mod player;
mod prefixed;
pub(crate) mod proxies;
pub(crate) mod tls;
