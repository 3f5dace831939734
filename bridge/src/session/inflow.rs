//! What comes from a tab, before the WebSocket library sees it: its frames have a rate, a message
//! that has begun must end, and a session that holds too much is told to go.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aqueduct_core::tunnel::Refusal;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::limits::Limits;
use crate::limits::bucket::Bucket;
use crate::limits::memory::Holding;
use crate::session::frames::Frames;

/// Seconds' worth of frames that is read at once after a pause.
const BURST: u32 = 5;
/// Frames of the tunnel that cost as much as one of the WebSocket.
const TUNNEL_FRAMES: usize = 64;

/// Watches what is read.
#[derive(Debug)]
pub(crate) struct Inflow {
    frames: Frames,
    budget: Bucket,
    /// Until when nothing is read, or an unfinished message must have ended; made when it is needed
    /// for the first time.
    timer: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    /// When what has begun must have ended.
    due: Option<Instant>,
    holding: Holding,
    /// It has been told already.
    told: bool,
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
    pub(crate) fn new(limits: &Limits, holding: Holding) -> Self {
        let (rate, patience) = (limits.frames_per_session, limits.message_timeout.0);
        let budget = Bucket::with_burst(rate.into(), rate.saturating_mul(BURST), Instant::now());
        Self {
            frames: Frames::default(),
            budget,
            timer: None,
            patience,
            due: None,
            holding,
            told: false,
        }
    }

    /// Ready when more may be read.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.told {
            return Poll::Ready(Ok(()));
        }
        let now = Instant::now();
        if self.holding.poll_ended(cx) {
            return Poll::Ready(Err(self.tell(Fault::Oversized)));
        }
        if self.due.is_some_and(|due| due <= now) {
            return Poll::Ready(Err(self.tell(Fault::Unfinished)));
        }
        match self.budget.check(now) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(until) => {
                let until = self.due.map_or(until, |due| due.min(until));
                ready!(self.poll_timer(until, cx));
                // Looked at again at once: the clock says that it is time.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// To be called when there was nothing to be read: wakes the task when what has begun should
    /// have ended.
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) {
        if let Some(due) = self.due.filter(|_| !self.told)
            && self.poll_timer(due, cx).is_ready()
        {
            cx.waker().wake_by_ref();
        }
    }

    /// Takes in what was read.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let brought = self.frames.read(bytes);
        self.budget.charge(f64::from(brought.frames));
        let began = self.due.filter(|_| !brought.complete);
        self.due = self
            .frames
            .is_unfinished()
            .then(|| began.unwrap_or_else(|| Instant::now() + self.patience));
        self.holding.set_unfinished(self.frames.unfinished());
    }

    /// A message brought so many frames of the tunnel.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a message has at most some hundred thousand frames"
    )]
    pub(crate) fn charge(&mut self, frames: usize) {
        self.budget.charge(frames as f64 / TUNNEL_FRAMES as f64);
    }

    /// What the session keeps of what came.
    pub(crate) fn holds(&self, bytes: usize) {
        self.holding.set_queued(bytes);
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

    /// Once; what comes while the goodbye is said is read without a word.
    fn tell(&mut self, fault: Fault) -> io::Error {
        self.told = true;
        io::Error::other(fault)
    }
}

/// How to tell the tab, if this is why reading ended.
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
