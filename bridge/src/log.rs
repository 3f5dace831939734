//! The format of the log, with a limit on the lines of each kind: clients cause some of them, and
//! must not be able to fill a disk.
//!
//! A kind is a place in the code. What is left out is counted, and the count is written with the
//! next line of any kind.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aqueduct_core::net::{Limit, TokenBucket};
use aqueduct_core::types;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The number of lines per minute and kind, which is also the burst.
const LINES_PER_MINUTE: u64 = 120;

/// Formats events as `F` does, as far as their kinds have lines left. Events below `INFO` are not
/// limited: an operator who wants these wants all of them.
#[derive(Debug)]
pub(crate) struct Limited<F> {
    inner: F,
    start: Instant,
    kinds: Mutex<BTreeMap<Kind, Lines>>,
}

/// A place in the code.
type Kind = (&'static str, Option<u32>);

#[derive(Debug)]
struct Lines {
    bucket: TokenBucket,
    left_out: u64,
    /// The message of the first line that was left out.
    message: String,
}

impl<F> Limited<F> {
    /// Nothing was written yet.
    pub(crate) fn new(inner: F) -> Self {
        Self {
            inner,
            start: Instant::now(),
            kinds: Mutex::default(),
        }
    }

    /// Counts an event. Returns what was left out, with the messages, if the event is to be written.
    fn admit(&self, event: &Event<'_>) -> Option<Vec<(u64, String)>> {
        if *event.metadata().level() > Level::INFO {
            return Some(Vec::new());
        }
        let now = types::Instant::ZERO + self.start.elapsed();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = (event.metadata().target(), event.metadata().line());
        let lines = kinds.entry(kind).or_insert_with(|| Lines {
            bucket: TokenBucket::new(Limit::per_minute(LINES_PER_MINUTE)),
            left_out: 0,
            message: String::new(),
        });
        if lines.bucket.take(now, 1).is_err() {
            if lines.left_out == 0 {
                event.record(&mut Message(&mut lines.message));
            }
            lines.left_out += 1;
            return None;
        }
        let take = |lines: &mut Lines| {
            let left_out = std::mem::take(&mut lines.left_out);
            (left_out > 0).then(|| (left_out, std::mem::take(&mut lines.message)))
        };
        Some(kinds.values_mut().filter_map(take).collect())
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(left_out) = self.admit(event) else {
            return Ok(());
        };
        for (count, message) in left_out {
            writeln!(writer, "{count} lines were left out like: {message}")?;
        }
        self.inner.format_event(context, writer, event)
    }
}

/// Takes the message of an event, without its fields.
struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            *self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use tracing_subscriber::fmt::{MakeWriter, format};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// The lines that these events cause.
    fn written(events: impl FnOnce()) -> Vec<String> {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .event_format(Limited::new(format().without_time()))
            .with_max_level(Level::DEBUG)
            .with_writer(written.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, events);
        let bytes = written.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_kind_of_line_is_written_120_times_and_the_others_are_counted() {
        let lines = written(|| {
            for session in 0..10_000 {
                tracing::info!(session, "a tab connected");
            }
            tracing::warn!("something else");
        });
        assert_eq!(lines.len(), 122, "{:?}", lines.last());
        assert!(lines[119].contains("a tab connected session=119"));
        assert_eq!(lines[120], "9880 lines were left out like: a tab connected");
        assert!(lines[121].contains("something else"));
    }

    #[test]
    fn lines_below_info_are_not_limited() {
        let lines = written(|| (0..1000).for_each(|n| tracing::debug!(n, "a dial")));
        assert_eq!(lines.len(), 1000);
    }
}
