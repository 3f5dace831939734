//! Whether the browser grants enough space for a torrent.
//!
//! The estimate that browsers give is deliberately wrong, so that pages learn nothing about the
//! disk. Instead, a file is extended, which counts against the page's quota and writes nothing.

use super::error::FsError;
use super::opfs::{Folder, SyncFile};
use crate::codec::Encoded;

/// The file that is extended, in the origin's root.
const PROBE: &str = "room";
/// The number of steps of the binary search for the free space: the error is at most a thousandth
/// of the needed space.
const STEPS: u32 = 10;

/// The space that is still needed, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encoded)]
pub(crate) struct Need {
    /// The number of the check. All writes that begin before its result is known have the same one.
    pub(crate) check: u64,
    /// Needed by this torrent.
    pub(crate) own: u64,
    /// Needed by torrents that checked earlier.
    pub(crate) others: u64,
}

/// The checks of the space. None is repeated once it has succeeded: a browser that stores in memory, as
/// those in private windows, fills all the space that is checked, which takes a quarter of a second
/// per GiB.
#[derive(Default)]
pub(super) struct SpaceChecks {
    /// The number of the newest check that has succeeded.
    newest: Option<u64>,
}

impl SpaceChecks {
    /// Makes the check of this number, unless it has succeeded.
    pub(super) async fn once(
        &mut self,
        number: u64,
        check: impl AsyncFnOnce() -> Result<(), FsError>,
    ) -> Result<(), FsError> {
        if self.newest != Some(number) {
            check().await?;
            self.newest = Some(number);
        }
        Ok(())
    }
}

/// Fails with [`FsError::TooLittle`] if the browser grants this page less than needed.
pub(super) async fn check_space(root: &Folder, need: Need) -> Result<(), FsError> {
    let Need { own, others, .. } = need;
    let all = own.saturating_add(others);
    let mut file = root.open(PROBE, true).await?;
    let fits = file.resize(all).is_ok();
    let free = if fits { all } else { free(&mut file, all) };
    drop(file);
    root.remove(PROBE).await?;
    if fits {
        Ok(())
    } else {
        Err(FsError::TooLittle { own, others, free })
    }
}

/// The size to which a file can be extended that cannot be extended to `needed` bytes.
fn free(file: &mut SyncFile, needed: u64) -> u64 {
    let (mut fits, mut fails) = (0, needed);
    for _ in 0..STEPS {
        let middle = fits + (fails - fits) / 2;
        *if file.resize(middle).is_ok() {
            &mut fits
        } else {
            &mut fails
        } = middle;
    }
    fits
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn a_check_that_failed_is_made_again_and_one_that_succeeded_is_not() {
        let (mut checks, mut made) = (SpaceChecks::default(), Vec::new());
        let mut ask = |number, result: Result<(), FsError>| {
            let once = pin!(checks.once(number, async || {
                made.push(number);
                result
            }));
            match once.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => result,
                Poll::Pending => panic!("it waits for nothing"),
            }
        };
        assert_eq!(ask(1, Err(FsError::Full)), Err(FsError::Full));
        assert_eq!(ask(1, Ok(())), Ok(()));
        assert_eq!(ask(1, Err(FsError::Full)), Ok(()));
        assert_eq!(ask(2, Ok(())), Ok(()));
        assert_eq!(made, [1, 1, 2]);
    }
}
