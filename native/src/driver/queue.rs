//! A single-threaded queue: producers never wait, the consumer does.

use std::cell::RefCell;
use std::collections::VecDeque;

use tokio::sync::Notify;

/// Values in order of arrival. If the queue is bounded, new values replace the oldest.
#[derive(Debug)]
pub(super) struct Queue<T> {
    values: RefCell<VecDeque<T>>,
    bound: Option<usize>,
    filled: Notify,
}

impl<T> Queue<T> {
    /// A queue that its producers keep short themselves.
    pub(super) fn unbounded() -> Self {
        Self::new(None)
    }

    /// A queue that drops the oldest value when it would hold more than `bound`.
    pub(super) fn bounded(bound: usize) -> Self {
        Self::new(Some(bound))
    }

    fn new(bound: Option<usize>) -> Self {
        Self {
            values: RefCell::default(),
            bound,
            filled: Notify::new(),
        }
    }

    pub(super) fn push(&self, value: T) {
        let mut values = self.values.borrow_mut();
        if self.bound.is_some_and(|bound| values.len() >= bound) {
            values.pop_front();
        }
        values.push_back(value);
        self.filled.notify_one();
    }

    /// The oldest value; waits for one. Cancel-safe.
    pub(super) async fn next(&self) -> T {
        loop {
            if let Some(value) = self.values.borrow_mut().pop_front() {
                return value;
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_consumer_that_waits_gets_what_is_pushed_in_order() {
        let queue = Queue::unbounded();
        let produce = async {
            tokio::task::yield_now().await;
            queue.push(1);
            queue.push(2);
        };
        let consume = async { (queue.next().await, queue.next().await) };
        assert_eq!(tokio::join!(consume, produce).0, (1, 2));
    }

    #[tokio::test]
    async fn a_full_queue_loses_its_oldest_value() {
        let queue = Queue::bounded(2);
        (0..5).for_each(|n| queue.push(n));
        assert_eq!((queue.next().await, queue.next().await), (3, 4));
    }
}
