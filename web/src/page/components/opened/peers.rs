//! The connected peers of a torrent.

use std::cmp::Reverse;

use aqueduct_core::types::sort;
use leptos::prelude::*;

use crate::format::{percent, rate};
use crate::message::{PeerRow, Torrent};
use crate::page::components::explain::Explain;
use crate::page::components::gradual::gradually;
use crate::page::model::Entry;
use crate::page::words;
use crate::texts::{opened as texts, peers};

/// The most rows. A tab has at most 200 peers in all torrents together.
const MAX_ROWS: usize = 200;

/// A table of the peers, those with the highest rates first.
#[component]
pub fn Peers(entry: Entry) -> impl IntoView {
    let is_empty = Memo::new(move |_| entry.peers.with(Vec::is_empty));
    let rows = move || {
        let mut peers = entry.peers.get();
        sort::sort_by_key(&mut peers, |peer| Reverse(peer.down + peer.up));
        peers.truncate(MAX_ROWS);
        peers
    };
    let shown = Memo::new(move |_| rows());
    let built = gradually(move || shown.with(Vec::len));
    let conns = move || {
        let first = |rows: &Vec<PeerRow>| {
            let first = rows.iter().take(built.get());
            first.map(|row| row.conn).collect::<Vec<_>>()
        };
        shown.with(first)
    };
    view! {
        <Show when=move || !is_empty.get() fallback=|| view! { <p class="soft">{texts::no_peers()}</p> }>
            <table>
                <caption class="unseen">{texts::connected_peers()}</caption>
                <thead>
                    <tr>
                        {COLUMNS.map(|column| view! { <th scope="col" class=column.class()>{column.name()}</th> }).collect_view()}
                    </tr>
                </thead>
                <tbody>
                    <For each=conns key=|conn| *conn let:conn>
                        <Row entry shown conn/>
                    </For>
                </tbody>
            </table>
            <Explain question=texts::what_state_means()>{peers::explanation()}</Explain>
        </Show>
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Address,
    Client,
    Down,
    Up,
    Has,
    State,
    Via,
}

/// The columns in their order.
const COLUMNS: [Column; 7] = [
    Column::Address,
    Column::Client,
    Column::Down,
    Column::Up,
    Column::Has,
    Column::State,
    Column::Via,
];

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Address => texts::address(),
            Self::Client => texts::client(),
            Self::Down => texts::down(),
            Self::Up => texts::up(),
            Self::Has => texts::has(),
            Self::State => texts::state(),
            Self::Via => texts::via(),
        }
    }

    /// Its class in the style sheet.
    const fn class(self) -> &'static str {
        match self {
            Self::Down | Self::Up | Self::Has => "number",
            Self::State | Self::Via => "words",
            Self::Address | Self::Client => "",
        }
    }
}

#[component]
fn Row(entry: Entry, shown: Memo<Vec<PeerRow>>, conn: u64) -> impl IntoView {
    let texts = Memo::new(move |_| {
        shown.with(|rows| {
            let peer = rows.iter().find(|peer| peer.conn == conn)?;
            Some(entry.torrent.with(|torrent| cells(peer, torrent)))
        })
    });
    let text =
        move |column: usize| texts.with(|texts| texts.as_ref().map(|texts| texts[column].clone()));
    let cell = move |column: usize| view! { <td class=COLUMNS[column].class()>{move || text(column)}</td> };
    view! {
        <tr>
            <th scope="row">{move || text(0)}</th>
            {(1..COLUMNS.len()).map(cell).collect_view()}
        </tr>
    }
}

/// The texts of a peer's row, in the order of the columns.
fn cells(peer: &PeerRow, torrent: &Torrent) -> [String; COLUMNS.len()] {
    let moving = |bytes: u64| {
        if bytes == 0 {
            String::new()
        } else {
            rate(bytes)
        }
    };
    [
        peer.address.clone(),
        peer.client.clone(),
        moving(peer.down),
        moving(peer.up),
        if torrent.pieces > 0 {
            format!("{} %", percent(peer.pieces.into(), torrent.pieces.into()))
        } else {
            String::new()
        },
        words::peer_state(peer),
        words::route(peer),
    ]
}
