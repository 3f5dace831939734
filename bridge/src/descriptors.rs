//! How many sockets there may be.

/// Descriptors that are not sockets of clients or peers: listeners, discovery, files.
const OTHERS: usize = 64;
/// If the system does not say.
const USUAL: usize = 1024;

/// 90 % of this process's descriptors. The rest is for what must go on when they run out.
pub(crate) fn sockets() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let descriptors = open_files(&limits).unwrap_or(USUAL);
    (descriptors / 10 * 9).saturating_sub(OTHERS).clamp(OTHERS, tokio::sync::Semaphore::MAX_PERMITS)
}

/// The soft limit in the text of proc(5)'s `limits`.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max open files            20000                524288               files\n";
        assert_eq!(open_files(text), Some(20_000));
        assert_eq!(open_files(""), None);
        assert!(sockets() >= OTHERS);
    }
}
