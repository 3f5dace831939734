//! What a SOCKS5 proxy sends.

use aqueduct_core::socks::{
    Credentials, Datagram, Destination, Exchange, MAX_HEADER, SocksError, Text, encapsulate,
};

/// A proxy's answers have the same result in one piece and byte by byte, and no more of them is
/// taken than the exchange has. The first byte selects the login and the request, or that the rest
/// is a datagram.
pub(super) fn proxy(mut data: &[u8]) {
    let switch = super::switch(&mut data);
    if switch & 4 != 0 {
        return datagram(data);
    }
    let of = |most| run(data, switch, most);
    let (whole, pieces) = (of(usize::MAX), of(1));
    assert_eq!(whole, pieces);
    let (taken, ..) = whole;
    // Method, login, reply with the longest name.
    assert!(taken <= 2 + 2 + 2 + 3 + 257);
}

/// What was read of a datagram is what is in it.
fn datagram(data: &[u8]) {
    let Some(read) = Datagram::read(data) else {
        return;
    };
    assert!(data.ends_with(read.payload));
    assert!(data.len() - read.payload.len() <= MAX_HEADER);
    let again = encapsulate(&read.from, read.payload);
    let again = Datagram::read(&again).expect("it is valid");
    assert_eq!(read, again);
}

/// The number of bytes taken, and whether the request was granted; the address of the relay.
fn run(
    mut data: &[u8],
    switch: u8,
    most: usize,
) -> (usize, Result<bool, SocksError>, Option<Destination>) {
    let text = |text| Text::new(text).expect("it is short");
    let has_login = switch & 1 != 0;
    let credentials = has_login.then(|| Credentials::new(text("user"), text("password")));
    let to = Destination::name("host.example", 80).expect("it is short");
    let mut exchange = if switch & 2 == 0 {
        Exchange::connect(&to, credentials.as_ref())
    } else {
        Exchange::associate(credentials.as_ref())
    };
    let mut taken = 0;
    loop {
        exchange.poll_transmit();
        assert_eq!(exchange.missing() == 0, exchange.is_granted());
        if exchange.is_granted() || data.is_empty() {
            let bound = exchange.bound().cloned();
            return (taken, Ok(exchange.is_granted()), bound);
        }
        let missing = exchange.missing();
        let count = data.len().min(most).min(missing);
        let (piece, rest) = data.split_at(count);
        match exchange.handle_bytes(piece) {
            Ok(count) => assert_eq!(count, piece.len()),
            Err(error) => return (taken + count, Err(error), None),
        }
        taken += count;
        data = rest;
    }
}
