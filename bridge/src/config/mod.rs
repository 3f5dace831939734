//! The bridge's configuration: defaults, then the TOML file, then flags.

mod check;
mod error;
pub(crate) mod file;
mod node;
mod reference;
mod settings;

pub use error::ConfigError;
pub use node::{Node, NodeError};
pub use settings::{Config, DEFAULT_PEER_PORT};
