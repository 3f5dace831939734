//! The exchange that connects: methods, login, request.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Credentials, Destination, Refusal, SocksError, Text};

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
/// The longest part of an answer: the rest of a name, and a port.
const LONGEST: usize = 257;

/// The part of the proxy's answers that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Version and chosen method.
    Method,
    /// Version and status of the login.
    Login,
    /// Version and reply code.
    Reply,
    /// A reserved byte, the kind of the address, and its first byte: the length, if it is a name.
    Kind,
    /// This many bytes: the rest of the address, and the port. Neither is used.
    Address(usize),
    /// Nothing: the destination is connected.
    Nothing,
}

/// One connection through a proxy, until the destination is connected.
///
/// What [`Connect::poll_transmit`] returns is sent; at most [`Connect::missing`] bytes are read and
/// passed to [`Connect::handle_bytes`], until [`Connect::is_connected`]. The caller limits the
/// time.
pub struct Connect {
    due: Due,
    /// The received bytes of the part that is due.
    buffer: [u8; LONGEST],
    filled: usize,
    login: Option<Vec<u8>>,
    request: Vec<u8>,
    outgoing: Option<Vec<u8>>,
}

impl Connect {
    /// Begins. With credentials both connecting with and without them is offered, and the proxy
    /// chooses.
    #[must_use]
    pub fn new(to: &Destination, credentials: Option<&Credentials>) -> Self {
        let methods = match credentials {
            None => vec![VERSION, 1, NO_LOGIN],
            Some(_) => vec![VERSION, 2, NO_LOGIN, USER_AND_PASSWORD],
        };
        Self {
            due: Due::Method,
            buffer: [0; LONGEST],
            filled: 0,
            login: credentials.map(login),
            request: request(to),
            outgoing: Some(methods),
        }
    }

    /// Bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.take()
    }

    /// Whether the destination is connected: all following bytes are its.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.due == Due::Nothing
    }

    /// Whether the proxy has accepted us, so that it is busy with the destination.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        !matches!(self.due, Due::Method | Due::Login)
    }

    /// The number of bytes to read, at most 257; 0 once the destination is connected.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.length().saturating_sub(self.filled)
    }

    fn length(&self) -> usize {
        match self.due {
            Due::Method | Due::Login | Due::Reply => 2,
            Due::Kind => 3,
            Due::Address(length) => length,
            Due::Nothing => 0,
        }
    }

    /// Takes at most [`Connect::missing`] bytes from the proxy. Returns how many it took.
    ///
    /// # Errors
    /// The proxy refuses, or does not follow the protocol. The connection must be dropped.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, SocksError> {
        let count = self.missing().min(bytes.len());
        let room = self.buffer.get_mut(self.filled..self.filled + count);
        if let (Some(room), Some(bytes)) = (room, bytes.get(..count)) {
            room.copy_from_slice(bytes);
            self.filled += count;
        }
        if self.missing() == 0 && self.due != Due::Nothing {
            self.filled = 0;
            self.advance()?;
        }
        Ok(count)
    }

    /// Handles the part that is complete.
    fn advance(&mut self) -> Result<(), SocksError> {
        let [first, second, third, ..] = self.buffer;
        self.due = match self.due {
            Due::Method => self.handle_method(first, second)?,
            Due::Login => {
                check_login(first, second)?;
                self.send_request()
            }
            Due::Reply => {
                check_version(first)?;
                Refusal::from_code(second).map_or(Ok(Due::Kind), Err)?
            }
            Due::Kind => Due::Address(rest_of_address(second, third)?),
            Due::Address(_) | Due::Nothing => Due::Nothing,
        };
        Ok(())
    }

    fn handle_method(&mut self, version: u8, method: u8) -> Result<Due, SocksError> {
        if [version, method] == *b"HT" {
            return Err(SocksError::Http);
        }
        check_version(version)?;
        match (method, self.login.take()) {
            (NO_LOGIN, _) => Ok(self.send_request()),
            (USER_AND_PASSWORD, Some(login)) => {
                self.outgoing = Some(login);
                Ok(Due::Login)
            }
            (NO_METHOD, None) => Err(SocksError::LoginRequired),
            (NO_METHOD, Some(_)) => Err(SocksError::NoMethod),
            (method, _) => Err(SocksError::Method(method)),
        }
    }

    fn send_request(&mut self) -> Due {
        self.outgoing = Some(std::mem::take(&mut self.request));
        Due::Reply
    }
}

impl fmt::Debug for Connect {
    /// Without the bytes that contain the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

/// RFC 1928, section 3: each answer begins with the version.
const fn check_version(version: u8) -> Result<(), SocksError> {
    match version {
        VERSION => Ok(()),
        other => Err(SocksError::Version(other)),
    }
}

/// RFC 1929: any status but 0 is a failure.
const fn check_login(version: u8, status: u8) -> Result<(), SocksError> {
    match (version, status) {
        // Some proxies repeat the version of SOCKS.
        (LOGIN_VERSION | VERSION, 0) => Ok(()),
        (LOGIN_VERSION | VERSION, _) => Err(SocksError::LoginRefused),
        (version, _) => Err(SocksError::LoginVersion(version)),
    }
}

/// The number of bytes of address and port after the address's first byte.
fn rest_of_address(kind: u8, first: u8) -> Result<usize, SocksError> {
    let address = match kind {
        IPV4 => 3,
        IPV6 => 15,
        NAME => usize::from(first),
        other => return Err(SocksError::AddressType(other)),
    };
    Ok(address + 2)
}

fn login(credentials: &Credentials) -> Vec<u8> {
    let mut login = vec![LOGIN_VERSION];
    put_text(&mut login, &credentials.user);
    put_text(&mut login, &credentials.password);
    login
}

fn request(to: &Destination) -> Vec<u8> {
    let mut request = vec![VERSION, CONNECT, 0];
    let port = match to {
        Destination::Addr(addr) => {
            put_addr(&mut request, addr);
            addr.port()
        }
        Destination::Name(name, port) => {
            request.push(NAME);
            put_text(&mut request, name);
            *port
        }
    };
    request.extend(port.to_be_bytes());
    request
}

fn put_addr(request: &mut Vec<u8>, addr: &SocketAddr) {
    match addr.ip() {
        IpAddr::V4(v4) => {
            request.push(IPV4);
            request.extend(v4.octets());
        }
        IpAddr::V6(v6) => {
            request.push(IPV6);
            request.extend(v6.octets());
        }
    }
}

fn put_text(bytes: &mut Vec<u8>, Text(text): &Text) {
    // A text has at most 255 bytes.
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend(text.bytes());
}
