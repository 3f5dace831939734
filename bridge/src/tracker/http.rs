//! Announces over HTTP, answered before hyper sees the connection: they are many, short, and all
//! alike.
//!
//! What is not plainly an announce or a scrape is handed on together with the bytes that were read.

use std::io::Write;
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use httparse::Status;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::Tracking;

/// Longest head that is read here: a scrape of 64 swarms has some 5 KiB.
const MAX_HEAD: usize = 8 * 1024;
/// Most fields of a head that is read here, as many as hyper takes.
const MAX_FIELDS: usize = 100;
/// What most heads, and answers, fit into.
const USUAL: usize = 1024;

/// One request, as much of it as matters here.
struct Request<'a> {
    path: &'a [u8],
    query: &'a [u8],
    /// Bytes up to the next request.
    length: usize,
    /// The client means to send another one.
    keep: bool,
}

/// What is for others.
pub(crate) struct Rest {
    /// As much as was read of it.
    pub(crate) read: Vec<u8>,
    /// When its head must be complete.
    pub(crate) head_by: Instant,
}

/// How long a client may take.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// For one head.
    pub(crate) head: Duration,
    /// For everything.
    pub(crate) end: Instant,
}

/// Answers a client that has sent one whole request already and wants no more than that, without
/// waiting for anything. Gives back what it read otherwise; nothing if the client has its answer.
pub(crate) fn answer_at_once(
    socket: &TcpStream,
    from: IpAddr,
    tracking: &Tracking,
) -> Option<Vec<u8>> {
    let mut input = [0; USUAL];
    let read = match recv(socket, &mut input, RecvFlags::DONTWAIT) {
        Ok((length, _)) => &input[..length],
        Err(_) => &[],
    };
    let whole = end_of_head(read) == Some(read.len()) && !is_for_others(read);
    let Some(request) = whole
        .then(|| Request::parse(read))
        .flatten()
        .filter(|request| !request.keep)
    else {
        return Some(read.to_vec());
    };
    let mut output = Vec::with_capacity(USUAL);
    write_answer(&mut output, &request, false, from, tracking);
    // The buffer of a fresh socket takes the longest answer; and whoever has gone needs none.
    let _ = send(socket, &output, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    None
}

/// Answers announces and scrapes for as long as there are no other requests. `read`: what was read
/// before. Gives back what it read of the first other one; nothing if the connection is over. A
/// head has its time from the end of the one before, however busily it trickles.
pub(crate) async fn serve<S>(
    socket: &mut S,
    read: Vec<u8>,
    from: IpAddr,
    tracking: &Tracking,
    patience: Patience,
) -> Option<Rest>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut input, mut output) = (read, Vec::new());
    let mut head_by = Instant::now() + patience.head;
    loop {
        if is_for_others(&input) {
            return Some(Rest {
                read: input,
                head_by,
            });
        }
        if let Some(end) = end_of_head(&input) {
            let Some(request) = Request::parse(&input[..end]) else {
                return Some(Rest {
                    read: input,
                    head_by,
                });
            };
            let keep = request.keep && Instant::now() < patience.end;
            write_answer(&mut output, &request, keep, from, tracking);
            timeout(patience.head, socket.write_all(&output))
                .await
                .ok()?
                .ok()?;
            if !keep {
                return None;
            }
            input.drain(..request.length);
            head_by = Instant::now() + patience.head;
            continue;
        }
        if input.len() > MAX_HEAD {
            return Some(Rest {
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

/// Whether the first bytes cannot become a request that is answered here.
fn is_for_others(input: &[u8]) -> bool {
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
    /// Reads a head with the parser that hyper reads all others with. Nothing for what is
    /// malformed, has a body, or names no host: hyper reads it once more, and says what is wrong
    /// with it.
    fn parse(head: &'a [u8]) -> Option<Self> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        // A head may end before the first `\r\n\r\n`: line ends without a carriage return are line
        // ends, too.
        if !matches!(request.parse(head), Ok(Status::Complete(length)) if length == head.len()) {
            return None;
        }
        let (path, query) = request.path?.split_once('?')?;
        let mut keep = request.version == Some(1);
        let mut hosts = 0;
        for field in request.headers.iter() {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") || is("transfer-encoding") {
                return None;
            }
            hosts += usize::from(is("host"));
            keep &= !(is("connection")
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
            keep,
        })
    }
}

/// Head and body, to be written at once.
fn write_answer(
    output: &mut Vec<u8>,
    request: &Request<'_>,
    keep: bool,
    from: IpAddr,
    tracking: &Tracking,
) {
    const HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n";
    /// As wide as the longest body's length.
    const LENGTH: &[u8] = b"Content-Length:        \r\n";
    output.clear();
    output.extend_from_slice(HEAD);
    let length_at = output.len() + 15;
    output.extend_from_slice(LENGTH);
    output.extend_from_slice(if keep {
        b"\r\n"
    } else {
        b"Connection: close\r\n\r\n"
    });
    let body_at = output.len();
    tracking.answer(request.path, request.query, from, output);
    let length = output.len() - body_at;
    let _ = write!(&mut output[length_at..], "{length:>8}");
}
