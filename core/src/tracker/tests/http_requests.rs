//! Requests over HTTP (BEP 3, 23, 48).

use super::*;

#[test]
fn our_own_client_understands_the_tracker_over_http() {
    let mut tracker = tracker(Config::default());
    for (first, second) in [("1.1.1.1", "1.1.1.2"), ("2000::1", "2000::2")] {
        over_http(&mut tracker, first, &query(0));
        let expected = vec![SocketAddr::new(ip(first), 6881)];
        for (form, body) in [
            ("compact", query(5)),
            ("dictionaries", query(5).replace("compact=1", "compact=0")),
        ] {
            let answer =
                client::http::parse_answer(&over_http(&mut tracker, second, &body)).unwrap();
            assert_eq!(answer.peers, expected, "{form}");
            assert_eq!(answer.external_ip, Some(ip(second)));
            assert_eq!(
                (answer.interval, answer.min_interval),
                (
                    Some(Duration::from_secs(1800)),
                    Some(Duration::from_secs(60))
                )
            );
        }
    }
}

#[test]
fn every_wrong_query_has_its_name() {
    let hash = "info_hash=%07%07%07%07%07%07%07%07%07%07%07%07%07%07%07%07%07%07%07%07";
    for (query, expected) in [
        (String::new(), Err(Refusal::InfoHash)),
        ("info_hash=%0&port=1".to_owned(), Err(Refusal::InfoHash)),
        (format!("{hash}x&port=1"), Err(Refusal::InfoHash)),
        (hash.to_owned(), Err(Refusal::Port)),
        (format!("{hash}&port=65536"), Err(Refusal::Port)),
        (
            format!("{hash}&port=80&left=0&event=completed&numwant=-1"),
            Ok(Announce {
                seed: true,
                event: Event::Completed,
                ..present(80)
            }),
        ),
        (
            format!("x&{hash}&ip=9.9.9.9&port=80&numwant=7&left=1"),
            Ok(Announce {
                num_want: Some(7),
                ..present(80)
            }),
        ),
    ] {
        assert_eq!(
            http::Request::parse(query.as_bytes()).map(|request| request.announce),
            expected,
            "{query}"
        );
    }
    assert_eq!(http::parse_scrape(b""), Err(Refusal::InfoHash));
    assert_eq!(
        http::parse_scrape(vec![hash; 65].join("&").as_bytes()),
        Err(Refusal::TooMany)
    );
    assert_eq!(
        http::parse_scrape(vec![hash; 64].join("&").as_bytes()),
        Ok(vec![HASH])
    );
}

#[test]
fn a_scrape_over_http_has_the_shape_of_bep_48() {
    let mut tracker = tracker(Config::default());
    announce(&mut tracker, 0, "1.1.1.1", present(1)).unwrap();
    let mut out = Vec::new();
    tracker.answer_scrape(
        at(0),
        ip("1.1.1.1"),
        format!(
            "info_hash={}&info_hash={}",
            "%07".repeat(20),
            "a".repeat(20)
        )
        .as_bytes(),
        &mut out,
    );
    let mut expected = b"d5:filesd20:".to_vec();
    expected.extend(HASH.0);
    expected.extend(b"d8:completei0e10:downloadedi0e10:incompletei1ee20:aaaaaaaaaaaaaaaaaaaad8:completei0e10:downloadedi0e10:incompletei0eee");
    expected.extend(b"5:flagsd20:min_request_intervali60eee");
    assert_eq!(out, expected);
}
