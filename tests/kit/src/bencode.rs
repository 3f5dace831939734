//! A bencode writer (BEP 3) that is independent of the one under test.

/// A bencode value to encode.
#[derive(Clone, Debug)]
pub enum Value {
    /// An integer: `i…e`
    Int(i64),
    /// A byte string: `length:bytes`
    Bytes(Vec<u8>),
    /// A list: `l…e`
    List(Vec<Value>),
    /// A dictionary: `d…e`. Entries are written in the given order; a valid torrent has its keys
    /// sorted.
    Dict(Vec<(&'static str, Value)>),
    /// Bytes that are already bencoded, written as they are.
    Raw(Vec<u8>),
}

impl Value {
    /// A byte string that holds UTF-8 text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }

    /// An integer that holds a size or an offset.
    ///
    /// # Panics
    /// Over `i64::MAX`.
    #[must_use]
    pub fn size(n: u64) -> Self {
        Self::Int(i64::try_from(n).unwrap())
    }

    /// Encodes the value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(n) => out.extend(format!("i{n}e").bytes()),
            Self::Bytes(bytes) => write_bytes(bytes, out),
            Self::List(items) => {
                out.push(b'l');
                items.iter().for_each(|item| item.write(out));
                out.push(b'e');
            }
            Self::Dict(entries) => {
                out.push(b'd');
                for (key, value) in entries {
                    write_bytes(key.as_bytes(), out);
                    value.write(out);
                }
                out.push(b'e');
            }
            Self::Raw(bytes) => out.extend(bytes),
        }
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(format!("{}:", bytes.len()).bytes());
    out.extend(bytes);
}
