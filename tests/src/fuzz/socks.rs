//! Connecting through a SOCKS5 proxy.

use aqueduct_core::socks::{Connect, Credentials, Destination, SocksError, Text};

/// A proxy's answers have the same result in one piece and byte by byte, and no more of them is
/// taken than the exchange has.
pub(super) fn connect(mut data: &[u8]) {
    let has_login = super::switch(&mut data) & 1 == 1;
    let (whole, pieces) = (run(data, has_login, usize::MAX), run(data, has_login, 1));
    assert_eq!(whole, pieces);
    let (taken, _) = whole;
    // Method, login, reply with the longest name.
    assert!(taken <= 2 + 2 + 2 + 3 + 257);
}

/// The number of bytes taken, and whether the destination is connected.
fn run(mut data: &[u8], has_login: bool, most: usize) -> (usize, Result<bool, SocksError>) {
    let text = |text| Text::new(text).expect("it is short");
    let credentials = has_login.then(|| Credentials::new(text("user"), text("password")));
    let to = Destination::name("host.example", 80).expect("it is short");
    let mut connect = Connect::new(&to, credentials.as_ref());
    let mut taken = 0;
    loop {
        connect.poll_transmit();
        assert_eq!(connect.missing() == 0, connect.is_connected());
        if connect.is_connected() || data.is_empty() {
            return (taken, Ok(connect.is_connected()));
        }
        let missing = connect.missing();
        let count = data.len().min(most).min(missing);
        let (piece, rest) = data.split_at(count);
        match connect.handle_bytes(piece) {
            Ok(count) => assert_eq!(count, piece.len()),
            Err(error) => return (taken + count, Err(error)),
        }
        taken += count;
        data = rest;
    }
}
