//! Why bytes are no bencode, or more of it than we take.

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {fault}")]
pub struct BencodeError {
    /// Offset of the offending byte, or of the first byte of the offending value.
    pub at: usize,
    /// What is wrong there.
    pub fault: BencodeFault,
}

/// What [`super::scan`] refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BencodeFault {
    /// The bytes stop inside a value.
    #[error("the data end in the middle of a value")]
    End,
    /// A byte that begins no value.
    #[error("no value begins with the byte 0x{0:02x}")]
    Unexpected(u8),
    /// Leading zeros, `-0`, no digits, or something other than digits.
    #[error("an integer is not in its shortest decimal form")]
    Integer,
    /// An integer that 64 bits with a sign cannot hold.
    #[error("an integer is outside -2^63 .. 2^63 - 1")]
    IntegerRange,
    /// Leading zeros, more than 64 bits, or something other than digits before the colon.
    #[error("a string's length is not in its shortest decimal form")]
    Length,
    /// A string longer than the data.
    #[error("a string of {declared} bytes is declared, {left} are left")]
    Overrun {
        /// What its head says.
        declared: u64,
        /// Bytes after the colon.
        left: u64,
    },
    /// A dictionary's key is something other than a string.
    #[error("a dictionary's key is not a string")]
    Key,
    /// A dictionary ends after a key.
    #[error("a dictionary's key has no value")]
    NoValue,
    /// The same key twice in a dictionary.
    #[error("a dictionary has the same key twice")]
    DuplicateKey,
    /// Keys out of order, where [`super::Form::Canonical`] asks for order.
    #[error("a dictionary's keys are not sorted")]
    Unsorted,
    /// More lists and dictionaries in each other than [`super::Limits::depth`].
    #[error("values are nested deeper than {0}")]
    Depth(usize),
    /// More values than [`super::Limits::tokens`].
    #[error("there are more than {0} values")]
    Tokens(usize),
    /// More bytes than [`super::Limits::bytes`].
    #[error("there are {received} bytes, at most {limit} are taken")]
    Bytes {
        /// What came.
        received: usize,
        /// What we take.
        limit: usize,
    },
    /// Something after the value.
    #[error("{0} bytes follow the end of the value")]
    Trailing(usize),
}

impl BencodeFault {
    /// The fault at its place.
    pub(super) const fn at(self, at: usize) -> BencodeError {
        BencodeError { at, fault: self }
    }
}
