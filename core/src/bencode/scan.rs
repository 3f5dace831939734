//! Validation of untrusted bytes in one pass, without recursion.

use std::cmp::Ordering;
use std::ops::Range;

use super::{BencodeError, BencodeFault, Value};
use crate::types::sort;

/// The limits of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum size of the whole value in bytes.
    pub bytes: usize,
    /// The maximum nesting depth of lists and dictionaries.
    pub depth: usize,
    /// The maximum number of integers, strings (including keys), lists and dictionaries.
    pub tokens: usize,
    /// How far the data may deviate from the canonical form.
    pub form: Form,
}

/// How strictly the form of BEP 3 is enforced, from the strictest on. Each variant accepts
/// everything that those before it accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Sorted and unique keys, and integers and lengths in their shortest form. Every value then
    /// has exactly one encoding, as BEP 52 requires.
    Canonical,
    /// Also accepts unsorted keys.
    Unsorted,
    /// Also accepts `-0` and leading zeros, which some programs have written into v1 torrents.
    Loose,
    /// Also accepts duplicate keys in a dictionary. The first entry counts ([`super::Dict`]).
    Repeating,
}

impl Limits {
    /// For a .torrent file: 10 MB. Its hashed part must also be within [`Limits::METADATA`].
    pub const TORRENT: Self = Self {
        bytes: 10_000_000,
        depth: 100,
        tokens: 3_000_000,
        form: Form::Repeating,
    };
    /// For an `info` dictionary: 16 MiB.
    pub const METADATA: Self = Self {
        bytes: 16 << 20,
        form: Form::Loose,
        ..Self::TORRENT
    };
    /// For a tracker response, an extended message or a DHT packet: 1 MiB and 10,000 tokens.
    pub const MESSAGE: Self = Self {
        bytes: 1 << 20,
        depth: 100,
        tokens: 10_000,
        form: Form::Unsorted,
    };

    /// The same limits, with only the canonical form accepted.
    #[must_use]
    pub const fn canonical(self) -> Self {
        Self {
            form: Form::Canonical,
            ..self
        }
    }
}

/// Checks that `bytes` are exactly one value within `limits` and in the form that they require.
///
/// Takes time linear in the bytes (a dictionary with unsorted keys is sorted to find equal ones),
/// and memory linear in the keys of the dictionaries open at a time.
///
/// # Errors
/// The first fault and its offset.
pub fn scan(bytes: &[u8], limits: Limits) -> Result<Value<'_>, BencodeError> {
    let fault = BencodeFault::Bytes {
        received: bytes.len(),
        limit: limits.bytes,
    };
    if bytes.len() > limits.bytes {
        return Err(fault.at(limits.bytes));
    }
    let (value, rest) = scan_prefix(bytes, limits)?;
    match rest.len() {
        0 => Ok(value),
        n => Err(BencodeFault::Trailing(n).at(bytes.len() - n)),
    }
}

/// Like [`scan`], for a value that is followed by other data (BEP 9 appends a piece of metadata to
/// a dictionary). Returns the value and the data that follow.
///
/// # Errors
/// The first fault and its offset. [`Limits::bytes`] bounds the value alone.
pub fn scan_prefix(bytes: &[u8], limits: Limits) -> Result<(Value<'_>, &[u8]), BencodeError> {
    let window = bytes.get(..limits.bytes).unwrap_or(bytes);
    let mut scanner = Scanner {
        bytes: window,
        at: 0,
        limits,
        tokens: 0,
        open: Vec::new(),
        keys: Vec::new(),
    };
    scanner.run()?;
    let (raw, rest) = bytes.split_at(scanner.at);
    Ok((Value::scanned(raw), rest))
}

/// What may follow in a container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// A list item, or the end of the list.
    Item,
    /// A dictionary key, or the end of the dictionary.
    Key,
    /// The value of the last key.
    Value,
}

/// A list or dictionary whose end has not been reached.
struct Open {
    due: Due,
    /// Where this dictionary's keys begin in [`Scanner::keys`].
    keys: usize,
    sorted: bool,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    tokens: usize,
    open: Vec<Open>,
    /// The keys of all open dictionaries, outer ones first. A single vector avoids an allocation
    /// per dictionary.
    keys: Vec<Range<usize>>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Result<(), BencodeError> {
        loop {
            self.step()?;
            if self.open.is_empty() {
                return Ok(());
            }
        }
    }

    fn step(&mut self) -> Result<(), BencodeError> {
        let byte = self.peek()?;
        match (self.open.last().map(|o| o.due), byte) {
            (Some(Due::Item | Due::Key), b'e') => self.close(),
            (Some(Due::Value), b'e') => Err(BencodeFault::NoValue.at(self.at)),
            (Some(Due::Key), _) => self.key(byte),
            _ => self.value(byte),
        }
    }

    fn peek(&self) -> Result<u8, BencodeError> {
        self.bytes
            .get(self.at)
            .copied()
            .ok_or_else(|| BencodeFault::End.at(self.at))
    }

