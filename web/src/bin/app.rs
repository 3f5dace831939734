//! The page: what the user sees. The engine runs in the worker.

fn main() {
    aqueduct_web::page::start();
}
