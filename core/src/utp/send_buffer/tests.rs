//! What is sent, acknowledged, lost and sent again.

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::*;

const FIRST: Sequence = Sequence(65_530);

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

/// A buffer that has sent so many packets of ten bytes, one per millisecond.
fn sent(packets: u16) -> SendBuffer {
    let mut buffer = SendBuffer::new(10_000, FIRST);
    buffer.write(&vec![1; usize::from(packets) * 10]);
    for n in 0..packets {
        let segment = buffer.send(at(n.into()), 10);
        assert_eq!(segment.sequence, FIRST.plus(n));
    }
    buffer
}

fn acknowledge(buffer: &mut SendBuffer, millis: u64, number: u16, mask: &[u8]) -> Acked {
    let number = FIRST.plus(number);
    buffer
        .handle_acknowledgement(at(millis), number, mask, true, Asked::default())
        .unwrap()
}

#[test]
fn what_is_acknowledged_gives_room_and_a_round_trip() {
    let mut buffer = sent(4);
    let room = buffer.room();
    let acked = acknowledge(&mut buffer, 50, 1, &[]);
    assert_eq!((acked.bytes, acked.packets), (20, 2));
    assert_eq!(acked.round_trip, Some(Duration::from_millis(49)));
    assert_eq!((buffer.in_flight(), buffer.room()), (20, room + 20));
    assert_eq!(acknowledge(&mut buffer, 60, 0, &[]), Acked::default());
}

#[test]
fn a_packet_is_lost_after_three_that_were_sent_later() {
    let mut buffer = sent(6);
    // The first is missing; its bit does not exist.
    let acked = acknowledge(&mut buffer, 50, u16::MAX, &[0b11, 0, 0, 0]);
    assert_eq!((acked.packets, acked.lost), (2, None));
    let acked = acknowledge(&mut buffer, 51, u16::MAX, &[0b111, 0, 0, 0]);
    assert_eq!((acked.packets, acked.lost), (1, Some(at(0))));
    assert_eq!(buffer.lost_length(), Some(10));
    assert_eq!(buffer.resend(at(52)).unwrap().sequence, FIRST);
    assert_eq!(buffer.lost_length(), None);
    let acked = acknowledge(&mut buffer, 100, 3, &[]);
    assert_eq!((acked.packets, acked.round_trip), (1, None));
}

#[test]
fn the_arrival_of_a_probe_of_the_tail_shows_which_packets_before_it_are_lost() {
    let mut buffer = sent(6);
    acknowledge(&mut buffer, 50, 2, &[]);
    buffer.probe_tail(None);
    assert_eq!(buffer.resend(at(60)).unwrap().sequence, FIRST.plus(5));
    assert_eq!(buffer.lost_length(), None);
    // Its bit is that of the third packet after the acknowledged one.
    let acked = acknowledge(&mut buffer, 110, 2, &[0b10, 0, 0, 0]);
    assert_eq!((acked.packets, acked.lost), (1, Some(at(4))));
    let again = [buffer.resend(at(111)), buffer.resend(at(111))];
    let again = again.map(|segment| segment.unwrap().sequence);
    assert_eq!(again, [FIRST.plus(3), FIRST.plus(4)]);
}

#[test]
fn a_probe_of_the_tail_that_was_unnecessary_changes_nothing() {
    let mut buffer = sent(6);
    buffer.probe_tail(None);
    buffer.resend(at(60)).unwrap();
    let number = FIRST.plus(5);
    let asked = Asked {
        probe: None,
        lowest: Duration::from_millis(40),
    };
    let acked = buffer
        .handle_acknowledgement(at(61), number, &[], true, asked)
        .unwrap();
    assert!(!acked.was_spurious && acked.lost.is_none());
    assert_eq!((acked.packets, buffer.in_flight()), (6, 0));
}

#[test]
fn a_packet_that_was_only_late_is_known_as_such_before_it_is_sent_again() {
    let mut buffer = sent(6);
    let acked = acknowledge(&mut buffer, 50, u16::MAX, &[0b111, 0, 0, 0]);
    assert!(acked.lost.is_some() && !acked.was_spurious);
    let acked = acknowledge(&mut buffer, 51, 0, &[]);
    assert!(acked.was_spurious && acked.lost.is_none());
    assert_eq!(buffer.lost_length(), None);
}

