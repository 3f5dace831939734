//! Runs a test in its own network namespace: it has addresses other than 127.0.0.0/8 and no other
//! network.

use std::env;
use std::io::Write as _;
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
    finish(&mut start_inside(test, addresses), test, limit, None);
    true
}

/// As [`ran_inside`]. Also prints the lines of that run that begin with `mark`, whether it passes
/// or fails, and although the test program captures what a test that passes prints.
///
/// # Panics
/// As [`ran_inside`].
#[must_use]
pub fn ran_inside_showing(test: &str, addresses: &[IpAddr], limit: Duration, mark: &str) -> bool {
    if is_inside() {
        return false;
    }
    finish(&mut start_inside(test, addresses), test, limit, Some(mark));
    true
}

/// Starts the test of this name in a namespace with these addresses.
fn start_inside(test: &str, addresses: &[IpAddr]) -> Program {
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
    Program::start(&mut unshare)
}

/// Waits until the run has passed, and prints its lines that begin with `mark`.
fn finish(run: &mut Program, test: &str, limit: Duration, mark: Option<&str>) {
    let ended = run.wait_within(limit);
    let lines = run.lines();
    if let Some(mark) = mark {
        show(lines.iter().filter(|line| line.starts_with(mark)));
    }
    assert!(
        ended.is_some_and(|status| status.success()),
        "{test} did not pass within {limit:?}: {ended:?}; it printed:\n  {}",
        lines.join("\n  ")
    );
    assert!(
        lines.iter().any(|line| line.contains("1 passed")),
        "there is no test {test}{}",
        run.told()
    );
}

/// Prints lines past the test program, which captures what `println` prints.
fn show<'a>(lines: impl Iterator<Item = &'a String>) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}").expect("standard output takes lines");
    }
}

/// Whether this process runs inside a namespace without other networks.
pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

fn is_root() -> bool {
    let id = command("id", ["-u"]).output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
