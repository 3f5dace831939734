//! Announces over HTTP, answered before hyper sees the connection, because they are many, short and
//! alike.
//!
//! Any other request is passed on together with the bytes that were read.

use std::io::Write;
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use httparse::Status;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::tracker::service::TrackerService;

/// The maximum length of a head that is parsed here: a scrape of 64 swarms has some 5 KiB.
const MAX_HEAD: usize = 8 * 1024;
/// The maximum number of fields of a head that is parsed here, as in hyper.
const MAX_FIELDS: usize = 100;
/// The number of bytes that are enough for most heads and answers.
const TYPICAL: usize = 1024;

/// The parts of a request that matter here.
struct Request<'a> {
    path: &'a [u8],
    query: &'a [u8],
    /// The number of bytes up to the next request.
    length: usize,
    /// Whether the client may send another request.
    keep_alive: bool,
}

/// A request that is not for the tracker.
pub(crate) struct OtherRequest {
    /// The bytes that were read.
    pub(crate) read: Vec<u8>,
    /// When its head must be complete.
    pub(crate) head_by: Instant,
}

/// How long a client may take.
#[derive(Clone, Copy)]
pub(crate) struct Timeouts {
    /// For one head.
    pub(crate) head: Duration,
    /// For the whole connection.
    pub(crate) end: Instant,
}

/// Answers a client that has already sent one whole request and will send no other, without
/// waiting. Otherwise returns the bytes that were read; `None` if the client was answered.
pub(crate) fn answer_at_once(
    socket: &TcpStream,
    from: IpAddr,
    tracker: &TrackerService,
) -> Option<Vec<u8>> {
    let mut input = [0; TYPICAL];
    let read = match recv(socket, &mut input, RecvFlags::DONTWAIT) {
        Ok((length, _)) => &input[..length],
        Err(_) => &[],
    };
    let whole = end_of_head(read) == Some(read.len()) && !is_for_another(read);
    let Some(request) = whole
        .then(|| Request::parse(read))
        .flatten()
        .filter(|request| !request.keep_alive)
    else {
        return Some(read.to_vec());
    };
    let mut output = Vec::with_capacity(TYPICAL);
    write_answer(&mut output, &request, false, from, tracker);
    // The buffer of a new socket can hold the longest answer; a client that is gone needs none.
    let _ = send(socket, &output, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    None
}

/// Answers announces and scrapes until another request comes. `read`: what was read before. Returns
/// the other request, or `None` if the connection is over. The time for a head counts from the end
/// of the one before, however often single bytes arrive.
pub(crate) async fn serve<S>(
    socket: &mut S,
    read: Vec<u8>,
    from: IpAddr,
    tracker: &TrackerService,
    timeouts: Timeouts,
) -> Option<OtherRequest>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut input, mut output) = (read, Vec::new());
    let mut head_by = Instant::now() + timeouts.head;
    loop {
        if is_for_another(&input) {
            return Some(OtherRequest {
                read: input,
                head_by,
            });
        }
        if let Some(end) = end_of_head(&input) {
            let Some(request) = Request::parse(&input[..end]) else {
                return Some(OtherRequest {
                    read: input,
                    head_by,
                });
            };
            let keep_alive = request.keep_alive && Instant::now() < timeouts.end;
            write_answer(&mut output, &request, keep_alive, from, tracker);
            timeout(timeouts.head, socket.write_all(&output))
                .await
                .ok()?
                .ok()?;
            if !keep_alive {
                return None;
            }
            input.drain(..request.length);
            head_by = Instant::now() + timeouts.head;
            continue;
        }
        if input.len() > MAX_HEAD {
            return Some(OtherRequest {
                read: input,
                head_by,
            });
        }
        match timeout_at(head_by, socket.read_buf(&mut input)).await {
            Ok(Ok(count)) if count > 0 => {}
            _ => return None,
        }
    }
}

/// Whether these first bytes cannot become a request for the tracker.
fn is_for_another(input: &[u8]) -> bool {
    ["GET /announce?", "GET /scrape?"].iter().all(|start| {
        input
            .iter()
            .zip(start.as_bytes())
            .any(|(byte, expected)| byte != expected)
    })
}

fn end_of_head(input: &[u8]) -> Option<usize> {
    input
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .map(|at| at + 4)
}

impl<'a> Request<'a> {
    /// Parses a head with the parser that hyper uses for all other requests. `None` if it is
    /// malformed, has a body, or names no host: hyper then parses it again and answers with the
    /// error.
    fn parse(head: &'a [u8]) -> Option<Self> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        // A head may end before the first `\r\n\r\n`, since a line may end with `\n` alone.
        if !matches!(request.parse(head), Ok(Status::Complete(length)) if length == head.len()) {
            return None;
        }
        let (path, query) = request.path?.split_once('?')?;
        let mut keep_alive = request.version == Some(1);
        let mut hosts = 0;
        for field in request.headers.iter() {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") || is("transfer-encoding") {
                return None;
            }
            hosts += usize::from(is("host"));
            keep_alive &= !(is("connection")
                && field
                    .value
                    .to_ascii_lowercase()
                    .windows(5)
                    .any(|word| word == b"close"));
        }
        let right = hosts == 1 || hosts == 0 && request.version == Some(0);
        right.then_some(Self {
            path: path.as_bytes(),
            query: query.as_bytes(),
            length: head.len(),
            keep_alive,
        })
    }
}

/// Replaces `output` by head and body of the answer.
fn write_answer(
    output: &mut Vec<u8>,
    request: &Request<'_>,
    keep_alive: bool,
    from: IpAddr,
    tracker: &TrackerService,
) {
    const HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n";
    /// With as many spaces as the length of the longest body has digits.
    const LENGTH: &[u8] = b"Content-Length:        \r\n";
    output.clear();
    output.extend_from_slice(HEAD);
    let length_at = output.len() + 15;
    output.extend_from_slice(LENGTH);
    output.extend_from_slice(if keep_alive {
        b"\r\n"
    } else {
        b"Connection: close\r\n\r\n"
    });
    let body_at = output.len();
    tracker.answer(request.path, request.query, from, output);
    let length = output.len() - body_at;
    let _ = write!(&mut output[length_at..], "{length:>8}");
}
