//! The network as the terminal program and the bridge use it: who may be dialled, names, HTTP, datagrams.

mod bind;
mod error;
pub mod http;
pub mod policy;
pub mod requests;
pub mod resolve;
pub mod udp;
pub mod utp;

pub use bind::Bind;
pub use error::{NetError, connect_words};
pub use policy::{OwnUser, Policy, Purpose, Refusal, Target, TypedTrackers};
