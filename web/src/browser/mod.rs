//! The browser's interfaces as the rest of the worker uses them.

pub(crate) mod callback;
pub(crate) mod clock;
pub(crate) mod discard;
pub(crate) mod lock;
