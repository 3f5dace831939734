//! Builds anew when the page changes: it is compiled in, and cargo does not see a new file by
//! itself.

fn main() {
    println!("cargo::rerun-if-changed=../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
}
