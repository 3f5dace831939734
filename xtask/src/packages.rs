//! The distribution's packages: installed as root or with sudo, otherwise named to the user.

use std::io::{self, IsTerminal};
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;

/// A prerequisite that a package provides.
pub(crate) struct Need {
    /// The name of the package in Debian.
    pub(crate) package: &'static str,
    /// Whether the prerequisite is present, from the package or otherwise.
    pub(crate) present: fn() -> bool,
}

/// Whether dpkg lists `package` as installed.
pub(crate) fn installed(package: &str) -> bool {
    let query = process::output(Command::new("dpkg-query").args([
        "--show",
        "--showformat=${db:Status-Status}",
        package,
    ]));
    query.as_deref() == Some("installed")
}

/// Installs the packages of all missing prerequisites. Without permission it fails with the command
/// that a privileged user can run.
pub(crate) fn ensure(why: &str, needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> = needs
        .iter()
        .filter(|need| !(need.present)())
        .map(|need| need.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("{why} needs {}", missing.join(", "));
    let advice = format!(
        "{why} needs packages that are not installed. Install them with\n    {}\nand try again",
        typed(&missing)
    );
    let Some(prefix) = privilege() else {
        bail!("{advice}")
    };
    // The package lists of a fresh machine or image are empty or outdated, which would make the
    // installation fail.
    let installed = apt(prefix, &["update", "--quiet=2"]).and_then(|()| install(prefix, &missing));
    if installed.is_err() || needs.iter().any(|need| !(need.present)()) {
        bail!("{advice}");
    }
    Ok(())
}

fn typed(missing: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install --no-install-recommends {}",
        missing.join(" ")
    )
}

fn install(prefix: &[&str], missing: &[&str]) -> Result<()> {
    let options = [
        "install",
        "--yes",
        "--quiet=2",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=600",
        "-o",
        "Dpkg::Use-Pty=0",
    ];
    apt(prefix, &[&options[..], missing].concat())
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Result<()> {
    let words = [
        prefix,
        &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"],
        arguments,
    ]
    .concat();
    let (program, rest) = words
        .split_first()
        .map_or(("apt-get", &[][..]), |(first, rest)| (*first, rest));
    process::run(Command::new(program).args(rest))
}

/// The prefix for commands that need root: empty, or sudo; `None` if neither is available.
fn privilege() -> Option<&'static [&'static str]> {
    process::find("apt-get")?;
    if rustix::process::geteuid().is_root() {
        return Some(&[]);
    }
    if process::succeeds(Command::new("sudo").args(["--non-interactive", "true"])) {
        return Some(&["sudo", "--non-interactive"]);
    }
    (process::find("sudo").is_some() && io::stdin().is_terminal()).then_some(&["sudo"])
}
