//! The program of the workers.

fn main() {
    aqueduct_web::start_worker();
}
