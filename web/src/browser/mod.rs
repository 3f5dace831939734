//! The browser's interfaces for workers: global scope, clock, locks, workers, buffers, errors.

pub(crate) mod buffers;
pub(crate) mod callback;
pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod global;
pub(crate) mod lock;
pub(crate) mod module_worker;
