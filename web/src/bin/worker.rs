//! The worker: the engine, its storage and its line to the bridge.

fn main() {
    aqueduct_web::engine::start();
}
