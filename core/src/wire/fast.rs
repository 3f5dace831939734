//! `have all` and `have none` (BEP 6): an id without a body, sent in place of a bitfield.
//!
//! The other messages of BEP 6 have the format of BEP 3 messages and are handled with them:
//! `suggest piece` and `allowed fast` beside `have`, `reject request` beside `request`.

pub(super) const HAVE_ALL: u8 = 14;
pub(super) const HAVE_NONE: u8 = 15;
