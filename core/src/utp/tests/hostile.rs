//! The other side violates the protocol, or uses it against us.

use super::super::packet::PacketError;
use super::*;

/// The other side of a connection that we have dialled, which sends what the test wants.
struct Hostile {
    ours: Socket,
    id: ConnectionId,
    /// The header of its datagrams.
    header: Header,
}

impl Hostile {
    /// A connection; the first packet of its side has the number 2.
    fn new() -> Self {
        Self::of(Config::default())
    }

    fn of(config: Config) -> Self {
        let mut ours = socket(config, 1);
        let id = ours.connect(at(0), addr(2)).unwrap();
        let syn = sent(&mut ours, at(0)).remove(0);
        let syn = Packet::parse(&syn).unwrap().header;
        let header = Header {
            kind: Kind::State,
            connection_id: syn.connection_id,
            timestamp: 0,
            timestamp_difference: 0,
            window: 1 << 20,
            sequence: 2,
            acknowledgement: syn.sequence,
        };
        let mut hostile = Self { ours, id, header };
        hostile.say(1, &[]);
        assert_eq!(events(&mut hostile.ours), [Event::Connected(id)]);
        hostile
    }

    /// Sends DATA with every number but that of the next packet in order.
    fn flood(&mut self) {
        self.header.kind = Kind::Data;
        for number in (0..=u16::MAX).filter(|number| *number != 2) {
            self.header.sequence = number;
            let mut datagram = Vec::new();
            self.header.write(&[], &[7; 1400], &mut datagram);
            self.ours.handle_datagram(at(2), addr(2), &datagram);
        }
    }

    fn say(&mut self, millis: u64, mask: &[u8]) {
        let mut datagram = Vec::new();
        self.header.write(mask, &[], &mut datagram);
        self.ours.handle_datagram(at(millis), addr(2), &datagram);
    }

    /// Headers of what we send, with the lengths of their payloads.
    fn heard(&mut self, millis: u64) -> Vec<(Header, usize)> {
        let datagrams = sent(&mut self.ours, at(millis));
        datagrams
            .iter()
            .map(|datagram| Packet::parse(datagram).unwrap())
            .map(|packet| (packet.header, packet.payload.len()))
            .collect()
    }
}

#[test]
fn acknowledgements_of_what_was_never_sent_acknowledge_nothing() {
    let mut hostile = Hostile::new();
    hostile.ours.write(hostile.id, &[1; 2000]).unwrap();
    let packets = hostile.heard(2);
    assert!(packets.len() >= 4, "{packets:?}");
    let last = packets.last().unwrap().0.sequence;
    // A number that we have not reached, whatever the mask says.
    hostile.header.acknowledgement = last.wrapping_add(5);
    hostile.say(3, &[0xff; 8]);
    // All of it still takes room.
    let taken = hostile.ours.write(hostile.id, &vec![1; 4 << 20]);
    assert_eq!(taken, Ok(Config::default().send_buffer - 2000));
}

#[test]
fn bits_of_packets_that_do_not_exist_are_ignored() {
    let mut hostile = Hostile::new();
    hostile.ours.write(hostile.id, &[1; 1000]).unwrap();
    let packets = hostile.heard(2);
    // The longest mask that an extension can carry.
    hostile.header.acknowledgement = packets[0].0.sequence.wrapping_sub(1);
    hostile.say(3, &[0xff; 252]);
    hostile.header.acknowledgement = packets.last().unwrap().0.sequence;
    hostile.say(4, &[0xff; 252]);
    assert_eq!(hostile.ours.write(hostile.id, &[2; 100]), Ok(100));
    assert_eq!(hostile.heard(5).len(), 1);
}

#[test]
fn a_window_that_stays_closed_costs_some_datagrams_per_minute_and_a_full_buffer() {
    let mut hostile = Hostile::new();
    hostile.header.window = 0;
    hostile.say(2, &[]);
    let taken = hostile.ours.write(hostile.id, &vec![1; 4 << 20]).unwrap();
    assert_eq!(taken, Config::default().send_buffer);
    let (mut datagrams, mut now) = (0, at(2));
    while let Some(due) = hostile.ours.poll_timeout()
        && due < at(600_000)
    {
        now = now.max(due);
        hostile.ours.handle_timeout(now);
        let millis = now.as_micros() / 1000;
        datagrams += hostile.heard(millis).len();
        // It is there, and has no room.
        hostile.say(millis, &[]);
    }
    assert!((15..60).contains(&datagrams), "{datagrams} in ten minutes");
    assert_eq!(hostile.ours.write(hostile.id, &[1; 100]), Ok(0));
    assert_eq!(events(&mut hostile.ours), []);
}

#[test]
fn packets_far_ahead_take_no_more_than_the_receive_buffer() {
    let mut hostile = Hostile::new();
    hostile.flood();
    assert_eq!(hostile.ours.read(hostile.id, 1 << 20), Ok(Read::Pending));
    let answers = hostile.heard(3);
    let window = answers.last().unwrap().0.window;
    assert!(answers.len() < 5, "{} answers", answers.len());
    assert!(window < 1400, "{window} bytes are free");
}

#[test]
fn a_stranger_is_given_little_memory_until_it_is_confirmed() {
    let first = 20_000;
    let mut hostile = Hostile::of(Config {
        first_receive_buffer: first,
        ..Config::default()
    });
    let window = |answers: &[(Header, usize)]| answers.last().unwrap().0.window as usize;
    assert_eq!(window(&hostile.heard(1)), first);
    hostile.flood();
    let held = hostile.ours.buffered(hostile.id);
    assert!((first - 1400..=first).contains(&held), "{held} bytes");
    hostile.heard(2);
    // The other side is told, although nothing was read.
    hostile.ours.confirm(hostile.id);
    let whole = Config::default().receive_buffer;
    assert_eq!(window(&hostile.heard(3)), whole - held);
}

#[test]
fn a_chain_of_extensions_is_cut_off_with_its_reason() {
    let mut datagram = Hostile::new().header.encode().to_vec();
    datagram[1] = 9;
    // Seven hundred empty extensions of an unknown type, each naming the next.
    datagram.extend([9, 0].repeat(700));
    assert_eq!(Packet::parse(&datagram), Err(PacketError::Extensions));
    let mut ours = socket(Config::default(), 1);
    assert!(!ours.handle_datagram(at(0), addr(2), &datagram));
    assert!(sent(&mut ours, at(0)).is_empty());
}

#[test]
fn copies_of_an_acknowledgement_without_end_cause_no_more_than_one_retransmission() {
    let mut hostile = Hostile::new();
    hostile.ours.write(hostile.id, &[1; 4000]).unwrap();
    let first = hostile.heard(2);
    hostile.header.acknowledgement = first[0].0.sequence.wrapping_sub(1);
    let mut again = 0;
    for _ in 0..10_000 {
        hostile.say(3, &[]);
        again += hostile.heard(3).len();
    }
    assert!(again <= 2, "{again} packets");
}
