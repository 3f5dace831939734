//! Messages as bytes, for the page and its workers alone: both ends are the same program, so the
//! bytes say neither names nor types, which takes far less code than a text format.
//!
//! Numbers are LEB128; strings and lists have their length before them. A [`Reader`] that meets
//! something invalid is empty from then on, and the values it returns count for nothing. So there is
//! one check per message instead of one per field.

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};

pub(crate) use aqueduct_web_derive::Encoded;

/// A type that can be part of a message.
pub(crate) trait Encoded: Sized {
    /// A digest of the type's definition. Programs in which it differs do not understand each other.
    const SHAPE: u64;

    /// Appends the value.
    fn encode(&self, to: &mut Vec<u8>);

    /// Reads a value, any value if it is invalid.
    fn decode(from: &mut Reader<'_>) -> Self;
}

/// A message as a value of the browser, which it can pass on.
pub(crate) fn to_js(message: &impl Encoded) -> Uint8Array {
    to_bytes(message).as_slice().into()
}

/// A message from a value of the browser; `None` if it is anything else.
pub(crate) fn from_js<T: Encoded>(value: &JsValue) -> Option<T> {
    from_bytes(&value.dyn_ref::<Uint8Array>()?.to_vec())
}

/// A message as bytes.
fn to_bytes(message: &impl Encoded) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// A message from bytes; `None` if they are anything else.
fn from_bytes<T: Encoded>(bytes: &[u8]) -> Option<T> {
    let mut reader = Reader {
        rest: bytes,
        failed: false,
    };
    let message = T::decode(&mut reader);
    (!reader.failed && reader.rest.is_empty()).then_some(message)
}

/// Combines the text of a definition with the shapes of what it consists of (FNV-1a).
pub(crate) const fn shape(text: &str, parts: &[u64]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut digest = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < text.len() {
        digest = (digest ^ text.as_bytes()[at] as u64).wrapping_mul(PRIME);
        at += 1;
    }
    let mut at = 0;
    while at < parts.len() {
        digest = (digest ^ parts[at]).wrapping_mul(PRIME);
        at += 1;
    }
    digest
}

/// What is left of a message.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Reader<'a> {
    fn fail(&mut self) {
        self.failed = true;
        self.rest = &[];
    }

    fn byte(&mut self) -> u8 {
        if let Some((&first, rest)) = self.rest.split_first() {
            self.rest = rest;
            first
        } else {
            self.fail();
            0
        }
    }

    /// The number of a variant, below this count.
    pub(crate) fn variant(&mut self, count: u8) -> u8 {
        let number = self.byte();
        if number >= count {
            self.fail();
        }
        number
    }

    fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte();
            let part = u64::from(byte & 0x7f);
            number |= part << shift;
            if byte < 0x80 {
                if number >> shift != part {
                    self.fail();
                }
                return number;
            }
        }
        self.fail();
        number
    }

    /// A length, of something whose parts take at least a byte each.
    fn length(&mut self) -> usize {
        let length = usize::try_from(self.number()).unwrap_or(usize::MAX);
        if length > self.rest.len() {
            self.fail();
            return 0;
        }
        length
    }

    fn bytes(&mut self) -> &'a [u8] {
        let length = self.length();
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        bytes
    }
}

impl Encoded for u64 {
    const SHAPE: u64 = shape("u64", &[]);

    fn encode(&self, to: &mut Vec<u8>) {
        let mut left = *self;
        while left >= 0x80 {
            to.push(left.to_le_bytes()[0] | 0x80);
            left >>= 7;
        }
        to.push(left.to_le_bytes()[0]);
    }

    fn decode(from: &mut Reader<'_>) -> Self {
        from.number()
    }
}

/// A narrower integer, as a `u64` of the same value.
macro_rules! narrower {
    ($($integer:ident)*) => {$(
        impl Encoded for $integer {
            const SHAPE: u64 = shape(stringify!($integer), &[]);

            fn encode(&self, to: &mut Vec<u8>) {
                u64::from(*self).encode(to);
            }

            fn decode(from: &mut Reader<'_>) -> Self {
                Self::try_from(from.number()).unwrap_or_else(|_| {
                    from.fail();
                    0
                })
            }
        }
    )*};
}

narrower!(u8 u16 u32);

impl Encoded for i64 {
    const SHAPE: u64 = shape("i64", &[]);

    fn encode(&self, to: &mut Vec<u8>) {
        self.cast_unsigned().encode(to);
    }

    fn decode(from: &mut Reader<'_>) -> Self {
        from.number().cast_signed()
    }
}

impl Encoded for bool {
    const SHAPE: u64 = shape("bool", &[]);

    fn encode(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }

    fn decode(from: &mut Reader<'_>) -> Self {
        from.variant(2) == 1
    }
}

impl Encoded for String {
    const SHAPE: u64 = shape("String", &[]);

    fn encode(&self, to: &mut Vec<u8>) {
        (self.len() as u64).encode(to);
        to.extend_from_slice(self.as_bytes());
    }

    fn decode(from: &mut Reader<'_>) -> Self {
        String::from_utf8(from.bytes().to_vec()).unwrap_or_else(|_| {
            from.fail();
            Self::new()
        })
    }
}

impl<const N: usize> Encoded for [u8; N] {
    const SHAPE: u64 = shape("[u8]", &[N as u64]);

    fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self);
    }

    fn decode(from: &mut Reader<'_>) -> Self {
        let Some((bytes, rest)) = from.rest.split_first_chunk() else {
            from.fail();
            return [0; N];
        };
        from.rest = rest;
        *bytes
    }
}

