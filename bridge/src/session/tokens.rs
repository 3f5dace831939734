//! Tokens that clients may show.

use std::path::{Path, PathBuf};
use std::sync::RwLock;

use crate::compare::is_same;
use crate::config::{ConfigError, file};
use crate::sync::{read, write};

/// The tokens of the configured file, which can be read again.
#[derive(Debug)]
pub(crate) struct TokenStore {
    path: Option<PathBuf>,
    tokens: RwLock<Tokens>,
}

impl TokenStore {
    /// Reads the file, if there is one.
    pub(crate) fn open(path: Option<PathBuf>) -> Result<Self, ConfigError> {
        let tokens = RwLock::new(Tokens::read(path.as_deref())?);
        Ok(Self { path, tokens })
    }

    /// Reads the file again. If that fails, the tokens stay unchanged. Returns whether there is a
    /// file.
    pub(crate) fn reread(&self) -> Result<bool, ConfigError> {
        let Some(path) = &self.path else {
            return Ok(false);
        };
        let tokens = Tokens::read(Some(path))?;
        *write(&self.tokens) = tokens;
        Ok(true)
    }

    /// Whether clients must show a token.
    pub(crate) fn are_required(&self) -> bool {
        read(&self.tokens).are_required()
    }

    /// Whether this is one of the tokens.
    pub(crate) fn contain(&self, shown: &[u8]) -> bool {
        read(&self.tokens).contain(shown)
    }
}

/// The lines of a token file.
#[derive(Default)]
struct Tokens(Vec<String>);

impl Tokens {
    /// Reads one token per line; empty lines and those that begin with `#` are skipped.
    fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = file::read_text(path).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            error,
        })?;
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let tokens: Vec<String> = lines.map(str::to_owned).collect();
        // An empty file must not open the bridge to everyone.
        if tokens.is_empty() {
            Err(ConfigError::NoTokens(path.to_owned()))
        } else {
            Ok(Self(tokens))
        }
    }

    fn are_required(&self) -> bool {
        !self.0.is_empty()
    }

    /// Compares with every token, so that the time reveals nothing about them.
    fn contain(&self, shown: &[u8]) -> bool {
        self.0.iter().fold(false, |known, token| {
            known | is_same(token.as_bytes(), shown)
        })
    }
}

impl std::fmt::Debug for Tokens {
    /// Never shows a token: this may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_of_the_file_are_tokens() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# for the family\nopen sesame\n\n  second  \n").unwrap();
        let tokens = Tokens::read(Some(file.path())).unwrap();
        assert!(tokens.contain(b"open sesame") && tokens.contain(b"second"));
        assert!(
            !tokens.contain(b"")
                && !tokens.contain(b"open")
                && !tokens.contain(b"# for the family")
        );
        assert_eq!(format!("{tokens:?}"), "2 tokens");
        assert!(!Tokens::read(None).unwrap().are_required());
        std::fs::write(file.path(), "# nothing yet\n").unwrap();
        assert!(matches!(
            Tokens::read(Some(file.path())),
            Err(ConfigError::NoTokens(_))
        ));
    }
}
