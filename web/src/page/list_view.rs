//! What the user has chosen in the list: filter, order, selected torrents, the opened one, and the
//! row that the keyboard is at.

use aqueduct_core::types::SortedSet;
use leptos::prelude::*;

use super::arrange::{Filter, Line, Order, Totals, arrange};
use super::clock_ms;
use super::model::{Entry, Model};
use crate::message::{Pane, Torrent};

/// The minimum time between two changes of an order that changes by itself, in milliseconds.
const REORDER_MS: f64 = 3000.0;

/// Which torrent is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Opened {
    /// The only one, if there is only one.
    #[default]
    Automatic,
    /// The one that the user has opened. A worker that restarts numbers its torrents anew, so the
    /// folder counts, once there is one.
    Torrent { id: u32, folder: String },
    /// None; the user has closed it.
    Nothing,
}

impl Opened {
    fn is(&self, torrent: &Torrent) -> bool {
        match self {
            Self::Torrent { id, folder } if folder.is_empty() => *id == torrent.id,
            Self::Torrent { folder, .. } => *folder == torrent.folder,
            _ => false,
        }
    }
}

/// The rows of the list, and since when they are in this order.
#[derive(Clone)]
struct Rows {
    ids: Vec<u32>,
    since: f64,
    order: Order,
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids && self.order == other.order
    }
}

/// The state of the list. Copies share it.
#[derive(Clone, Copy)]
pub(crate) struct ListView {
    pub(crate) filter: RwSignal<Filter>,
    pub(crate) order: RwSignal<Order>,
    /// Selected torrents; those that the list does not show do not count.
    selected: RwSignal<SortedSet<u32>>,
    /// The row that was selected last, from which a range extends.
    anchor: StoredValue<Option<u32>>,
    /// The row that had the focus last.
    current: RwSignal<Option<u32>>,
    /// The row that gets the focus when it is in the list again.
    restored: StoredValue<Option<u32>>,
    /// The row whose controls are in the tab order: that one, or the first one.
    stop: Memo<Option<u32>>,
    choice: RwSignal<Opened>,
    opened: Memo<Option<u32>>,
    /// The selected tab of the opened torrent.
    pub(crate) pane: RwSignal<Pane>,
    lines: Memo<Vec<Line>>,
    has_several: Memo<bool>,
    rows: Memo<Rows>,
}

impl ListView {
    pub(crate) fn new(model: Model) -> Self {
        let (filter, order) = (RwSignal::default(), RwSignal::default());
        let lines = Memo::new(move |_| {
            model.torrents.with(|all| {
                all.iter()
                    .map(|entry| entry.torrent.with(Line::of))
                    .collect::<Vec<_>>()
            })
        });
        let rows = Memo::new(move |old: Option<&Rows>| {
            let order = order.get();
            let ids = filter.with(|filter| arrange(lines.get(), filter, order));
            settle(old, ids, order, clock_ms())
        });
        let current = RwSignal::new(None);
        let stop = Memo::new(move |_| {
            rows.with(|rows| {
                let shown = current.get().filter(|id| rows.ids.contains(id));
                shown.or(rows.ids.first().copied())
            })
        });
        let choice = RwSignal::new(Opened::Automatic);
        // The torrent that is added next opens by itself again.
        Effect::new(move |_| {
            if model.torrents.with(Vec::is_empty) && choice.get_untracked() == Opened::Nothing {
                choice.set(Opened::Automatic);
            }
        });
        // The filter can be seen and changed only while there are several torrents, and would hide the
        // last one.
        let has_several = Memo::new(move |_| lines.with(|lines| lines.len() > 1));
        Effect::new(move |_| {
            if model.has_state.get() && !has_several.get() {
                filter.set(Filter::default());
            }
        });
        let opened = Memo::new(move |_| {
            choice.with(|choice| model.torrents.with(|all| find_opened(choice, all)))
        });
        Self {
            filter,
            order,
            selected: RwSignal::default(),
            anchor: StoredValue::new(None),
            current,
            restored: StoredValue::new(None),
            stop,
            choice,
            opened,
            pane: RwSignal::default(),
            lines,
            has_several,
            rows,
        }
    }