impl<T: Encoded> Encoded for Option<T> {
    const SHAPE: u64 = shape("Option", &[T::SHAPE]);

    fn encode(&self, to: &mut Vec<u8>) {
        self.is_some().encode(to);
        if let Some(value) = self {
            value.encode(to);
        }
    }

    fn decode(from: &mut Reader<'_>) -> Self {
        bool::decode(from).then(|| T::decode(from))
    }
}

impl<T: Encoded> Encoded for Vec<T> {
    const SHAPE: u64 = shape("Vec", &[T::SHAPE]);

    fn encode(&self, to: &mut Vec<u8>) {
        (self.len() as u64).encode(to);
        self.iter().for_each(|item| item.encode(to));
    }

    fn decode(from: &mut Reader<'_>) -> Self {
        // Collected one by one, since a declared length is no reason to allocate memory.
        let mut items = Self::new();
        for _ in 0..from.length() {
            if from.failed {
                break;
            }
            items.push(T::decode(from));
        }
        items
    }
}

impl<A: Encoded, B: Encoded> Encoded for (A, B) {
    const SHAPE: u64 = shape("", &[A::SHAPE, B::SHAPE]);

    fn encode(&self, to: &mut Vec<u8>) {
        self.0.encode(to);
        self.1.encode(to);
    }

    fn decode(from: &mut Reader<'_>) -> Self {
        (A::decode(from), B::decode(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{
        BridgeStatus, Outcome, Priority, Settings, State, ToPage, ToWorker, Torrent, TrackerAnswer,
        TrackerRow, View,
    };

    /// Messages with each kind of field.
    fn messages() -> (Vec<ToWorker>, Vec<ToPage>) {
        let state = State {
            bridge: BridgeStatus::Waiting { seconds: 300 },
            torrents: vec![Torrent::default(), Torrent::default()],
            ..State::default()
        };
        let row = TrackerRow {
            url: "https://t/\u{1f4a7}".into(),
            answer: TrackerAnswer::Peers {
                named: u32::MAX,
                seeders: None,
                leechers: Some(0),
            },
            asking: true,
            text: None,
            next: Some(1),
        };
        let (id, file, priority) = (3, 7, Priority::High);
        let pane = crate::message::Pane::Files;
        let to_worker = vec![
            ToWorker::SetPriority { id, file, priority },
            ToWorker::Show(Some(View { torrent: 1, pane })),
            ToWorker::Settings(Settings::default()),
            ToWorker::Ping,
        ];
        let to_page = vec![
            ToPage::State(state),
            ToPage::FilesDone(1, vec![u64::MAX, (1 << 53) + 1, 127, 128]),
            ToPage::Trackers(9, vec![Vec::new(), vec![row]]),
            ToPage::AddResult {
                asked: "\"".into(),
                outcome: Outcome::Added,
            },
        ];
        (to_worker, to_page)
    }

    #[test]
    fn a_message_survives_the_way_between_page_and_worker() {
        let (to_worker, to_page) = messages();
        for message in to_worker {
            assert_eq!(from_bytes(&to_bytes(&message)), Some(message));
        }
        for message in to_page {
            assert_eq!(from_bytes(&to_bytes(&message)), Some(message));
        }
        let numbers = (u16::MAX, (-1_i64, [1_u8, 2, 3]));
        assert_eq!(from_bytes(&to_bytes(&numbers)), Some(numbers));
    }

    #[test]
    fn a_message_that_is_cut_or_too_long_is_none() {
        for message in messages().1 {
            let bytes = to_bytes(&message);
            for length in 0..bytes.len() {
                assert_eq!(from_bytes::<ToPage>(&bytes[..length]), None);
            }
            assert_eq!(from_bytes::<ToPage>(&[&bytes[..], &[0]].concat()), None);
        }
    }

    #[test]
    fn what_no_value_has_is_none() {
        assert_eq!(from_bytes::<ToPage>(&[200]), None, "a variant");
        assert_eq!(from_bytes::<bool>(&[2]), None);
        assert_eq!(from_bytes::<u16>(&[0x80, 0x80, 4]), None, "65536");
        assert_eq!(from_bytes::<String>(&[1, 0xff]), None, "not UTF-8");
        assert_eq!(from_bytes::<u64>(&[0xff; 10]), None, "without an end");
        let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(from_bytes::<u64>(&beyond), None, "65 bits");
        let endless = [0xff; 20];
        assert_eq!(from_bytes::<Vec<u64>>(&endless), None);
    }

    #[test]
    fn a_list_takes_no_memory_for_items_that_are_not_there() {
        let count = 1_000_000_usize;
        let mut bytes = to_bytes(&(count as u64));
        bytes.resize(bytes.len() + count, 0xff);
        let mut reader = Reader {
            rest: &bytes,
            failed: false,
        };
        let items = Vec::<Torrent>::decode(&mut reader);
        assert!(reader.failed && items.len() == 1, "{} items", items.len());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            from_bytes::<ToPage>(&bytes);
            from_bytes::<ToWorker>(&bytes);
        }
    }

    mod before {
        #[derive(super::Encoded)]
        pub(super) struct Inner(pub(super) u32);

        #[derive(super::Encoded)]
        pub(super) struct Outer(pub(super) Inner);
    }

    mod after {
        #[derive(super::Encoded)]
        pub(super) struct Inner(pub(super) Vec<u32>);

        #[derive(super::Encoded)]
        pub(super) struct Outer(pub(super) Inner);
    }

    #[test]
    fn a_type_whose_parts_differ_has_another_shape() {
        assert_ne!(before::Inner::SHAPE, after::Inner::SHAPE);
        assert_ne!(before::Outer::SHAPE, after::Outer::SHAPE);
    }
}
