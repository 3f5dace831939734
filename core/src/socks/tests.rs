use std::collections::BTreeSet;

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;

fn credentials() -> Credentials {
    Credentials::new(Text::new("me").unwrap(), Text::new("secret").unwrap())
}

/// What is sent, and how it ends, when a proxy answers with `answers` as soon as it is asked.
fn run(connect: &mut Exchange, mut answers: &[u8]) -> (Vec<Vec<u8>>, Result<usize, SocksError>) {
    let mut sent = Vec::new();
    let length = answers.len();
    loop {
        sent.extend(connect.poll_transmit());
        if connect.is_granted() || answers.is_empty() {
            return (sent, Ok(length - answers.len()));
        }
        match connect.handle_bytes(answers) {
            Ok(count) => answers = &answers[count..],
            Err(error) => return (sent, Err(error)),
        }
    }
}

#[test]
fn an_address_is_granted_without_a_login_and_no_byte_of_it_is_taken() {
    let addr: SocketAddr = "192.0.2.7:6881".parse().unwrap();
    let mut connect = Exchange::connect(&addr.into(), None);
    let answers = b"\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x1a\xe1hello";
    let (sent, taken) = run(&mut connect, answers);
    assert_eq!(
        sent,
        [
            &b"\x05\x01\x00"[..],
            b"\x05\x01\x00\x01\xc0\x00\x02\x07\x1a\xe1"
        ]
    );
    assert_eq!((taken, connect.is_granted()), (Ok(answers.len() - 5), true));
    assert_eq!(
        (connect.missing(), connect.handle_bytes(b"hello")),
        (0, Ok(0))
    );
}

#[test]
fn a_name_is_left_to_the_proxy_after_a_login() {
    let to = Destination::name("tracker.example", 80).unwrap();
    let mut connect = Exchange::connect(&to, Some(&credentials()));
    let (sent, taken) = run(
        &mut connect,
        b"\x05\x02\x01\x00\x05\x00\x00\x03\x03abc\x00\x50",
    );
    assert!(taken.is_ok() && connect.is_granted());
    let expected: [&[u8]; 3] = [
        b"\x05\x02\x00\x02",
        b"\x01\x02me\x06secret",
        b"\x05\x01\x00\x03\x0ftracker.example\x00\x50",
    ];
    assert_eq!(sent, expected);
}

#[test]
fn credentials_are_sent_only_if_the_proxy_asks_for_them() {
    let to = Destination::name("a", 1).unwrap();
    let (sent, _) = run(
        &mut Exchange::connect(&to, Some(&credentials())),
        b"\x05\x00",
    );
    assert!(sent.iter().all(|bytes| !bytes.ends_with(b"secret")));
}

#[test]
fn an_ipv6_address_is_sent_whole_and_a_mapped_one_as_ipv4() {
    let sent = |addr: &str| {
        let addr: SocketAddr = addr.parse().unwrap();
        run(&mut Exchange::connect(&addr.into(), None), b"\x05\x00")
            .0
            .pop()
            .unwrap()
    };
    assert_eq!(sent("[2001:db8::1]:1").len(), 4 + 16 + 2);
    assert_eq!(sent("[::ffff:1.2.3.4]:1"), sent("1.2.3.4:1"));
}

