//! The program of the worker.

fn main() {
    aqueduct_web::engine::start();
}
