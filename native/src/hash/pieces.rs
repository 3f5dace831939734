//! All pieces of a torrent, on as many threads as there are cores.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use aqueduct_core::types::{Lengths, Piece};

use super::CHUNK;

/// What a thread digests at a time: a piece and the next one, or one alone.
pub type Batch = (Piece, Option<Piece>);

/// To read chunks of two pieces into. A thread uses its own again and again.
pub type Buffers = [Vec<u8>; 2];

/// Calls `work` for batches of all pieces, in no order, from several threads at a time. Ends early
/// when `work` returns `false`.
///
/// # Errors
/// The first error of `work`; the other threads end with the pieces that they are at.
pub fn every_piece<E: Send>(
    lengths: &Lengths,
    work: &(impl Fn(Batch, &mut Buffers) -> Result<bool, E> + Sync),
) -> Result<(), E> {
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let (queue, stop) = (Queue::new(lengths, threads), AtomicBool::new(false));
    let run = || {
        let mut buffers = [(); 2].map(|()| Vec::with_capacity(CHUNK));
        while let (false, Some(batch)) = (stop.load(Ordering::Relaxed), queue.next()) {
            let more = work(batch, &mut buffers);
            if !more.inspect_err(|_| stop.store(true, Ordering::Relaxed))? {
                stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })
}

/// Pieces that no thread has taken.
struct Queue<'a> {
    lengths: &'a Lengths,
    next: AtomicU32,
    /// The last pieces, one for each thread, are taken alone, so that none waits for another with
    /// two.
    alone: u32,
}

impl<'a> Queue<'a> {
    fn new(lengths: &'a Lengths, threads: usize) -> Self {
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        Self {
            lengths,
            next: AtomicU32::new(0),
            alone: lengths.pieces().saturating_sub(threads),
        }
    }

    fn next(&self) -> Option<Batch> {
        let count = |piece| if piece < self.alone { 2 } else { 1 };
        let taken = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |piece| {
                piece.checked_add(count(piece))
            });
        let first = taken.ok()?;
        let second = (count(first) == 2).then(|| first + 1);
        Some((
            self.lengths.piece(first)?,
            second.and_then(|second| self.lengths.piece(second)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_piece_is_visited_once_until_one_fails_or_the_caller_has_enough() {
        let lengths = Lengths::new(1000, 7).unwrap();
        let visited = Mutex::new(Vec::new());
        let work = |(first, second): Batch, _: &mut Buffers| {
            let mut visited = visited.lock().unwrap();
            visited.push(first.get());
            visited.extend(second.map(Piece::get));
            Ok::<_, ()>(true)
        };
        every_piece(&lengths, &work).unwrap();
        let mut visited = visited.into_inner().unwrap();
        visited.sort_unstable();
        assert_eq!(visited, (0..143).collect::<Vec<_>>());
        assert!(every_piece(&lengths, &|(first, _), _| Err(first)).is_err());
        every_piece(&lengths, &|_, _| Ok::<_, ()>(false)).unwrap();
    }

    #[test]
    fn two_pieces_are_taken_at_a_time_but_for_the_last_ones() {
        let lengths = Lengths::new(70, 10).unwrap();
        let queue = Queue::new(&lengths, 2);
        let batches: Vec<_> = std::iter::from_fn(|| queue.next())
            .map(|(first, second)| (first.get(), second.map(Piece::get)))
            .collect();
        assert_eq!(
            batches,
            [(0, Some(1)), (2, Some(3)), (4, Some(5)), (6, None),]
        );
    }
}
