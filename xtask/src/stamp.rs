//! A fingerprint of inputs, so that outputs are rebuilt only when their inputs have changed.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result};

/// A running hash of inputs. The same inputs in the same order give the same stamp. Another
/// compiler release may use another hash function, which only costs a rebuild.
#[derive(Default)]
pub(crate) struct Stamp(DefaultHasher);

impl Stamp {
    /// Adds a text, such as a version or a flag.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        text.hash(&mut self.0);
        self
    }

    /// Adds the path and content of a file, or of all files of a folder in order of name, except
    /// those in `skip`.
    pub(crate) fn tree(&mut self, path: &Path, skip: &[&Path]) -> Result<&mut Self> {
        if skip.contains(&path) {
            return Ok(self);
        }
        let context = || format!("reading {}", path.display());
        if !path.is_dir() {
            path.hash(&mut self.0);
            fs::read(path).with_context(context)?.hash(&mut self.0);
            return Ok(self);
        }
        let entries: std::io::Result<Vec<_>> = fs::read_dir(path)
            .with_context(context)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect();
        let mut entries = entries.with_context(context)?;
        entries.sort();
        for entry in entries {
            self.tree(&entry, skip)?;
        }
        Ok(self)
    }

    /// The stamp as sixteen hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        format!("{:016x}", self.0.finish())
    }
}
