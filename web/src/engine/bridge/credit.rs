//! When a peer's bytes count as taken: at once, unless so much waits for digest and disk that more
//! would only fill memory.

use std::collections::BTreeMap;

use aqueduct_core::types::RequestId;

/// Bytes that may wait for digest and disk before peers get no more credit. The engine asks for no
/// more than its own bound; this one, twice that, holds for peers that send what nobody asked for,
/// and for a disk that has stopped.
const MAX_WAITING: u64 = 64 << 20;

/// What waits, and what is owed to streams meanwhile.
#[derive(Default)]
pub(crate) struct Credit {
    waiting: u64,
    sizes: BTreeMap<RequestId, u64>,
    owed: Vec<(u32, usize)>,
}

impl Credit {
    /// A digest or a write of so many bytes was begun.
    pub(crate) fn began(&mut self, id: RequestId, bytes: u64) {
        self.waiting += bytes;
        self.sizes.insert(id, bytes);
    }

    /// A request is finished. Returns what can be given back now.
    pub(crate) fn finished(&mut self, id: RequestId) -> Vec<(u32, usize)> {
        self.waiting -= self.sizes.remove(&id).unwrap_or(0);
        if self.waiting < MAX_WAITING {
            std::mem::take(&mut self.owed)
        } else {
            Vec::new()
        }
    }

    /// The engine has taken bytes of a stream. Returns whether they can be given back at once; else
    /// they are owed.
    pub(crate) fn took(&mut self, stream: u32, bytes: usize) -> bool {
        let at_once = self.waiting < MAX_WAITING;
        if !at_once {
            self.owed.push((stream, bytes));
        }
        at_once
    }

    /// Every stream is gone, and what was owed to them with them.
    pub(crate) fn forget(&mut self) {
        self.owed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_held_back_while_the_disk_is_behind_and_given_when_it_caught_up() {
        let mut credit = Credit::default();
        assert!(credit.took(1, 100));
        credit.began(RequestId(1), MAX_WAITING);
        credit.began(RequestId(2), 1);
        assert!(!credit.took(1, 200));
        assert!(credit.finished(RequestId(2)).is_empty());
        assert_eq!(credit.finished(RequestId(1)), [(1, 200)]);
        assert!(credit.took(1, 300));
    }
}
