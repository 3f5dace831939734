//! The page's port: HTTP, TLS, the page itself, and who may open a session.

mod accept;
mod assets;
mod http;
mod origin;
mod prefixed;
pub(crate) mod server;
pub(crate) mod tls;
pub(crate) mod tokens;
