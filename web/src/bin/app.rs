//! The program of the page.

fn main() {
    aqueduct_web::page::start();
}
