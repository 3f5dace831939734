//! Blocklists: ranges of addresses whose peers are neither dialled nor accepted.
//!
//! [`Builder`] reads lists line by line, in three forms that may be mixed:
//!
//! - P2P (PeerGuardian): `NAME:FIRST-LAST`;
//! - DAT (eMule): `FIRST - LAST , LEVEL , NAME`, where levels over 127 permit the range;
//! - CIDR (`ADDRESS/BITS`), `FIRST-LAST`, or single addresses.
//!
//! Overlapping and adjacent ranges are merged, so that a lookup is one binary search. A range of
//! IPv4 takes 8 bytes, one of IPv6 32.

mod line;
mod ranges;

use std::fmt;
use std::net::IpAddr;

use self::line::{Line, Span};
use self::ranges::Ranges;
use crate::types::visible;

/// The maximum number of ranges after merging, of each family: 128 MiB of memory for IPv6.
pub const MAX_RANGES: usize = 4 << 20;
/// The maximum length of a line in bytes. A longer one is malformed.
pub const MAX_LINE: usize = 4096;
/// The number of characters of a malformed line that are shown.
const EXCERPT: usize = 60;

/// Ranges of addresses. The default is empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blocklist {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl Blocklist {
    /// Whether the list contains an address. An IPv4 address that is mapped to IPv6
    /// (`::ffff:1.2.3.4`) counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(v4) => self.v4.contains(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.contains(v6.to_bits()),
        }
    }

    /// The number of ranges after merging.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is no range.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocklist({} ranges)", self.len())
    }
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// There is no address where each of the forms has one.
    #[error("it contains no address, range of addresses or CIDR block")]
    NoAddress,
    /// The number after the slash is too large or missing.
    #[error("the number of bits after the slash is wrong: at most 32 for IPv4, 128 for IPv6")]
    Bits,
    /// One end of the range is an IPv4 address, the other an IPv6 address.
    #[error("one end of the range is an IPv4 address and the other an IPv6 address")]
    Families,
    /// The range ends before it begins.
    #[error("the range ends before it begins")]
    Reversed,
    /// The access level of a DAT line is not a number from 0 to 255.
    #[error("the access level is not a number from 0 to 255")]
    Level,
    /// The line has more than [`MAX_LINE`] bytes.
    #[error("it is longer than {MAX_LINE} bytes")]
    TooLong,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} ({text}): {problem}")]
pub struct Malformed {
    /// Its number, beginning with 1.
    pub line: u64,
    /// Its beginning, with invisible characters made visible.
    pub text: String,
    /// What is wrong.
    pub problem: LineError,
}

/// What was read besides the list itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines that name a blocked range.
    pub blocked: u64,
    /// DAT lines whose access level permits the range; they have no effect.
    pub permitted: u64,
    /// Lines that could not be read. Comments and empty lines are not counted.
    pub malformed: u64,
    /// The first of them.
    pub first_malformed: Option<Malformed>,
}

/// Why a list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlocklistError {
    /// No line is valid, so this is probably something else than a blocklist.
    #[error("it contains no valid line{}", shown(.0.as_ref()))]
    NoValidLine(Option<Malformed>),
    /// There are more than [`MAX_RANGES`] ranges of one family.
    #[error("it contains more than {MAX_RANGES} separate ranges, which is the maximum")]
    TooMany,
}

fn shown(first: Option<&Malformed>) -> String {
    first.map_or_else(String::new, |first| format!("; {first}"))
}

/// Reads a blocklist. Memory is bounded by [`MAX_RANGES`].
#[derive(Debug, Default)]
pub struct Builder {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    summary: Summary,
    line: u64,
}

impl Builder {
    /// Reads one line, without its line feed. Of a line that is longer than [`MAX_LINE`], any
    /// beginning that is longer suffices.
    ///
    /// # Errors
    /// There are too many ranges. A malformed line is no error; it is counted.
    pub fn add_line(&mut self, line: &[u8]) -> Result<(), BlocklistError> {
        self.line += 1;
        let parsed = if line.len() > MAX_LINE {
            Err(LineError::TooLong)
        } else {
            line::parse(line)
        };
        match parsed {
            Ok(Line::Blank) => {}
            Ok(Line::Permitted) => self.summary.permitted += 1,
            Ok(Line::Blocked(span)) => {
                self.summary.blocked += 1;
                self.add(span)?;
            }
            Err(problem) => self.note(line, problem),
        }
        Ok(())
    }

    fn add(&mut self, span: Span) -> Result<(), BlocklistError> {
        let fits = match span {
            Span::V4(first, last) => self.v4.add(first, last),
            Span::V6(first, last) => self.v6.add(first, last),
        };
        if fits {
            Ok(())
        } else {
            Err(BlocklistError::TooMany)
        }
    }

    fn note(&mut self, line: &[u8], problem: LineError) {
        self.summary.malformed += 1;
        if self.summary.first_malformed.is_none() {
            let start = line.get(..line.len().min(4 * EXCERPT)).unwrap_or_default();
            let start = String::from_utf8_lossy(start.trim_ascii());
            let text: String = start.chars().take(EXCERPT).collect();
            self.summary.first_malformed = Some(Malformed {
                line: self.line,
                text: visible(&text).into_owned(),
                problem,
            });
        }
    }

    /// The list.
    ///
    /// # Errors
    /// No line was valid.
    pub fn finish(self) -> Result<(Blocklist, Summary), BlocklistError> {
        let Self {
            mut v4,
            mut v6,
            summary,
            ..
        } = self;
        if summary.blocked + summary.permitted == 0 {
            return Err(BlocklistError::NoValidLine(summary.first_malformed));
        }
        v4.finish();
        v6.finish();
        Ok((Blocklist { v4, v6 }, summary))
    }
}

#[cfg(test)]
mod tests;
