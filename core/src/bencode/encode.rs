//! Bencode output. It is canonical by construction.

use crate::types::SortedMap;

/// The encoding of one canonical value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded(Vec<u8>);

impl Encoded {
    /// An integer. [`super::scan`] reads back every integer that fits into an `i64`.
    #[must_use]
    pub fn int(number: impl Into<i128>) -> Self {
        Self(format!("i{}e", number.into()).into_bytes())
    }

    /// A byte string.
    #[must_use]
    pub fn bytes(content: impl AsRef<[u8]>) -> Self {
        let mut out = Vec::new();
        put_string(&mut out, content.as_ref());
        Self(out)
    }

    /// A list.
    #[must_use]
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        let mut out = vec![b'l'];
        items.into_iter().for_each(|item| out.extend(item.0));
        out.push(b'e');
        Self(out)
    }

    /// A value that is already bencoded; it is written unchanged. An `info` dictionary must keep
    /// the exact bytes that were hashed.
    #[must_use]
    pub fn raw(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    /// The encoded bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<&Encoder> for Encoded {
    fn from(dict: &Encoder) -> Self {
        Self(dict.finish())
    }
}

impl From<&mut Encoder> for Encoded {
    fn from(dict: &mut Encoder) -> Self {
        Self(dict.finish())
    }
}

/// Builds a dictionary. Entries may be added in any order; the output has each key once, sorted. Of
/// several entries with the same key the last one is kept.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    entries: Vec<(Vec<u8>, Encoded)>,
}

impl Encoder {
    /// Creates an empty dictionary.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry with any value.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl Into<Encoded>) -> &mut Self {
        self.entries.push((key.as_ref().to_vec(), value.into()));
        self
    }

    /// Adds an entry with an integer.
    pub fn int(&mut self, key: impl AsRef<[u8]>, number: impl Into<i128>) -> &mut Self {
        self.put(key, Encoded::int(number))
    }

    /// Adds an entry with a byte string.
    pub fn bytes(&mut self, key: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> &mut Self {
        self.put(key, Encoded::bytes(content))
    }

    /// Adds an entry with a list.
    pub fn list(
        &mut self,
        key: impl AsRef<[u8]>,
        items: impl IntoIterator<Item = Encoded>,
    ) -> &mut Self {
        self.put(key, Encoded::list(items))
    }

    /// The encoded dictionary.
    #[must_use]
    pub fn finish(&self) -> Vec<u8> {
        let mut out = vec![b'd'];
        let entries = self.entries.iter().map(|(key, value)| (key, value));
        for (key, value) in SortedMap::from_iter(entries) {
            put_string(&mut out, key);
            out.extend_from_slice(&value.0);
        }
        out.push(b'e');
        out
    }
}

fn put_string(out: &mut Vec<u8>, content: &[u8]) {
    out.extend_from_slice(content.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(content);
}
