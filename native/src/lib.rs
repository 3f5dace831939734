//! See ARCHITECTURE.md.

pub mod discovery;
pub mod net;
