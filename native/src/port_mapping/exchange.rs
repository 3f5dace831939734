//! One question and its answer over UDP, as PCP and NAT-PMP have them.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::access::Access;
use super::failure::Failure;

/// The longest datagram of PCP (RFC 6887, 7); those of NAT-PMP are shorter.
pub(super) const MAX_DATAGRAM: usize = 1100;

/// The delay before a question is repeated, which then doubles (RFC 6886, 3.1).
const FIRST_REPETITION: Duration = Duration::from_millis(250);

/// Asks the gateway until `read` accepts a datagram, and returns what it made of it.
///
/// The socket is connected: the system drops datagrams from other addresses. What `read` does not
/// accept is ignored, since it may be a late answer to an earlier question.
///
/// # Errors
/// No answer by `deadline`, nothing listens there, or the system cannot send.
pub(super) async fn ask<T>(
    access: &Access,
    question: &[u8],
    deadline: Instant,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, Failure> {
    let socket = access.gateway.open_udp(access.bind)?;
    socket
        .connect(access.gateway.at(access.ports.control))
        .await?;
    let mut wait = FIRST_REPETITION;
    // One byte more than an answer may have, so that a longer one is not taken for a whole one.
    let mut buffer = [0; MAX_DATAGRAM + 1];
    while Instant::now() < deadline {
        socket.send(question).await?;
        let repetition = deadline.min(Instant::now() + wait);
        while let Ok(received) = timeout_at(repetition, socket.recv(&mut buffer)).await {
            let datagram = buffer.get(..received?).unwrap_or_default();
            let answer = Some(datagram).filter(|datagram| datagram.len() <= MAX_DATAGRAM);
            if let Some(answer) = answer.and_then(&read) {
                return Ok(answer);
            }
        }
        wait *= 2;
    }
    Err(Failure::Silent)
}
