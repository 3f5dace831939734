//! The network as the terminal program and the bridge use it: which addresses may be reached and
//! how often, names, HTTP, datagrams.

mod association;
mod bind;
mod blocking;
mod error;
pub mod http;
mod listener;
mod outbound;
mod packing;
pub mod paired_ports;
mod permit;
pub mod policy;
mod proxy;
mod proxy_error;
pub mod requests;
pub mod resolve;
mod source;
pub mod udp;
pub mod utp;

pub(crate) use association::{Association, Relayed};
pub use bind::Bind;
pub use blocking::{Blocking, ReadError, read_blocklist};
pub use error::{NetError, connect_words};
pub use listener::Listener;
pub use outbound::Outbound;
pub use permit::{Admission, Admitted, Denied, Permit, Place, is_remote_fault};
pub use policy::{OwnUser, Policy, Purpose, Refusal, Target, TypedTrackers};
pub use proxy::Proxy;
pub use proxy_error::ProxyError;
pub use resolve::Resolver;
pub use source::{Device, DeviceNameError, Source};
pub(crate) use source::{RECHECK, is_orphaned};
