//! The decisions of a swarm, each pure and testable alone: which piece, whom to unchoke, whom to dial, whom to blame.

mod allowed_fast;
mod blame;
mod candidates;
mod choker;
mod external;
mod padding;
mod partial;
mod picker;
mod priority;
mod rate;

pub(crate) use allowed_fast::allowed_fast;
pub(crate) use blame::{Blame, Who};
pub(crate) use candidates::{Candidates, is_local, network};
pub(crate) use choker::{Choker, Contender};
pub(crate) use external::External;
pub(crate) use padding::Padding;
pub(crate) use partial::{Arrival, Partial};
pub(crate) use picker::Picker;
pub(crate) use priority::Ranking;
pub(crate) use rate::{Bucket, Rate};
