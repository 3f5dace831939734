//! Network namespaces with interfaces of their own, and a capture of what passes through them.
//! Requires root.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::thread;

use aqueduct_tests::programs::{Program, START, command, system};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace, removed when this is dropped.
pub(crate) struct Namespace(String);

impl Namespace {
    /// Creates a namespace, and runs `lines` there as arguments of `ip`.
    pub(crate) fn create(name: &str, lines: &[&str]) -> Self {
        let namespace = Self(format!("aq-{name}-{}", std::process::id()));
        ip(&["netns", "add", &namespace.0]);
        namespace.ip("link set lo up");
        lines.iter().for_each(|line| namespace.ip(line));
        namespace
    }

    /// Its name for `ip`.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Runs `ip` with these arguments in the namespace.
    pub(crate) fn ip(&self, line: &str) {
        let arguments: Vec<&str> = ["-n", &self.0].into_iter().chain(line.split(' ')).collect();
        ip(&arguments);
    }

    /// Runs `act` on a thread inside the namespace. Threads and programs that it starts are inside
    /// too.
    pub(crate) fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let file =
            File::open(Path::new("/run/netns").join(&self.0)).expect("the namespace has a name");
        let inside = || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may enter a namespace");
            act()
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|failure| std::panic::resume_unwind(failure))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        Command::new("ip")
            .args(["netns", "delete", &self.0])
            .output()
            .ok();
    }
}

fn ip(arguments: &[&str]) {
    let done = command(system("ip", "iproute2"), arguments)
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "`ip {}` failed: {why}network namespaces need root",
        arguments.join(" ")
    );
}

/// Starts to capture what leaves by an interface, or passes through any, of the namespace in which
/// this is called.
pub(crate) fn sniffer(interface: Option<&str>) -> Program {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/sniffer.py");
    let arguments = [script].into_iter().chain(interface);
    let mut sniffer = Program::start(&mut command(system("python3", "python3"), arguments));
    sniffer.wait_for_line("sniffing", START);
    sniffer
}