    fn token(&mut self) -> Result<(), BencodeError> {
        self.tokens += 1;
        if self.tokens > self.limits.tokens {
            Err(BencodeFault::Tokens(self.limits.tokens).at(self.at))
        } else {
            Ok(())
        }
    }

    fn value(&mut self, first: u8) -> Result<(), BencodeError> {
        self.token()?;
        if let Some(open) = self.open.last_mut().filter(|o| o.due == Due::Value) {
            open.due = Due::Key;
        }
        match first {
            b'i' => self.integer(),
            b'0'..=b'9' => self.string().map(drop),
            b'l' => self.begin(Due::Item),
            b'd' => self.begin(Due::Key),
            other => Err(BencodeFault::Unexpected(other).at(self.at)),
        }
    }

    fn begin(&mut self, due: Due) -> Result<(), BencodeError> {
        if self.open.len() >= self.limits.depth {
            return Err(BencodeFault::Depth(self.limits.depth).at(self.at));
        }
        self.open.push(Open {
            due,
            keys: self.keys.len(),
            sorted: true,
        });
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), BencodeError> {
        self.at += 1;
        if let Some(open) = self.open.pop() {
            if !open.sorted && self.limits.form < Form::Repeating {
                self.find_duplicate(open.keys)?;
            }
            self.keys.truncate(open.keys);
        }
        Ok(())
    }

    fn key(&mut self, first: u8) -> Result<(), BencodeError> {
        if !first.is_ascii_digit() {
            return Err(BencodeFault::Key.at(self.at));
        }
        self.token()?;
        let start = self.at;
        let key = self.string()?;
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        open.due = Due::Value;
        if let Some(last) = self.keys.get(open.keys..).and_then(<[_]>::last) {
            match self.bytes[last.clone()].cmp(&self.bytes[key.clone()]) {
                Ordering::Less => {}
                Ordering::Equal if self.limits.form < Form::Repeating => {
                    return Err(BencodeFault::DuplicateKey.at(start));
                }
                Ordering::Equal => {}
                Ordering::Greater if self.limits.form == Form::Canonical => {
                    return Err(BencodeFault::Unsorted.at(start));
                }
                Ordering::Greater => open.sorted = false,
            }
        }
        self.keys.push(key);
        Ok(())
    }

    /// Checks unsorted keys for duplicates, which need not be adjacent.
    fn find_duplicate(&mut self, from: usize) -> Result<(), BencodeError> {
        let bytes = self.bytes;
        let Some(keys) = self.keys.get_mut(from..) else {
            return Ok(());
        };
        sort::sort_by(keys, |a, b| bytes[a.clone()].cmp(&bytes[b.clone()]));
        match keys
            .windows(2)
            .find(|w| bytes[w[0].clone()] == bytes[w[1].clone()])
        {
            Some(pair) => Err(BencodeFault::DuplicateKey.at(pair[1].start)),
            None => Ok(()),
        }
    }

    /// Scans `i`, digits, `e`.
    fn integer(&mut self) -> Result<(), BencodeError> {
        let start = self.at;
        self.at += 1;
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let digits = self.digits();
        let is_written_well = match self.limits.form {
            Form::Canonical | Form::Unsorted => shortest(digits) && !(negative && digits == b"0"),
            Form::Loose | Form::Repeating => !digits.is_empty(),
        };
        if self.peek()? != b'e' || !is_written_well {
            return Err(BencodeFault::Integer.at(start));
        }
        // The sign is parsed with the digits, since -2^63 has no positive counterpart.
        let text = &self.bytes[start + 1..self.at];
        let number = std::str::from_utf8(text)
            .ok()
            .and_then(|t| t.parse::<i64>().ok());
        self.at += 1;
        number
            .map(drop)
            .ok_or_else(|| BencodeFault::IntegerRange.at(start))
    }

    /// Scans a length, `:`, and that many bytes. Returns the range of the bytes.
    fn string(&mut self) -> Result<Range<usize>, BencodeError> {
        let start = self.at;
        let digits = self.digits();
        let is_written_well = if self.limits.form < Form::Loose {
            shortest(digits)
        } else {
            !digits.is_empty()
        };
        if self.peek()? != b':' || !is_written_well {
            return Err(BencodeFault::Length.at(start));
        }
        let declared = std::str::from_utf8(digits)
            .ok()
            .and_then(|t| t.parse::<u64>().ok());
        let declared = declared.ok_or_else(|| BencodeFault::Length.at(start))?;
        let from = self.at + 1;
        let left = self.bytes.len() - from;
        let length = usize::try_from(declared).ok().filter(|&n| n <= left);
        self.at = from
            + length.ok_or_else(|| {
                BencodeFault::Overrun {
                    declared,
                    left: left as u64,
                }
                .at(start)
            })?;
        Ok(from..self.at)
    }

    /// Advances over the digits that follow.
    fn digits(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let count = rest
            .iter()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(rest.len());
        self.at += count;
        &rest[..count]
    }
}

/// Whether the digits have no redundant leading zeros.
fn shortest(digits: &[u8]) -> bool {
    match digits {
        [] => false,
        [b'0', ..] => digits.len() == 1,
        _ => true,
    }
}
