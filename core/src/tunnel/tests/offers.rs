//! Files that are offered to players, and their reads.

use super::*;
use crate::media::MediaType;

const TOKEN: PlayerToken = PlayerToken([9; 16]);

fn film() -> OfferedFile {
    OfferedFile {
        size: 1000,
        media_type: MediaType::parse("video/x-matroska").unwrap(),
    }
}

/// A world in which the tab offers a file. Returns the offer.
fn offering(streams: u16) -> (World, u32) {
    let windows = Windows {
        stream: 16 * 1024,
        session: 64 * 1024,
    };
    let config = ClientConfig {
        windows,
        widest: windows.stream,
        ..ClientConfig::default()
    };
    let limits = Limits {
        joins: 2,
        streams,
        offers: 2,
        reads: 2,
    };
    let mut world = World::with_limits(config, limits);
    world.news.clear();
    let offer = world.client.offer(&film()).unwrap();
    world.settle();
    (world, offer)
}

/// Opens a read of these bytes. Returns the stream.
fn read(world: &mut World, offer: u32, bytes: std::ops::Range<u64>) -> u32 {
    let stream = world.server.read(offer, bytes).unwrap();
    world.settle();
    stream
}

#[test]
fn an_offer_arrives_as_it_was_made_and_its_token_comes_back() {
    let (mut world, offer) = offering(1);
    let expected = format!(
        "{:?}",
        ServerEvent::Offer {
            offer,
            file: film()
        }
    );
    assert_eq!(world.news, [expected]);
    world.server.offered(offer, TOKEN);
    let message = world.server.poll_message().unwrap();
    world.client.handle_message(T0, message).unwrap();
    let told = world.client.poll_event();
    assert!(
        matches!(told, Some(Event::Offered { offer: of, token: TOKEN }) if of == offer),
        "{told:?}"
    );
}

#[test]
fn a_token_is_read_as_it_is_shown_and_does_not_reach_a_log() {
    assert_eq!(PlayerToken::parse(&TOKEN.to_string()), Some(TOKEN));
    for text in [
        "",
        "09",
        "0909090909090909090909090909090G",
        &"0".repeat(34),
    ] {
        assert_eq!(PlayerToken::parse(text), None, "{text}");
    }
    assert!(!format!("{TOKEN:?}").contains('9'), "{TOKEN:?}");
}

#[test]
fn a_path_for_players_has_the_token_and_no_character_that_means_anything() {
    let path = player_path(TOKEN, "Ein Film (2026)'$(x)`;\u{202e}/..\u{e9}.mkv");
    let name = path.strip_prefix(&format!("/v1/play/{TOKEN}/")).unwrap();
    assert_eq!(
        name,
        "Ein%20Film%20%282026%29%27%24%28x%29%60%3B%E2%80%AE%2F..%C3%A9.mkv"
    );
    let long = player_path(TOKEN, &format!("{}.mkv", "\u{e9}".repeat(70_000)));
    assert!(
        long.len() < 1300 && long.ends_with(".mkv"),
        "{}",
        long.len()
    );
}

#[test]
fn what_a_player_reads_comes_from_the_tab_with_credit_and_in_order() {
    let (mut world, offer) = offering(1);
    let stream = read(&mut world, offer, 100..900);
    assert_eq!(
        world.news.last().unwrap(),
        &format!("Read {{ stream: {stream}, offer: {offer}, bytes: 100..900 }}")
    );
    world.upload(stream, 40_000);
    world.settle();
    assert_eq!(world.uploads[&stream].received, 16 * 1024);
    while world.uploads[&stream].received < 40_000 {
        world.consume(stream, u64::MAX, true);
        world.settle();
    }
    world.server.close(stream, StreamClose::Player);
    world.settle();
    assert_eq!(
        world.news.last().unwrap(),
        &format!("StreamClosed {{ stream: {stream}, reason: Player }}")
    );
}

#[test]
fn a_player_that_reads_nothing_takes_no_credit_from_peers() {
    let (mut world, offer) = offering(1);
    let stalled = [0, 1].map(|_| read(&mut world, offer, 0..1000));
    for stream in stalled {
        world.upload(stream, 100_000);
    }
    let peer = world.streams[0];
    for round in 1..50 {
        world.upload(peer, 5000);
        world.settle();
        world.consume(peer, u64::MAX, true);
        world.settle();
        assert_eq!(world.uploads[&peer].received, round * 5000);
    }
    assert_eq!(world.uploads[&stalled[0]].received, 16 * 1024);
}

