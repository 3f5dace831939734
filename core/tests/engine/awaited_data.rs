//! Data that are awaited, as after a seek in a film, are requested at once, before everything that
//! is requested already.

use aqueduct_core::io::PriorityRange;
use aqueduct_core::types::ConnId;
use aqueduct_core::wire::{Message, RawBlock};
use aqueduct_core::{Command, Instant};

use super::harness::{Harness, PIECE, PIECES, TORRENT};

/// These pieces are needed now, and then everything else.
fn await_pieces(harness: &mut Harness, first: u32, count: u32) {
    let awaited = PriorityRange {
        start: u64::from(first * PIECE),
        end: u64::from((first + count) * PIECE),
        deadline: Instant::ZERO,
    };
    harness.command(Command::Prioritise(
        TORRENT,
        vec![PriorityRange::ALL, awaited],
    ));
}

fn cancelled(harness: &Harness, by: ConnId) -> Vec<RawBlock> {
    let cancels = harness.sent.iter().filter(|(conn, _)| *conn == by);
    let cancels = cancels.filter_map(|(_, message)| match message {
        Message::Cancel(raw) => Some(*raw),
        _ => None,
    });
    cancels.collect()
}

/// The pieces of these requests, each named once.
fn pieces(requests: &[RawBlock]) -> Vec<u32> {
    let mut pieces: Vec<u32> = requests.iter().map(|raw| raw.index).collect();
    pieces.dedup();
    pieces
}

/// A download from a seed that has requested pieces from the first one on, and then awaits others.
fn sought(fast: bool) -> (Harness, ConnId, Vec<RawBlock>) {
    let mut harness = Harness::leech();
    harness.command(Command::Prioritise(TORRENT, vec![PriorityRange::ALL]));
    let seed = harness.accept_seed(1, fast);
    let before = harness.asked(seed);
    assert_eq!(pieces(&before), [0, 1, 2, 3]);
    await_pieces(&mut harness, 8, 2);
    (harness, seed, before)
}

#[test]
fn what_is_awaited_is_requested_in_place_of_what_was_requested_before() {
    for fast in [true, false] {
        let (mut harness, seed, before) = sought(fast);
        assert_eq!(cancelled(&harness, seed), before, "fast: {fast}");
        let after = harness.asked(seed).split_off(before.len());
        // The pieces that were begun follow.
        assert_eq!(pieces(&after), [8, 9, 0, 1], "fast: {fast}");
        if fast {
            for raw in before {
                assert_eq!(harness.say(seed, Message::Reject(raw)), None);
            }
        }
        harness.forget(seed);
        for raw in after {
            harness.answer(seed, raw);
        }
        harness.answer_all(seed, |_| false);
        assert_eq!(harness.snapshot().left, 0, "fast: {fast}");
        assert_eq!(harness.snapshot().wasted, 0, "fast: {fast}");
    }
}

#[test]
fn a_block_that_arrives_although_it_was_cancelled_is_kept() {
    let (mut harness, seed, before) = sought(true);
    harness.answer(seed, before[6]);
    harness.answer(seed, before[7]);
    let snapshot = harness.snapshot();
    assert_eq!(snapshot.left, u64::from(PIECE * (PIECES - 1)));
    assert_eq!(snapshot.wasted, 0);
}

#[test]
fn nothing_is_cancelled_while_the_next_piece_is_requested_or_not_at_the_peer() {
    let (mut harness, seed, before) = sought(true);
    // A window that moves on with what is played.
    await_pieces(&mut harness, 8, 3);
    await_pieces(&mut harness, 9, 3);
    assert_eq!(cancelled(&harness, seed).len(), before.len());

    let mut harness = Harness::leech();
    let peer = harness.accept(1, "9.9.9.1:1000");
    harness.say(peer, Message::Bitfield(vec![0xf0, 0].into()));
    harness.say(peer, Message::Unchoke);
    assert!(!harness.asked(peer).is_empty());
    await_pieces(&mut harness, 8, 2);
    assert_eq!(cancelled(&harness, peer), []);
}

#[test]
fn a_slider_that_is_dragged_does_not_cancel_without_end() {
    let mut harness = Harness::leech();
    let seed = harness.accept_seed(1, true);
    for n in 0..2000 {
        await_pieces(&mut harness, n * 5 % PIECES, 1);
        // A peer confirms each of them, which is nothing to hold against it.
        for raw in cancelled(&harness, seed) {
            assert_eq!(harness.say(seed, Message::Reject(raw)), None);
        }
        harness
            .sent
            .retain(|(_, message)| !matches!(message, Message::Cancel(_)));
    }
    let cancels = harness.count(|message| matches!(message, Message::Cancel(_)));
    assert!(cancels < 10, "{cancels}");
}
