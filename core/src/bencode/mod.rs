//! Bencode (BEP 3): the form of .torrent files, tracker answers, extended messages and the DHT.
//!
//! Everything from outside goes through [`scan`] first. It is as strict as [`Form`] says, does not
//! recurse, allocates nothing that a declared length asks for, and bounds depth, tokens and bytes.
//! What it accepts is read through [`Value`], a cursor that borrows and copies nothing;
//! [`Value::typed`] hands a part to serde. What we say ourselves is written by [`Encoder`], whose
//! keys cannot come out unsorted.
//!
//! ```
//! use aqueduct_core::bencode::{Encoder, Limits, scan};
//!
//! let bytes = Encoder::new().int("piece", 7u32).bytes("v", "Aqueduct").finish();
//! assert_eq!(bytes, b"d5:piecei7e1:v8:Aqueducte");
//! let dict = scan(&bytes, Limits::MESSAGE)?.as_dict().expect("a dictionary was written");
//! assert_eq!(dict.num::<u32>("piece"), Some(7));
//! # Ok::<(), aqueduct_core::bencode::BencodeError>(())
//! ```

mod encode;
mod error;
mod scan;
#[cfg(test)]
pub(crate) mod tests;
mod value;

pub use encode::{Encoded, Encoder};
pub use error::{BencodeError, BencodeFault};
pub use scan::{Form, Limits, scan, scan_prefix};
pub use value::{Dict, Entries, List, Value};