#[test]
fn reads_and_peers_have_limits_of_their_own() {
    let (mut world, offer) = offering(2);
    let first = read(&mut world, offer, 0..1);
    read(&mut world, offer, 0..1);
    assert_eq!(world.server.read(offer, 0..1), None, "two were agreed");
    assert_eq!(world.server.open(&opened(1)), None, "two were agreed");
    world.server.close(first, StreamClose::Player);
    world.server.close(world.streams[0], StreamClose::Peer);
    assert!(world.server.read(offer, 0..1).is_some());
    assert!(world.server.open(&opened(1)).is_some());
    world.settle();
}

#[test]
fn only_bytes_of_the_file_are_read() {
    let (mut world, offer) = offering(1);
    for bytes in [0..1001, 5..5, u64::MAX - 1..u64::MAX] {
        assert_eq!(world.server.read(offer, bytes.clone()), None, "{bytes:?}");
    }
    assert_eq!(world.server.read(offer + 1, 0..1), None);
    let beyond = [&offer.to_be_bytes()[..], &[0; 8], &1001u64.to_be_bytes()].concat();
    let error = world.client.handle_message(T0, raw(27, 9, &beyond));
    assert_eq!(
        error.unwrap_err().fault,
        Fault::Malformed(frame::Kind::Read)
    );
}

#[test]
fn a_read_that_crosses_the_withdrawal_of_its_offer_is_closed() {
    let (mut world, offer) = offering(1);
    let stream = world.server.read(offer, 0..1000).unwrap();
    world.client.withdraw(offer);
    world.news.clear();
    world.settle();
    assert_eq!(
        world.news,
        [
            format!("Withdrawn {{ offer: {offer} }}"),
            format!("StreamClosed {{ stream: {stream} }}")
        ]
    );
    assert_eq!(world.server.read(offer, 0..1), None);
}

#[test]
fn a_tab_offers_no_more_than_was_agreed() {
    let (mut world, offer) = offering(1);
    assert_eq!(world.client.offer(&film()), Some(offer + 1));
    assert_eq!(world.client.offer(&film()), None, "two were agreed");
    world.client.withdraw(offer);
    assert_eq!(world.client.offer(&film()), Some(offer + 2));
    world.settle();

    let mut written = bytes::BytesMut::new();
    film().write(&mut written);
    let fault = |world: &mut World, offer| {
        let offered = world.server.handle_message(T0, raw(7, offer, &written));
        offered.unwrap_err().fault
    };
    assert_eq!(
        fault(&mut world, offer + 2),
        Fault::DuplicateOffer(offer + 2)
    );
    assert_eq!(fault(&mut world, offer + 3), Fault::TooManyOffers(2));
    let mut early = Client::new(ClientConfig::default(), T0);
    assert_eq!(early.offer(&film()), None, "it was not welcomed");
}

#[test]
fn nothing_but_audio_and_video_is_offered() {
    let mut world = World::new(Windows::default(), 1);
    for name in ["text/html", "image/svg+xml", "video/\r\nx: y"] {
        let mut written = 1000u64.to_be_bytes().to_vec();
        written.extend((name.len() as u16).to_be_bytes());
        written.extend(name.as_bytes());
        let error = world.server.handle_message(T0, raw(7, 1, &written));
        assert_eq!(
            error.unwrap_err().fault,
            Fault::Malformed(frame::Kind::Offer),
            "{name}"
        );
    }
}

#[test]
fn a_bridge_sends_nothing_on_a_stream_that_reads() {
    let (mut world, offer) = offering(1);
    let stream = read(&mut world, offer, 0..1000);
    assert!(world.server.fill(stream, |out| out.put_u8(1)).is_none());
    let error = world.client.handle_message(T0, raw(32, stream, b"x"));
    assert_eq!(
        error.unwrap_err().fault,
        Fault::Overdrawn {
            stream,
            credit: 0,
            received: 1
        }
    );
}
