//! Debug or release.

use std::path::PathBuf;

use crate::workspace;

/// The optimisation level of a build.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

impl Profile {
    /// The name of the folder below `target`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Profile::Debug => "debug",
            Profile::Release => "release",
        }
    }

    /// The path of the program `name` after a build.
    pub(crate) fn program(self, name: &str) -> PathBuf {
        workspace::target().join(self.name()).join(name)
    }
}
