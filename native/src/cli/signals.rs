//! Signals that ask the program to exit: an interrupt, a termination, a closed terminal.

use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};
use std::{fs, panic};

use rustix::process;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

use crate::ui;
use crate::ui::failure::{Class, Failure};

/// Signals that follow one within this time are copies of it: `timeout` signals its child and then
/// its whole process group, a service manager sends a hangup after the termination, and a wrapper
/// forwards what the terminal has already sent. The user would lose what the first signal asks to
/// save.
const COPIES: Duration = Duration::from_millis(200);

/// All of them. The first one asks the program to save and exit, the second one to exit
/// immediately.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if it is ignored, as under `nohup`.
    hangup: Option<Signal>,
    /// When the last one came that was no copy.
    last: Option<Instant>,
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// The system refuses the registration.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Self::register().map_err(|error| {
            let message = format!("could not listen for interrupts: {error}");
            Failure::new(Class::Failure, message)
        })
    }

    fn register() -> io::Result<Self> {
        // By default the signal ends the program, where a write that would exceed the limit on the
        // size of files (setrlimit(2)) is to fail.
        drop(signal(SignalKind::from_raw(
            process::Signal::XFSZ.as_raw(),
        ))?);
        let hangup = if ignores(SignalKind::hangup()) {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
            last: None,
        })
    }

    /// Waits for the next signal that is no copy. Cancel-safe.
    pub(crate) async fn come(&mut self) {
        loop {
            self.any().await;
            let now = Instant::now();
            if !is_copy(self.last, now) {
                self.last = Some(now);
                return;
            }
        }
    }

    /// Does work that loses nothing when it is given up, until a signal comes.
    ///
    /// # Errors
    /// That of the work, or a signal came.
    pub(crate) async fn interrupt<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            outcome = work => outcome,
            () = self.come() => Err(interrupted()),
        }
    }

    async fn any(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Does work that nothing is lost by giving up, until a signal comes.
///
/// # Errors
/// That of the work, or a signal came.
pub(crate) async fn interruptible<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    Signals::listen()?.interrupt(work).await
}

/// Does work on a thread of its own, so that signals are handled while it reads a file, a pipe or a
/// terminal.
///
/// # Errors
/// That of the work.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(_cancelled) => Err(interrupted()),
        },
    }
}

fn interrupted() -> Failure {
    // A terminal shows `^C` where the cursor is, perhaps behind a progress bar.
    if io::stderr().is_terminal() {
        ui::end_line();
    }
    Failure::new(
        Class::Interrupted,
        "interrupted; start the same command again",
    )
}

fn is_copy(last: Option<Instant>, now: Instant) -> bool {
    last.is_some_and(|last| now.duration_since(last) < COPIES)
}

/// Whether the program was started with a signal ignored; false if that is unknown.
fn ignores(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_in_mask(&status, kind.as_raw_value())
}

/// Signal `number` is bit `number - 1` of the mask in hex (proc(5)).
fn is_in_mask(status: &str, number: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    (1..=64).contains(&number) && mask >> (number - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_in_one_moment_are_one_request() {
        let first = Instant::now();
        assert!(!is_copy(None, first));
        assert!(is_copy(Some(first), first + Duration::from_millis(50)));
        assert!(!is_copy(Some(first), first + COPIES));
    }

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\taqueduct\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        assert!(is_in_mask(status, 1) && is_in_mask(status, 13));
        assert!(!is_in_mask(status, 2) && !is_in_mask("", 1) && !is_in_mask(status, 0));
    }
}
