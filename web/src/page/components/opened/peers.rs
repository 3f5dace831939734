//! The connected peers of a torrent.

use std::cmp::Reverse;

use leptos::prelude::*;

use crate::format::{percent, rate};
use crate::message::{PeerRow, Torrent};
use crate::page::components::explain::Explain;
use crate::page::model::Entry;
use crate::page::words;

/// The most rows. A tab has at most 200 peers in all torrents together.
const MAX_ROWS: usize = 200;

/// A table of the peers, those with the highest rates first.
#[component]
pub fn Peers(entry: Entry) -> impl IntoView {
    let is_empty = Memo::new(move |_| entry.peers.with(Vec::is_empty));
    let rows = move || {
        let mut peers = entry.peers.get();
        peers.sort_by_key(|peer| Reverse(peer.down + peer.up));
        peers.truncate(MAX_ROWS);
        peers
    };
    let shown = Memo::new(move |_| rows());
    let conns = move || shown.with(|rows| rows.iter().map(|row| row.conn).collect::<Vec<_>>());
    view! {
        <Show when=move || !is_empty.get() fallback=|| view! { <p class="soft">"No peer is connected."</p> }>
            <table>
                <caption class="unseen">"Connected peers"</caption>
                <thead>
                    <tr>
                        {COLUMNS.map(|(name, class)| view! { <th scope="col" class=class>{name}</th> }).collect_view()}
                    </tr>
                </thead>
                <tbody>
                    <For each=conns key=|conn| *conn let:conn>
                        <Row entry shown conn/>
                    </For>
                </tbody>
            </table>
            <Explain question="What does the state of a peer mean?">{words::PEER_STATES}</Explain>
        </Show>
    }
}

/// The columns, and the class of those with numbers.
const COLUMNS: [(&str, &str); 7] = [
    ("Address", ""),
    ("Client", ""),
    ("Down", "number"),
    ("Up", "number"),
    ("Has", "number"),
    ("State", ""),
    ("Via", ""),
];

#[component]
fn Row(entry: Entry, shown: Memo<Vec<PeerRow>>, conn: u64) -> impl IntoView {
    let texts = Memo::new(move |_| {
        shown.with(|rows| {
            let peer = rows.iter().find(|peer| peer.conn == conn)?;
            Some(entry.torrent.with(|torrent| texts(peer, torrent)))
        })
    });
    let text =
        move |column: usize| texts.with(|texts| texts.as_ref().map(|texts| texts[column].clone()));
    let cell =
        move |column: usize| view! { <td class=COLUMNS[column].1>{move || text(column)}</td> };
    view! {
        <tr>
            <th scope="row">{move || text(0)}</th>
            {(1..COLUMNS.len()).map(cell).collect_view()}
        </tr>
    }
}

/// The texts of a peer's row, in the order of the columns.
fn texts(peer: &PeerRow, torrent: &Torrent) -> [String; COLUMNS.len()] {
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
