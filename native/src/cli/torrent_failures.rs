//! Failures of torrents when a command has several.

use crate::ui;
use crate::ui::failure::{Class, Failure};

/// Collects failures. The failure of a single torrent is that of the command. One of several is
/// printed immediately and the others continue; the first one determines the exit code.
#[derive(Debug)]
pub(crate) struct TorrentFailures {
    of: usize,
    json: bool,
    classes: Vec<Class>,
}

impl TorrentFailures {
    /// For a command that names `of` torrents.
    pub(crate) const fn new(of: usize, json: bool) -> Self {
        Self {
            of,
            json,
            classes: Vec::new(),
        }
    }

    /// Whether the command names a single torrent.
    pub(crate) const fn is_single(&self) -> bool {
        self.of <= 1
    }

    /// Reports the failure of a torrent.
    ///
    /// # Errors
    /// It is the only one.
    pub(crate) fn report(&mut self, failure: Failure) -> Result<(), Failure> {
        if self.is_single() {
            return Err(failure);
        }
        ui::failure(&failure, self.json);
        self.classes.push(failure.class);
        Ok(())
    }

    /// The result of the command.
    ///
    /// # Errors
    /// Any torrent failed.
    pub(crate) fn conclude(&self) -> Result<(), Failure> {
        match self.classes.first() {
            None => Ok(()),
            Some(class) => Err(Failure::new(
                *class,
                format!("{} of {} torrents failed", self.classes.len(), self.of),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failure_of_a_single_torrent_is_the_commands() {
        let failure = Failure::new(Class::Storage, "no room");
        assert_eq!(
            TorrentFailures::new(1, false).report(failure.clone()),
            Err(failure)
        );
        assert_eq!(TorrentFailures::new(1, false).conclude(), Ok(()));
    }

    #[test]
    fn the_first_of_several_decides_how_the_command_ends() {
        let mut failures = TorrentFailures::new(3, false);
        failures
            .report(Failure::new(Class::InvalidTorrent, "it is none"))
            .unwrap();
        failures
            .report(Failure::new(Class::Storage, "no room"))
            .unwrap();
        assert_eq!(
            failures.conclude(),
            Err(Failure::new(
                Class::InvalidTorrent,
                "2 of 3 torrents failed"
            ))
        );
    }
}
