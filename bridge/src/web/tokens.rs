//! Tokens that clients may show.

use std::path::Path;

use crate::config::ConfigError;

/// What the token file holds.
#[derive(Default)]
pub(crate) struct Tokens(Vec<String>);

impl Tokens {
    /// Reads one token a line; empty lines and those that begin with `#` are skipped.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            error,
        })?;
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let tokens: Vec<String> = lines.map(str::to_owned).collect();
        // An empty file must not open the bridge to everybody.
        if tokens.is_empty() {
            Err(ConfigError::NoTokens(path.to_owned()))
        } else {
            Ok(Self(tokens))
        }
    }

    /// Whether clients need one.
    pub(crate) fn are_wanted(&self) -> bool {
        !self.0.is_empty()
    }

    /// Compares with every token to its end, so that the time tells nothing about them.
    pub(crate) fn knows(&self, shown: &[u8]) -> bool {
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

fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_of_the_file_are_tokens() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# for the family\nopen sesame\n\n  second  \n").unwrap();
        let tokens = Tokens::read(Some(file.path())).unwrap();
        assert!(tokens.knows(b"open sesame") && tokens.knows(b"second"));
        assert!(!tokens.knows(b"") && !tokens.knows(b"open") && !tokens.knows(b"# for the family"));
        assert_eq!(format!("{tokens:?}"), "2 tokens");
        assert!(!Tokens::read(None).unwrap().are_wanted());
        std::fs::write(file.path(), "# nothing yet\n").unwrap();
        assert!(matches!(
            Tokens::read(Some(file.path())),
            Err(ConfigError::NoTokens(_))
        ));
    }
}
