//! The engine, against a world that does anything at any time: peers that lie, disks that fail,
//! users that change their minds.

mod disk;
mod inputs;
mod operation;
mod torrent;
mod world;

use arbitrary::{Arbitrary as _, Unstructured};

use operation::Operation;
use world::World;

/// The most operations per run, so that a run stays quick.
const MAX_OPERATIONS: usize = 300;

/// Carries the operations out, then sees to it that the engine can still be shut down in good
/// order.
pub(super) fn engine(data: &[u8]) {
    let mut source = Unstructured::new(data);
    let mut world = World::new();
    for _ in 0..MAX_OPERATIONS {
        if source.is_empty() {
            break;
        }
        let Ok(operation) = Operation::arbitrary(&mut source) else {
            break;
        };
        world.carry_out(operation);
    }
    world.shut_down();
}