    /// The torrents that the list shows, in its order.
    pub(crate) fn rows(self) -> Vec<u32> {
        self.rows.with(|rows| rows.ids.clone())
    }

    /// The totals of all torrents.
    pub(crate) fn totals(self) -> Totals {
        self.lines.with(|lines| Totals::of(lines))
    }

    /// Whether there are several torrents, so that there is something to sort and to filter.
    pub(crate) fn has_several(self) -> bool {
        self.has_several.get()
    }

    /// The position of a torrent in the list.
    pub(crate) fn position(self, id: u32) -> Option<usize> {
        self.rows
            .with(|rows| rows.ids.iter().position(|row| *row == id))
    }

    /// The opened torrent.
    pub(crate) fn opened(self) -> Option<u32> {
        self.opened.get()
    }

    /// Whether a torrent is opened.
    pub(crate) fn is_opened(self, id: u32) -> bool {
        self.opened.get() == Some(id)
    }

    /// Whether the user has opened a torrent, so that a narrow window shows it instead of the list.
    pub(crate) fn is_chosen(self) -> bool {
        let is_chosen = self
            .choice
            .with(|choice| matches!(choice, Opened::Torrent { .. }));
        is_chosen && self.opened.get().is_some()
    }

    /// Opens a torrent instead of any other.
    pub(crate) fn open(self, entry: Entry) {
        let folder = entry.torrent.with_untracked(|t| t.folder.clone());
        let id = entry.id;
        self.choice.set(Opened::Torrent { id, folder });
    }

    /// Keeps a torrent open that has opened by itself, since the user does something with it.
    pub(crate) fn keep_open(self, entry: Entry) {
        if self.choice.get_untracked() == Opened::Automatic {
            self.open(entry);
        }
    }

    /// Closes the opened torrent.
    pub(crate) fn close(self) {
        self.choice.set(Opened::Nothing);
    }

    /// Whether the controls of a row are in the tab order.
    pub(crate) fn is_current(self, id: u32) -> bool {
        self.stop.get() == Some(id)
    }

    /// Records that a row has the focus.
    pub(crate) fn set_current(self, id: u32) {
        if self.current.get_untracked() != Some(id) {
            self.current.set(Some(id));
        }
    }

    /// Gives the focus to the row of a torrent when it is in the list again.
    pub(crate) fn await_row(self, id: u32) {
        self.restored.set_value(Some(id));
    }

    /// The row that was awaited, if it is one of these, which are built.
    pub(crate) fn take_awaited_row(self, built: &[u32]) -> Option<u32> {
        let id = self.restored.get_value().filter(|id| built.contains(id))?;
        self.restored.set_value(None);
        Some(id)
    }

    /// Whether a torrent is selected.
    pub(crate) fn is_selected(self, id: u32) -> bool {
        self.selected.with(|selected| selected.contains(&id))
    }

    /// The selected torrents that the list shows.
    pub(crate) fn selection(self) -> Vec<u32> {
        let mut rows = self.rows();
        self.selected
            .with(|selected| rows.retain(|id| selected.contains(id)));
        rows
    }

    /// Selects a torrent or not. With `extend`, all from the last such row to this one.
    pub(crate) fn select(self, id: u32, is_selected: bool, extend: bool) {
        let rows = self.rows.with_untracked(|rows| rows.ids.clone());
        let anchor = self.anchor.get_value().filter(|_| extend);
        let ids = between(&rows, anchor.unwrap_or(id), id);
        self.anchor.set_value(Some(id));
        self.selected.update(|selected| {
            for id in ids {
                if is_selected {
                    selected.insert(id)
                } else {
                    selected.remove(&id)
                };
            }
        });
    }

