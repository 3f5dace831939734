//! The engine in an adversarial environment: peers that lie, disks that fail, users that change
//! their minds.

mod disk;
mod inputs;
mod operation;
mod torrent;
mod world;

use arbitrary::{Arbitrary as _, Unstructured};

use operation::Operation;
use world::World;

/// The maximum number of operations per run, which bounds its duration.
const MAX_OPERATIONS: usize = 300;

/// Executes the operations, then checks that the engine can still shut down cleanly.
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
