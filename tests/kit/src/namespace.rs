//! Runs a test in its own network namespace: it has addresses other than 127.0.0.0/8 and no other
//! network.

use std::env;
use std::net::IpAddr;
use std::time::Duration;

use crate::programs::{Program, command, system};

/// Environment variable of processes that run inside a namespace.
pub const INSIDE: &str = "AQUEDUCT_TEST_INSIDE";

/// Runs the test of this name again, alone, in a namespace whose loopback device also has these
/// addresses.
///
/// Returns true once that run has passed. Returns false inside the namespace, where the caller
/// continues with the test.
///
/// # Panics
/// The test failed, or a namespace cannot be made; the message includes the output.
#[must_use]
pub fn ran_inside(test: &str, addresses: &[IpAddr], limit: Duration) -> bool {
    if is_inside() {
        return false;
    }
    let _tools = [system("unshare", "util-linux"), system("ip", "iproute2")];
    let add: String = addresses
        .iter()
        .map(|ip| format!("ip address add {ip} dev lo && "))
        .collect();
    // The root user of a new user namespace may create network namespaces, even where the user that
    // runs the test may not.
    let script = format!(r#"ip link set lo up && {add}exec "$0" "$@""#);
    let user = if is_root() {
        &[][..]
    } else {
        &["--map-root-user"]
    };
    let program = env::current_exe().expect("a test knows its program");
    let mut unshare = command(system("unshare", "util-linux"), ["--net"]);
    unshare
        .args(user)
        .args(["--", "sh", "-c", &script])
        .arg(program)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1");
    let mut run = Program::start(&mut unshare);
    run.wait_for_success(limit);
    assert!(
        run.lines().iter().any(|line| line.contains("1 passed")),
        "there is no test {test}{}",
        run.told()
    );
    true
}

/// Whether this process runs inside a namespace without other networks.
pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

fn is_root() -> bool {
    let id = command("id", ["-u"]).output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
