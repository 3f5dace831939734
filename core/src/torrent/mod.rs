//! The decisions of a swarm, each pure and testable alone: which piece, whom to unchoke, whom to dial, whom to blame.

mod allowed_fast;
mod blame;
mod candidates;
mod choker;
mod partial;
mod picker;
mod rate;

pub(crate) use allowed_fast::allowed_fast;
pub(crate) use blame::{Blame, Who};
pub(crate) use candidates::{Candidates, is_local, network};
pub(crate) use choker::{Choker, Contender};
pub(crate) use partial::{Arrival, Partial};
pub(crate) use picker::Picker;
pub(crate) use rate::{Bucket, Rate};
