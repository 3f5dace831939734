//! Bencode (BEP 3), the encoding of .torrent files, tracker responses, extended messages and DHT
//! messages.
//!
//! All untrusted data pass [`scan`] first. Its strictness is set by [`Form`]. It does not recurse,
//! allocates nothing based on a declared length, and bounds depth, tokens and bytes. Accepted data
//! are read through [`Value`], a cursor that borrows and does not copy; [`Value::typed`]
//! deserializes a value with serde. Output is written by [`Encoder`], which sorts the keys.
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
