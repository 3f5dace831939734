//! A bencode writer of its own (BEP 3), so that what the product reads was not written by the
//! product.

/// A value to be written.
#[derive(Clone, Debug)]
pub enum Value {
    /// `i…e`
    Int(i64),
    /// `length:bytes`
    Bytes(Vec<u8>),
    /// `l…e`
    List(Vec<Value>),
    /// `d…e`; written in the order given, which for a valid torrent is sorted by key.
    Dict(Vec<(&'static str, Value)>),
    /// Bytes that are bencoded already.
    Raw(Vec<u8>),
}

impl Value {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }

    /// A size or an offset.
    ///
    /// # Panics
    /// Over `i64::MAX`.
    #[must_use]
    pub fn size(n: u64) -> Self {
        Self::Int(i64::try_from(n).unwrap())
    }

    /// The bencoded form.
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
