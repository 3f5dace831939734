//! The exchange with a proxy: methods, login, request.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use super::{Credentials, Destination, Refusal, SocksError, form};

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const UDP_ASSOCIATE: u8 = 3;
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
    /// The rest of an address of this kind, and the port.
    Address { kind: u8, first: u8, length: usize },
    /// Nothing: the request is granted.
    Nothing,
}

/// One request to a proxy, until it is granted.
///
/// What [`Exchange::poll_transmit`] returns is sent; at most [`Exchange::missing`] bytes are read and
/// passed to [`Exchange::handle_bytes`], until [`Exchange::is_granted`]. The caller limits the time.
pub struct Exchange {
    due: Due,
    /// The received bytes of the part that is due.
    buffer: [u8; LONGEST],
    filled: usize,
    login: Option<Vec<u8>>,
    request: Vec<u8>,
    outgoing: Option<Vec<u8>>,
    bound: Option<Destination>,
}

impl Exchange {
    /// Asks to be connected to a destination: once that is granted, all following bytes are its.
    /// With credentials both connecting with and without them is offered, and the proxy chooses.
    #[must_use]
    pub fn connect(to: &Destination, credentials: Option<&Credentials>) -> Self {
        Self::new(request(CONNECT, to), credentials)
    }

    /// Asks for an association: once that is granted, the proxy relays datagrams at
    /// [`Exchange::bound`], as long as the connection stays open. Where they will come from is left
    /// open, since a router on the way may translate it.
    #[must_use]
    pub fn associate(credentials: Option<&Credentials>) -> Self {
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self::new(request(UDP_ASSOCIATE, &unknown.into()), credentials)
    }

    fn new(request: Vec<u8>, credentials: Option<&Credentials>) -> Self {
        let methods = match credentials {
            None => vec![VERSION, 1, NO_LOGIN],
            Some(_) => vec![VERSION, 2, NO_LOGIN, USER_AND_PASSWORD],
        };
        Self {
            due: Due::Method,
            buffer: [0; LONGEST],
            filled: 0,
            login: credentials.map(login),
            request,
            outgoing: Some(methods),
            bound: None,
        }
    }

    /// Bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.take()
    }

    /// Whether the request is granted.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.due == Due::Nothing
    }

    /// The address that the proxy uses for the request, once that is granted. `None`: a name that
    /// is empty or not UTF-8.
    #[must_use]
    pub const fn bound(&self) -> Option<&Destination> {
        self.bound.as_ref()
    }

    /// Whether the proxy has accepted us, so that it is busy with the request.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        !matches!(self.due, Due::Method | Due::Login)
    }

    /// The number of bytes to read, at most 257; 0 once the request is granted.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.length().saturating_sub(self.filled)
    }

    fn length(&self) -> usize {
        match self.due {
            Due::Method | Due::Login | Due::Reply => 2,
            Due::Kind => 3,
            Due::Address { length, .. } => length,
            Due::Nothing => 0,
        }
    }

    /// Takes at most [`Exchange::missing`] bytes from the proxy. Returns how many it took.
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
            Due::Kind => {
                let (kind, first) = (second, third);
                // The first byte of the address is here, and the port follows it.
                let length = form::length(kind, first)
                    .ok_or(SocksError::AddressType(kind))?
                    .saturating_sub(1)
                    + 2;
                Due::Address {
                    kind,
                    first,
                    length,
                }
            }
            Due::Address {
                kind,
                first,
                length,
            } => {
                let rest = self.buffer.get(..length).unwrap_or_default();
                let whole = [&[kind, first], rest].concat();
                self.bound = form::take(&whole).map(|(bound, _)| bound);
                Due::Nothing
            }
            Due::Nothing => Due::Nothing,
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

impl fmt::Debug for Exchange {
    /// Without the bytes that contain the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
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

fn login(credentials: &Credentials) -> Vec<u8> {
    let mut login = vec![LOGIN_VERSION];
    form::put_text(&mut login, &credentials.user);
    form::put_text(&mut login, &credentials.password);
    login
}

fn request(command: u8, to: &Destination) -> Vec<u8> {
    let mut request = vec![VERSION, command, 0];
    form::put(&mut request, to);
    request
}
