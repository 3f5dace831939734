//! The bridge as a child process, with flags, signals and a log.

use std::process::Command;

use aqueduct_testkit::bridge::Bridge;

/// The path of the program.
pub(crate) const PATH: &str = env!("CARGO_BIN_EXE_aqueduct-bridge");
/// Flags that restrict the bridge to loopback and let the system choose the peer port.
const LOCAL: [&str; 7] = [
    "--peer-port",
    "0",
    "--peer-bind",
    "127.0.0.1",
    "--allow",
    "127.0.0.1/32",
    "--no-dht",
];

/// Starts the bridge with these flags.
pub(crate) fn start(flags: &[&str]) -> Bridge {
    let mut command = Command::new(PATH);
    command.args(flags);
    launch(command)
}

/// Starts the bridge with these lines in the `limits` table of its configuration file.
pub(crate) fn limited(limits: &str) -> Bridge {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("[limits]\n{limits}\n")).unwrap();
    start(&["--config", file.path().to_str().unwrap()])
}

/// Starts the bridge with this limit on file descriptors and these flags.
pub(crate) fn with_descriptors(count: u32, flags: &[&str]) -> Bridge {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -n {count} && exec \"$0\" \"$@\""))
        .arg(PATH)
        .args(flags);
    launch(command)
}

fn launch(mut command: Command) -> Bridge {
    command.args(LOCAL);
    Bridge::launch(command)
}
