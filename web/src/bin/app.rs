//! The program of the page and of its workers.

fn main() {
    aqueduct_web::start();
}
