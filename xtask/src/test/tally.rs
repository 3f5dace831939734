//! The sum of the summaries of all test programs.

/// The number of passed and failed tests so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Tally {
    /// Processes a line of a test program's output. Only its final summary counts.
    pub(super) fn line(&mut self, line: &str) {
        let Some(summary) = line.strip_prefix("test result: ") else {
            return;
        };
        self.passed += count(summary, "passed");
        self.failed += count(summary, "failed");
    }
}

/// The number before `word` in `ok. 12 passed; 0 failed; …`.
fn count(summary: &str, word: &str) -> u64 {
    let part = summary
        .split([';', '.'])
        .find_map(|part| part.trim().strip_suffix(word));
    part.and_then(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn summaries_of_several_binaries_add_up() {
        let mut tally = Tally::default();
        tally.line("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.03s");
        tally.line("test a_test_whose_result_is: ok. 99 passed ... ok");
        tally.line("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s");
        assert_eq!((tally.passed, tally.failed), (15, 2));
    }
}
