//! Paths in this checkout.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The checkout's root. It is that of the cargo that runs this program, since the program may have
/// been built in another checkout with the same target directory.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Cargo's target directory: `target`, unless `CARGO_TARGET_DIR` is set.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |given| root().join(given))
}

/// The page's own target directory. It is separate because another compiler may build the page (see
/// `toolchain::distribution`).
pub(crate) fn web_target() -> PathBuf {
    target().join("web")
}

/// The folder where trunk writes the finished page and from which the bridge embeds it.
pub(crate) fn page() -> PathBuf {
    root().join("web/dist")
}

/// The version of `package` in Cargo.lock.
pub(crate) fn locked_version(package: &str) -> Result<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("reading Cargo.lock")?;
    version_in(&lock, package)
        .with_context(|| format!("Cargo.lock holds no package named {package}"))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let after = lock.lines().skip_while(|line| *line != name).nth(1)?;
    Some(
        after
            .strip_prefix("version = \"")?
            .strip_suffix('"')?
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn the_locked_version_is_that_of_the_whole_name() {
        let lock = "[[package]]\nname = \"trunk-extra\"\nversion = \"9.0.0\"\n\n[[package]]\nname = \"trunk\"\nversion = \"0.21.14\"\n";
        assert_eq!(version_in(lock, "trunk").as_deref(), Some("0.21.14"));
        assert_eq!(version_in(lock, "absent"), None);
    }

    #[test]
    fn what_is_released_ends_on_an_overflow_instead_of_going_on_with_a_wrong_number() {
        let manifest = include_str!("../../Cargo.toml");
        let release = manifest
            .split("\n[")
            .find_map(|table| table.strip_prefix("profile.release]"));
        assert!(
            release.is_some_and(|settings| settings.contains("\noverflow-checks = true\n")),
            "{release:?}"
        );
    }
}
