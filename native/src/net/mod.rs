//! The network as the terminal program and the bridge use it: which addresses may be reached and
//! how often, names, HTTP, datagrams.

mod bind;
mod error;
pub mod http;
mod permit;
pub mod policy;
pub mod requests;
pub mod resolve;
pub mod udp;
pub mod utp;

pub use bind::Bind;
pub use error::{NetError, connect_words};
pub use permit::{Admission, Admitted, Denied, Permit, Place, is_remote_fault};
pub use policy::{OwnUser, Policy, Purpose, Refusal, Target, TypedTrackers};
pub use resolve::Resolver;
