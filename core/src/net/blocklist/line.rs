//! One line of a blocklist.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::LineError;

/// The highest access level of DAT that blocks (eMule's filter level).
const BLOCKING_LEVEL: u8 = 127;
/// Colons of a line, from its end, at which a range of IPv6 addresses may begin: two addresses have
/// at most 14 themselves.
const COLONS: usize = 16;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It is empty or a comment.
    Blank,
    /// It permits a range.
    Permitted,
    /// It blocks a range.
    Blocked(Span),
}

/// A range: its first and its last address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    V4(u32, u32),
    V6(u128, u128),
}

impl Span {
    fn first(&self) -> u128 {
        match *self {
            Self::V4(first, _) => first.into(),
            Self::V6(first, _) => first,
        }
    }
}

pub(super) fn parse(line: &[u8]) -> Result<Line, LineError> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let line = line.trim_ascii();
    let comments: [&[u8]; 3] = [b"#", b";", b"//"];
    if line.is_empty() || comments.iter().any(|start| line.starts_with(start)) {
        return Ok(Line::Blank);
    }
    if let Some(dat) = dat(line) {
        return dat;
    }
    let end = line.iter().position(|byte| b"#;".contains(byte));
    let bare = span(line.get(..end.unwrap_or(line.len())).unwrap_or_default());
    match (bare, named(line)) {
        (Ok(span), _) | (_, Some(Ok(span))) => Ok(Line::Blocked(span)),
        (Err(LineError::NoAddress), Some(Err(error))) | (Err(error), _) => Err(error),
    }
}

/// `FIRST - LAST , LEVEL , NAME`; `None` if no range precedes the first comma. Some lists leave the
/// level out.
fn dat(line: &[u8]) -> Option<Result<Line, LineError>> {
    let mut fields = line.splitn(3, |byte| *byte == b',');
    let span = span(fields.next()?).ok()?;
    let level = fields.next()?;
    Some(match level.trim_ascii() {
        b"" => Ok(Line::Blocked(span)),
        level => match number(level, u8::MAX.into()) {
            Some(level) if level > u32::from(BLOCKING_LEVEL) => Ok(Line::Permitted),
            Some(_) => Ok(Line::Blocked(span)),
            None => Err(LineError::Level),
        },
    })
}

/// `NAME:FIRST-LAST`. The name may contain colons, and so do IPv6 addresses. If several beginnings
/// are valid, as in `Bad:2001:db8::-2001:db8::9`, the smallest range is meant.
fn named(line: &[u8]) -> Option<Result<Span, LineError>> {
    let colons = || {
        (0..line.len())
            .rev()
            .filter(|at| line.get(*at) == Some(&b':'))
    };
    let range_after = |colon: usize| {
        let rest = line.get(colon + 1..).filter(|rest| rest.contains(&b'-'))?;
        Some(span(rest))
    };
    let last = range_after(colons().next()?);
    if let Some(Ok(_)) = last {
        return last;
    }
    let valid = colons().take(COLONS).filter_map(range_after).flatten();
    valid.max_by_key(Span::first).map(Ok).or(last)
}

/// A range, a CIDR block or an address.
fn span(text: &[u8]) -> Result<Span, LineError> {
    let split = |by: u8| {
        let at = text.iter().position(|byte| *byte == by)?;
        Some((text.get(..at)?, text.get(at + 1..)?))
    };
    if let Some((first, last)) = split(b'-') {
        return range(address(first)?, address(last)?);
    }
    if let Some((address_text, bits)) = split(b'/') {
        return block(address(address_text)?, bits.trim_ascii());
    }
    let address = address(text)?;
    range(address, address)
}

fn range(first: IpAddr, last: IpAddr) -> Result<Span, LineError> {
    let span = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Span::V4(first.to_bits(), last.to_bits()),
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            match (first.to_ipv4_mapped(), last.to_ipv4_mapped()) {
                (Some(first), Some(last)) => Span::V4(first.to_bits(), last.to_bits()),
                _ => Span::V6(first.to_bits(), last.to_bits()),
            }
        }
        _ => return Err(LineError::Families),
    };
    match span {
        Span::V4(first, last) if first > last => Err(LineError::Reversed),
        Span::V6(first, last) if first > last => Err(LineError::Reversed),
        span => Ok(span),
    }
}

/// CIDR; bits of the address behind the prefix are ignored.
fn block(address: IpAddr, bits: &[u8]) -> Result<Span, LineError> {
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = number(bits, width).ok_or(LineError::Bits)?;
    match address {
        IpAddr::V4(v4) => {
            let free = u32::MAX.checked_shr(bits).unwrap_or(0);
            Ok(Span::V4(v4.to_bits() & !free, v4.to_bits() | free))
        }
        IpAddr::V6(v6) => {
            let free = u128::MAX.checked_shr(bits).unwrap_or(0);
            let (first, last) = (v6.to_bits() & !free, v6.to_bits() | free);
            range(
                Ipv6Addr::from_bits(first).into(),
                Ipv6Addr::from_bits(last).into(),
            )
        }
    }
}

/// An address, IPv6 also in brackets.
fn address(text: &[u8]) -> Result<IpAddr, LineError> {
    let text = text.trim_ascii();
    if let Some(v4) = ipv4(text) {
        return Ok(v4.into());
    }
    let inner = text
        .strip_prefix(b"[")
        .and_then(|text| text.strip_suffix(b"]"))
        .unwrap_or(text);
    let text = str::from_utf8(inner).map_err(|_| LineError::NoAddress)?;
    let v6: Ipv6Addr = text.parse().map_err(|_| LineError::NoAddress)?;
    Ok(v6.into())
}

/// Four decimal numbers. DAT files pad them with zeros, which elsewhere would mean octal.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split(|byte| *byte == b'.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| part.len() <= 3)?;
        *octet = u8::try_from(number(part, u8::MAX.into())?).ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// A decimal number of digits alone.
fn number(text: &[u8], limit: u32) -> Option<u32> {
    if text.is_empty() || text.len() > 4 {
        return None;
    }
    let digit = |number: u32, byte: &u8| {
        let digit = char::from(*byte).to_digit(10)?;
        Some(number * 10 + digit)
    };
    let number = text.iter().try_fold(0, digit)?;
    (number <= limit).then_some(number)
}
