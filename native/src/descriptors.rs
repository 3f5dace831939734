//! How many files and sockets may be open at a time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises this process's limit of open files to the most that the system allows it. Shells and service managers give 1,024 (some systems 256) unless they
/// are asked for more, for the sake of programs that cannot handle more; five hundred peers, the files of many torrents and ten thousand tabs need more.
///
/// A system that refuses leaves the limit as it was.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_what_the_system_allows() {
        raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
