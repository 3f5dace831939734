//! Addresses at which media players on the bridge's own machine read files of tabs there.
//!
//! 1. A tab whose session is known to come from this machine offers a file. [`addresses`] makes a
//!    token for it, and the tab shows its user the URL.
//! 2. A player requests a range of that URL. [`crate::web::player`] finds the offer by its token and
//!    asks the tab's session, whose [`reads`] open a stream of the tunnel.
//! 3. What the tab sends passes from [`reads`] to the response's [`body`]. The tab gets credit for
//!    what the player's connection has taken, so that a player that stops reading stops the tab.

pub(crate) mod addresses;
pub(crate) mod body;
pub(crate) mod reads;
mod request;
