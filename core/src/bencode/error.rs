//! Why bytes were rejected as bencode.

/// A fault and its location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {fault}")]
pub struct BencodeError {
    /// The offset of the offending byte, or of the first byte of the offending value.
    pub at: usize,
    /// The fault.
    pub fault: BencodeFault,
}

/// The faults that [`super::scan`] detects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BencodeFault {
    /// The data end inside a value.
    #[error("the data end in the middle of a value")]
    End,
    /// A byte that cannot start a value.
    #[error("no value begins with the byte 0x{0:02x}")]
    Unexpected(u8),
    /// An integer with leading zeros, without digits, with other characters than digits, or `-0`.
    #[error("an integer is not in its shortest decimal form")]
    Integer,
    /// An integer outside the range of `i64`.
    #[error("an integer is outside -2^63 .. 2^63 - 1")]
    IntegerRange,
    /// A string length with leading zeros, of more than 64 bits, or with other characters than
    /// digits before the colon.
    #[error("a string's length is not in its shortest decimal form")]
    Length,
    /// A string that is longer than the remaining data.
    #[error("a string of {declared} bytes is declared, {left} are left")]
    Overrun {
        /// The declared length in bytes.
        declared: u64,
        /// The number of bytes after the colon.
        left: u64,
    },
    /// A dictionary key that is not a string.
    #[error("a dictionary's key is not a string")]
    Key,
    /// A dictionary that ends after a key.
    #[error("a dictionary's key has no value")]
    NoValue,
    /// A key that occurs twice in a dictionary.
    #[error("a dictionary has the same key twice")]
    DuplicateKey,
    /// Unsorted keys, where [`super::Form::Canonical`] requires sorted ones.
    #[error("a dictionary's keys are not sorted")]
    Unsorted,
    /// Lists and dictionaries that are nested more deeply than [`super::Limits::depth`].
    #[error("values are nested deeper than {0}")]
    Depth(usize),
    /// More values than [`super::Limits::tokens`].
    #[error("there are more than {0} values")]
    Tokens(usize),
    /// More data than [`super::Limits::bytes`].
    #[error("there are {received} bytes, at most {limit} are taken")]
    Bytes {
        /// The size of the data in bytes.
        received: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Data after the value.
    #[error("{0} bytes follow the end of the value")]
    Trailing(usize),
}

impl BencodeFault {
    /// Combines the fault with its location.
    pub(super) const fn at(self, at: usize) -> BencodeError {
        BencodeError { at, fault: self }
    }
}
