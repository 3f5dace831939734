//! Limits on what a tab sends, before the WebSocket library sees it: a rate of frames, a time within
//! which a message must be complete, and the memory that the session may hold.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aqueduct_core::net::Limit;
use aqueduct_core::tunnel::Refusal;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::limits::Limits;
use crate::limits::bucket::Bucket;
use crate::limits::memory::SessionMemory;
use crate::session::frames::Frames;

/// Seconds' worth of frames that may be read at once after a pause.
const BURST: u64 = 5;
/// Frames of the tunnel that count as one of the WebSocket.
const TUNNEL_FRAMES: u32 = 64;

/// Checks what is read.
#[derive(Debug)]
pub(crate) struct Inflow {
    frames: Frames,
    /// In frames of the tunnel.
    budget: Bucket,
    /// When reading may go on, or an unfinished message must be complete; made when it is needed for
    /// the first time.
    timer: Option<Pin<Box<Sleep>>>,
    message_timeout: Duration,
    /// When what has begun must be complete.
    due: Option<Instant>,
    memory: SessionMemory,
    /// The fault has been reported.
    reported: bool,
}

/// Why no more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A message took longer than [`Limits::message_timeout`].
    Unfinished,
    /// The bridge's memory is full, and this session holds more than its share.
    Oversized,
}

impl Inflow {
    pub(crate) fn new(limits: &Limits, memory: SessionMemory) -> Self {
        let (rate, message_timeout) = (limits.frames_per_session, limits.message_timeout.0);
        let rate = u64::from(rate) * u64::from(TUNNEL_FRAMES);
        let limit = Limit::per_second(rate).with_burst(rate * BURST);
        let budget = Bucket::new(limit, Instant::now());
        Self {
            frames: Frames::default(),
            budget,
            timer: None,
            message_timeout,
            due: None,
            memory,
            reported: false,
        }
    }

    /// Ready when more may be read.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reported {
            return Poll::Ready(Ok(()));
        }
        let now = Instant::now();
        if self.memory.poll_ended(cx) {
            return Poll::Ready(Err(self.report(Fault::Oversized)));
        }
        if self.due.is_some_and(|due| due <= now) {
            return Poll::Ready(Err(self.report(Fault::Unfinished)));
        }
        match self.budget.check(now) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(until) => {
                let until = self.due.map_or(until, |due| due.min(until));
                ready!(self.poll_timer(until, cx));
                // It is time already: check again at once.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// To be called when there was nothing to read: wakes the task when what has begun must be
    /// complete.
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) {
        if let Some(due) = self.due.filter(|_| !self.reported)
            && self.poll_timer(due, cx).is_ready()
        {
            cx.waker().wake_by_ref();
        }
    }

    /// Takes in what was read.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let read = self.frames.read(bytes);
        let cost = read.frames.saturating_mul(TUNNEL_FRAMES);
        self.budget.charge(cost as usize, Instant::now());
        let began = self.due.filter(|_| !read.complete);
        self.due = self
            .frames
            .is_unfinished()
            .then(|| began.unwrap_or_else(|| Instant::now() + self.message_timeout));
        self.memory.set_unfinished(self.frames.unfinished());
    }

    /// Bytes of the present frame's payload that have not been read.
    pub(crate) const fn payload_left(&self) -> u64 {
        self.frames.payload_left()
    }

    /// A message contained so many frames of the tunnel.
    pub(crate) fn charge(&mut self, frames: usize) {
        self.budget.charge(frames, Instant::now());
    }

    /// Sets the bytes that the session holds of what was read.
    pub(crate) fn set_held(&self, bytes: usize) {
        self.memory.set_queued(bytes);
    }

    fn poll_timer(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }

    /// Reports a fault. What comes while the session is closed is read without further checks.
    fn report(&mut self, fault: Fault) -> io::Error {
        self.reported = true;
        io::Error::other(fault)
    }
}

/// The close code for the tab, if this is why reading ended.
pub(crate) fn close_code(error: &io::Error) -> Option<CloseCode> {
    match error.get_ref()?.downcast_ref()? {
        Fault::Unfinished => Some(CloseCode::Policy),
        Fault::Oversized => Some(Refusal::Full.close_code().into()),
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unfinished => "a message took too long",
            Self::Oversized => {
                "the bridge is short of memory, and this session holds more than its share"
            }
        })
    }
}
