//! The bridge's program as a child process, with flags, signals and a log.

use std::process::Command;

use aqueduct_testkit::bridge::Bridge;

/// Its path.
pub(crate) const PATH: &str = env!("CARGO_BIN_EXE_aqueduct-bridge");
/// Nothing beyond loopback, and a peer port of the system's choice.
const LOCAL: [&str; 7] = [
    "--peer-port",
    "0",
    "--peer-bind",
    "127.0.0.1",
    "--allow",
    "127.0.0.1/32",
    "--no-dht",
];

/// Starts it with these flags.
pub(crate) fn start(flags: &[&str]) -> Bridge {
    let mut command = Command::new(PATH);
    command.args(flags);
    launch(command)
}

/// Starts it with these lines in the file's table of limits.
pub(crate) fn limited(limits: &str) -> Bridge {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("[limits]\n{limits}\n")).unwrap();
    start(&["--config", file.path().to_str().unwrap()])
}

/// Starts it with few file descriptors and these flags.
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
