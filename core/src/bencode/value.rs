//! A cursor over scanned bytes. It borrows, does not copy, and never fails on data that
//! [`super::scan`] accepted.

use std::fmt;

use serde::de::DeserializeOwned;

/// A scanned value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    raw: &'a [u8],
}

impl<'a> Value<'a> {
    /// Wraps bytes that a scan has accepted.
    pub(super) const fn scanned(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The encoded value, unchanged. An info-hash is computed over these bytes.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The integer, if the value is one.
    #[must_use]
    pub fn as_int(self) -> Option<i64> {
        let digits = self.raw.strip_prefix(b"i")?.strip_suffix(b"e")?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The bytes, if the value is a string.
    #[must_use]
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        split_string(self.raw).map(|(content, _)| content)
    }

    /// The text, if the value is a string in UTF-8.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The items, if the value is a list.
    #[must_use]
    pub fn as_list(self) -> Option<List<'a>> {
        Some(List {
            rest: self.raw.strip_prefix(b"l")?.strip_suffix(b"e")?,
        })
    }

    /// The entries, if the value is a dictionary.
    #[must_use]
    pub fn as_dict(self) -> Option<Dict<'a>> {
        Some(Dict {
            body: self.raw.strip_prefix(b"d")?.strip_suffix(b"e")?,
        })
    }

    /// Deserializes the value; `None` if it has another shape. The scan bounds the depth, and
    /// thereby the recursion.
    #[must_use]
    pub fn typed<T: DeserializeOwned>(self) -> Option<T> {
        serde_bencode::from_bytes(self.raw).ok()
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.raw.escape_ascii())
    }
}

/// The items of a list, in order.
#[derive(Clone, Debug)]
pub struct List<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for List<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (value, rest) = split_value(self.rest)?;
        self.rest = rest;
        Some(value)
    }
}

/// A dictionary. Each look-up is a linear search, so iterate if all entries are needed. Of
/// duplicate keys the first one counts.
#[derive(Clone, Copy, Debug)]
pub struct Dict<'a> {
    body: &'a [u8],
}

impl<'a> Dict<'a> {
    /// The value of a key.
    #[must_use]
    pub fn get(self, key: impl AsRef<[u8]>) -> Option<Value<'a>> {
        let key = key.as_ref();
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The integer of a key, if it exists, is an integer, and fits into `T`.
    #[must_use]
    pub fn num<T: TryFrom<i64>>(self, key: impl AsRef<[u8]>) -> Option<T> {
        self.get(key)?.as_int()?.try_into().ok()
    }

    /// The string of a key.
    #[must_use]
    pub fn bytes(self, key: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        self.get(key)?.as_bytes()
    }

    /// The string of a key, if it is UTF-8.
    #[must_use]
    pub fn str(self, key: impl AsRef<[u8]>) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// The list of a key.
    #[must_use]
    pub fn list(self, key: impl AsRef<[u8]>) -> Option<List<'a>> {
        self.get(key)?.as_list()
    }

    /// The dictionary of a key.
    #[must_use]
    pub fn dict(self, key: impl AsRef<[u8]>) -> Option<Dict<'a>> {
        self.get(key)?.as_dict()
    }

    /// The values of several keys, found in a single pass.
    #[must_use]
    pub fn gather<const N: usize>(self, keys: [&str; N]) -> [Option<Value<'a>>; N] {
        let mut values = [None; N];
        for (key, value) in self {
            let wanted = keys.iter().position(|wanted| wanted.as_bytes() == key);
            if let Some(slot) = wanted.and_then(|at| values.get_mut(at)) {
                slot.get_or_insert(value);
            }
        }
        values
    }

    /// Iterates over keys and values in the encoded order.
    #[must_use]
    pub const fn iter(self) -> Entries<'a> {
        Entries { rest: self.body }
    }
}

impl<'a> IntoIterator for Dict<'a> {
    type Item = (&'a [u8], Value<'a>);
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

/// Iterator over keys and values of a [`Dict`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = split_string(self.rest)?;
        let (value, rest) = split_value(rest)?;
        self.rest = rest;
        Some((key, value))
    }
}

/// Splits off the string at the start.
fn split_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0usize;
    let mut rest = bytes;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        length = length
            .checked_mul(10)?
            .checked_add(usize::from(digit - b'0'))?;
        rest = tail;
    }
    match rest {
        [b':', tail @ ..] if rest.len() < bytes.len() => tail.split_at_checked(length),
        _ => None,
    }
}

/// Splits off the value at the start. Counts open containers instead of recursing.
fn split_value(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let mut rest = bytes;
    let mut open = 0usize;
    loop {
        rest = match rest {
            [b'l' | b'd', tail @ ..] => {
                open += 1;
                tail
            }
            [b'e', tail @ ..] => {
                open = open.checked_sub(1)?;
                tail
            }
            [b'i', ..] => &rest[rest.iter().position(|&b| b == b'e')? + 1..],
            _ => split_string(rest)?.1,
        };
        if open == 0 {
            let (raw, rest) = bytes.split_at(bytes.len() - rest.len());
            return Some((Value { raw }, rest));
        }
    }
}
