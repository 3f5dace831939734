//! `have all` and `have none` (BEP 6): like the states of BEP 3 an id and nothing else, in place of
//! a bitfield.
//!
//! BEP 6's other messages look like those of BEP 3 and stand with them: `suggest piece` and
//! `allowed fast` beside `have`, `reject request` beside `request`.

pub(super) const HAVE_ALL: u8 = 14;
pub(super) const HAVE_NONE: u8 = 15;