#[test]
fn packets_that_were_late_for_a_timeout_say_nothing_about_reordering() {
    let mut buffer = sent(6);
    buffer.handle_timeout();
    assert!(!acknowledge(&mut buffer, 1000, 5, &[]).was_spurious);
}

#[test]
fn three_copies_of_an_acknowledgement_mean_a_loss_too() {
    let mut buffer = sent(6);
    acknowledge(&mut buffer, 50, 1, &[]);
    for _ in 0..2 {
        assert_eq!(acknowledge(&mut buffer, 50, 1, &[]).lost, None);
    }
    assert_eq!(acknowledge(&mut buffer, 50, 1, &[]).lost, Some(at(2)));
    assert_eq!(buffer.resend(at(51)).unwrap().sequence, FIRST.plus(2));
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_refused() {
    let mut buffer = sent(4);
    let mut acknowledge = |number: u16| {
        let number = FIRST.plus(number);
        buffer.handle_acknowledgement(at(9), number, &[], true, Asked::default())
    };
    assert_eq!(acknowledge(4), Err(NotOurs));
    assert_eq!(acknowledge(30_000), Err(NotOurs));
    assert!(acknowledge(3).is_ok());
}

#[test]
fn after_a_timeout_all_that_is_under_way_is_sent_again_in_order() {
    let mut buffer = sent(3);
    acknowledge(&mut buffer, 50, u16::MAX, &[0b1, 0, 0, 0]);
    buffer.handle_timeout();
    assert_eq!(buffer.in_flight(), 0);
    let again: Vec<_> = std::iter::from_fn(|| buffer.resend(at(99)))
        .map(|segment| segment.sequence)
        .collect();
    assert_eq!(again, [FIRST, FIRST.plus(2)]);
}

#[test]
fn the_end_comes_after_what_is_written() {
    let mut buffer = sent(1);
    buffer.write(b"end");
    buffer.finish();
    assert_eq!(buffer.write(b"more"), 0);
    assert_eq!(buffer.send(at(5), 10).kind, Kind::Data);
    assert_eq!(buffer.new_length(10), Some(0));
    assert_eq!(buffer.send(at(5), 0).kind, Kind::Fin);
    assert_eq!(buffer.new_length(10), None);
    acknowledge(&mut buffer, 50, 1, &[]);
    assert!(!buffer.is_finished());
    acknowledge(&mut buffer, 50, 2, &[]);
    assert!(buffer.is_finished());
}

proptest! {
    #[test]
    fn counts_agree_whatever_is_acknowledged(
        steps in vec((0..4_u8, any::<u16>(), vec(any::<u8>(), 0..12)), 0..80),
    ) {
        let mut buffer = SendBuffer::new(5000, FIRST);
        let mut now = 0;
        for (what, number, mask) in steps {
            now += u64::from(number % 50);
            match what {
                0 => {
                    buffer.write(&vec![0; usize::from(number % 3000)]);
                    while let Some(length) = buffer.new_length(100) {
                        buffer.send(at(now), length);
                    }
                }
                1 => buffer.handle_timeout(),
                2 => drop(buffer.resend(at(now))),
                _ => {
                    let number = buffer.first_sequence().plus(number % 70).plus(u16::MAX - 9);
                    let _ = buffer.handle_acknowledgement(at(now), number, &mask, true, Asked::default());
                }
            }
            let in_state = |state| buffer.packets.iter().filter(move |sent| sent.state == state);
            let under_way: usize = in_state(SentState::UnderWay).map(|sent| sent.payload.len()).sum();
            let held: usize = buffer.packets.iter().map(|sent| sent.payload.len()).sum();
            prop_assert_eq!(buffer.in_flight(), under_way);
            prop_assert_eq!(buffer.lost, in_state(SentState::Lost).count());
            prop_assert_eq!(buffer.unacknowledged(), held);
            prop_assert!(buffer.packets.len() <= MAX_PACKETS);
            prop_assert!(buffer.unsent.len() + held <= 5000);
        }
    }
}