    /// Selects all torrents that the list shows, or none.
    pub(crate) fn select_all(self, is_selected: bool) {
        let rows = self.rows.with_untracked(|rows| rows.ids.clone());
        self.selected.set(if is_selected {
            rows.into_iter().collect()
        } else {
            SortedSet::new()
        });
    }
}

/// The opened torrent among these.
fn find_opened(choice: &Opened, all: &[Entry]) -> Option<u32> {
    let is_it = |entry: &&Entry| entry.torrent.with(|torrent| choice.is(torrent));
    let chosen = match choice {
        Opened::Torrent { .. } => all.iter().find(is_it),
        Opened::Automatic | Opened::Nothing => None,
    };
    let alone = match all {
        [only] if *choice != Opened::Nothing => Some(only),
        _ => None,
    };
    chosen.or(alone).map(|entry| entry.id)
}

/// The rows from one to another, in either direction; only the latter if the list does not show the
/// former.
fn between(rows: &[u32], from: u32, to: u32) -> Vec<u32> {
    let at = |id| rows.iter().position(|row| *row == id);
    match (at(from), at(to)) {
        (Some(from), Some(to)) => rows[from.min(to)..=from.max(to)].to_vec(),
        _ => vec![to],
    }
}

/// The next rows. Rows that change places all the time cannot be read or clicked, so an order that
/// changes by itself is kept for some seconds.
fn settle(old: Option<&Rows>, ids: Vec<u32>, order: Order, now: f64) -> Rows {
    if let Some(old) = old {
        let is_early = order.key.is_volatile() && now < old.since + REORDER_MS;
        if old.ids == ids || (old.order == order && is_early && has_same(&old.ids, &ids)) {
            return Rows {
                order,
                ..old.clone()
            };
        }
    }
    Rows {
        ids,
        since: now,
        order,
    }
}

fn has_same(some: &[u32], others: &[u32]) -> bool {
    let set = |ids: &[u32]| ids.iter().copied().collect::<SortedSet<_>>();
    some.len() == others.len() && set(some) == set(others)
}

#[cfg(test)]
mod tests {
    use super::super::arrange::SortKey;
    use super::*;

    fn by(key: SortKey) -> Order {
        Order {
            key,
            reversed: false,
        }
    }

    #[test]
    fn rows_sorted_by_rate_stay_in_place_for_some_seconds() {
        let order = by(SortKey::Down);
        let first = settle(None, vec![1, 2, 3], order, 0.0);
        let early = settle(Some(&first), vec![3, 2, 1], order, 2000.0);
        assert_eq!(early.ids, [1, 2, 3]);
        let late = settle(Some(&early), vec![3, 2, 1], order, 3000.0);
        assert_eq!(late.ids, [3, 2, 1]);
        let fewer = settle(Some(&late), vec![1, 3], order, 3100.0);
        assert_eq!(fewer.ids, [1, 3], "a removed torrent leaves at once");
        let by_name = settle(Some(&fewer), vec![3, 1], by(SortKey::Name), 3200.0);
        assert_eq!(by_name.ids, [3, 1], "another order applies at once");
    }

    #[test]
    fn a_range_of_rows_is_selected_in_either_direction() {
        let rows = [5, 3, 9, 1];
        assert_eq!(between(&rows, 3, 1), [3, 9, 1]);
        assert_eq!(between(&rows, 1, 3), [3, 9, 1]);
        assert_eq!(between(&rows, 7, 9), [9]);
    }

    #[test]
    fn the_opened_torrent_is_found_again_by_its_folder() {
        let torrent = |id, folder: &str| Torrent {
            id,
            folder: folder.to_owned(),
            ..Torrent::default()
        };
        let opened = |id, folder: &str| Opened::Torrent {
            id,
            folder: folder.to_owned(),
        };
        assert!(opened(1, "a").is(&torrent(7, "a")) && !opened(1, "a").is(&torrent(1, "b")));
        assert!(opened(1, "").is(&torrent(1, "b")), "it was being created");
        assert!(!Opened::Nothing.is(&torrent(1, "a")));
    }
}