#[test]
fn each_refusal_is_told_apart() {
    let ends = |answers: &[u8], credentials: Option<&Credentials>| {
        let to = Destination::name("a", 1).unwrap();
        run(&mut Exchange::connect(&to, credentials), answers)
            .1
            .unwrap_err()
    };
    let login = credentials();
    assert_eq!(ends(b"HTTP/1.1 400 Bad Request", None), SocksError::Http);
    assert_eq!(ends(b"\x00\x5b", None), SocksError::Version(0));
    assert_eq!(ends(b"\x05\xff", None), SocksError::LoginRequired);
    assert_eq!(ends(b"\x05\xff", Some(&login)), SocksError::NoMethod);
    assert_eq!(ends(b"\x05\x02", None), SocksError::Method(2));
    assert_eq!(ends(b"\x05\x01", Some(&login)), SocksError::Method(1));
    assert_eq!(
        ends(b"\x05\x02\x01\x01", Some(&login)),
        SocksError::LoginRefused
    );
    assert_eq!(
        ends(b"\x05\x02\x07\x00", Some(&login)),
        SocksError::LoginVersion(7)
    );
    assert_eq!(ends(b"\x05\x00\x04\x00", None), SocksError::Version(4));
    assert_eq!(
        ends(b"\x05\x00\x05\x00\x00\x02\x00", None),
        SocksError::AddressType(2)
    );
    let sentences: BTreeSet<String> = (1..=9)
        .map(|code| match ends(&[5, 0, 5, code], None) {
            SocksError::Refused(refusal) => refusal.to_string(),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(sentences.len(), 9);
}

#[test]
fn what_is_secret_is_not_in_debug_output() {
    let to = Destination::name("a", 1).unwrap();
    let connect = Exchange::connect(&to, Some(&credentials()));
    let said = format!("{:?} {connect:?}", credentials());
    let bytes = format!("{:?}", b"secret");
    assert!(!said.contains("secret") && !said.contains(&bytes), "{said}");
    assert!(Text::new("").is_err() && Text::new(&"x".repeat(256)).is_err());
    assert_eq!(to.to_string(), "a:1");
}

#[test]
fn an_association_tells_where_datagrams_are_relayed() {
    let bound = |answers: &[u8]| {
        let mut exchange = Exchange::associate(None);
        let (sent, taken) = run(&mut exchange, answers);
        assert_eq!(sent[1], b"\x05\x03\x00\x01\0\0\0\0\0\0");
        assert_eq!(taken, Ok(answers.len()));
        assert!(exchange.is_granted());
        exchange.bound().map(Destination::to_string)
    };
    assert_eq!(
        bound(b"\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x1a\xe1").as_deref(),
        Some("1.2.3.4:6881")
    );
    let v6 = [&b"\x05\x00\x05\x00\x00\x04"[..], &[0; 15], b"\x01\x00\x09"];
    assert_eq!(bound(&v6.concat()).as_deref(), Some("[::1]:9"));
    assert_eq!(
        bound(b"\x05\x00\x05\x00\x00\x03\x03abc\x00\x09").as_deref(),
        Some("abc:9")
    );
    for nameless in [
        &b"\x05\x00\x05\x00\x00\x03\x00\x00\x09"[..],
        b"\x05\x00\x05\x00\x00\x03\x01\xff\x00\x09",
    ] {
        assert_eq!(bound(nameless), None);
    }
}

#[test]
fn what_is_not_a_whole_datagram_is_dropped() {
    let to = Destination::name("tracker.example", 6969).unwrap();
    let bytes = encapsulate(&to, b"hello");
    assert_eq!(bytes, b"\0\0\0\x03\x0ftracker.example\x1b\x39hello");
    let read = Datagram::read(&bytes).unwrap();
    assert_eq!((read.from, read.payload), (to, &b"hello"[..]));
    for length in 0..bytes.len() - b"hello".len() {
        assert_eq!(Datagram::read(&bytes[..length]), None, "{length}");
    }
    for (at, what) in [(0, "reserved"), (2, "a fragment"), (3, "the kind")] {
        let mut wrong = bytes.clone();
        wrong[at] = 0x81;
        assert_eq!(Datagram::read(&wrong), None, "{what}");
    }
}

proptest! {
    #[test]
    fn a_datagram_is_read_as_it_was_sent(ip in any::<std::net::IpAddr>(), port: u16, payload in any::<Vec<u8>>()) {
        let to = Destination::from(SocketAddr::new(ip, port));
        let bytes = encapsulate(&to, &payload);
        prop_assert!(bytes.len() <= MAX_HEADER + payload.len());
        let read = Datagram::read(&bytes).unwrap();
        prop_assert_eq!((read.from, read.payload), (to, &payload[..]));
    }

    #[test]
    fn any_datagram_is_read_without_a_panic(mut bytes in any::<Vec<u8>>(), has_head: bool) {
        if has_head {
            bytes.splice(..0, [0; 3]);
        }
        if let Some(read) = Datagram::read(&bytes) {
            prop_assert!(bytes.ends_with(read.payload));
        }
    }

    #[test]
    fn how_answers_are_split_does_not_matter_and_what_follows_is_not_taken(
        bytes in prop::collection::vec(0..6_u8, 0..40), cuts in prop::collection::vec(1..5_usize, 40),
    ) {
        let to = Destination::name("a", 1).unwrap();
        let mut whole = Exchange::connect(&to, Some(&credentials()));
        let mut split = Exchange::connect(&to, Some(&credentials()));
        let (sent, outcome) = run(&mut whole, &bytes);
        let (mut at, mut sent_split, mut failed) = (0, Vec::new(), None);
        for cut in cuts {
            sent_split.extend(split.poll_transmit());
            let piece = &bytes[at..(at + cut).min(bytes.len())];
            match split.handle_bytes(piece) {
                Ok(taken) => at += taken,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            prop_assert!(split.missing() <= 257);
        }
        sent_split.extend(split.poll_transmit());
        match (outcome, failed) {
            (Err(one), Some(other)) => prop_assert_eq!(one, other),
            (Ok(taken), None) => prop_assert_eq!(taken, at),
            (one, other) => prop_assert!(false, "{:?} {:?}", one, other),
        }
        prop_assert_eq!(sent, sent_split);
    }

    #[test]
    fn arbitrary_answers_never_panic(bytes in any::<Vec<u8>>()) {
        let to = Destination::name("a", 1).unwrap();
        let (sent, _) = run(&mut Exchange::connect(&to, Some(&credentials())), &bytes);
        prop_assert!(sent.len() <= 3);
    }
}
