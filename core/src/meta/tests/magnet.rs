use super::{parse, single};
use crate::meta::{MAX_SELECTED, Magnet, MagnetError, Metainfo};
use crate::types::{InfoHash, InfoHashV1, InfoHashV2, ParseHashError};

const HEX: &str = "00112233445566778899aabbccddeeff00112233";
const HEX_V2: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn v1() -> InfoHashV1 {
    InfoHashV1::parse(HEX).unwrap()
}

fn read(rest: &str) -> Magnet {
    Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}{rest}")).unwrap()
}

#[test]
fn every_parameter_is_read() {
    let magnet = read(
        "&dn=A+b%20%C3%A9&tr=udp%3A%2F%2Fx%3A1%2Fannounce&tr.1=http://y/a?b%26c&ws=http%3A%2F%2Fw%2F&x.pe=1.2.3.4:5&x.pe=[::1]:6&so=4-6,0,5&xl=9",
    );
    assert_eq!(magnet.info_hash, InfoHash::V1(v1()));
    assert_eq!(magnet.name.as_deref(), Some("A b é"));
    assert_eq!(magnet.trackers, ["udp://x:1/announce", "http://y/a?b&c"]);
    assert_eq!(magnet.web_seeds, ["http://w/"]);
    assert_eq!(
        magnet.peers,
        ["1.2.3.4:5".parse().unwrap(), "[::1]:6".parse().unwrap()]
    );
    assert_eq!(magnet.select, Some(vec![0, 4, 5, 6]));
}

#[test]
fn every_spelling_of_the_hash_is_read() {
    let base32 = data_encoding::BASE32_NOPAD.encode(&v1().0);
    let v2 = InfoHashV2::parse(HEX_V2).unwrap();
    let hash = |text: &str| Magnet::parse(text).unwrap().info_hash;
    assert_eq!(
        hash(&format!("magnet:?xt=urn:btih:{base32}")),
        InfoHash::V1(v1())
    );
    assert_eq!(
        hash(&format!("MAGNET:?xt=URN:BTIH:{}", HEX.to_uppercase())),
        InfoHash::V1(v1())
    );
    assert_eq!(
        hash(&format!("magnet:?xt=urn%3Abtih%3A{HEX}")),
        InfoHash::V1(v1())
    );
    assert_eq!(
        hash(&format!("magnet:?dn=x&amp;xt=urn:btih:{HEX}")),
        InfoHash::V1(v1())
    );
    assert_eq!(
        hash(&format!("magnet:?xt=urn:btmh:1220{HEX_V2}")),
        InfoHash::V2(v2)
    );
    assert_eq!(
        hash(&format!(
            "magnet:?xt.1=urn:btih:{HEX}&xt.2=urn:btmh:1220{HEX_V2}"
        )),
        InfoHash::Hybrid(v1(), v2)
    );
    assert_eq!(
        hash(&format!(
            "magnet:?xt=urn:ed2k:abc&xt=urn:btih:{HEX}&xt=urn:btih:{HEX}"
        )),
        InfoHash::V1(v1())
    );
    assert_eq!(hash(&format!(" {HEX}\n")), InfoHash::V1(v1()));
    assert_eq!(hash(&base32.to_lowercase()), InfoHash::V1(v1()));
    assert_eq!(hash(HEX_V2), InfoHash::V2(v2));
}

#[test]
fn every_fault_is_named() {
    let fault = |text: &str| Magnet::parse(text).unwrap_err();
    let other = HEX.replace('0', "1");
    assert_eq!(fault(""), MagnetError::NotMagnet);
    assert_eq!(
        fault("http://example.org/a.torrent"),
        MagnetError::NotMagnet
    );
    assert_eq!(
        fault("0123456789abcdef"),
        MagnetError::Hash(ParseHashError::Length(16))
    );
    assert_eq!(
        fault(&"z".repeat(40)),
        MagnetError::Hash(ParseHashError::Alphabet)
    );
    assert_eq!(fault("magnet:?dn=x"), MagnetError::NoHash);
    assert_eq!(fault("magnet:?"), MagnetError::NoHash);
    assert_eq!(
        fault("magnet:?xt=urn:btih:1234"),
        MagnetError::Hash(ParseHashError::Length(4))
    );
    assert_eq!(
        fault(&format!("magnet:?xt=urn:btih:{}", "z".repeat(40))),
        MagnetError::Hash(ParseHashError::Alphabet)
    );
    assert_eq!(
        fault(&format!("magnet:?xt=urn:btmh:1114{HEX}")),
        MagnetError::Multihash
    );
    assert_eq!(fault("magnet:?xt=urn:btmh:122000"), MagnetError::Multihash);
    assert_eq!(
        fault(&format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{other}")),
        MagnetError::TwoTorrents
    );
    assert_eq!(
        fault(&"x".repeat(65_537)),
        MagnetError::TooLong {
            received: 65_537,
            limit: 65_536
        }
    );
    for so in [
        "x",
        "1-",
        "-1",
        "3-2",
        ",",
        "x,3-2",
        "0-1000000",
        "1,0-4294967295",
        "4294967296",
    ] {
        assert_eq!(
            fault(&format!("magnet:?xt=urn:btih:{HEX}&so={so}")),
            MagnetError::Select {
                limit: MAX_SELECTED
            },
            "{so}"
        );
    }
}

#[test]
fn only_literal_addresses_with_a_port_are_peers() {
    let odd = [
        "example.org:1",
        "1.2.3.4",
        "1.2.3.4:0",
        "127.1:80",
        "0x7f.0.0.1:80",
        "010.0.0.1:80",
        "2130706433:80",
        "::1:80",
        "[fe80::1%251]:80",
    ];
    for addr in odd {
        assert!(read(&format!("&x.pe={addr}")).peers.is_empty(), "{addr}");
    }
}

#[test]
fn repeated_parameters_are_bounded_and_kept_once() {
    let many: String = (0..150)
        .map(|n| format!("&tr=http://x/{n}&ws=http://w/{n}&x.pe=1.2.3.4:{}", n + 1))
        .collect();
    let magnet = read(&format!("{many}{many}"));
    assert_eq!(
        (
            magnet.trackers.len(),
            magnet.web_seeds.len(),
            magnet.peers.len()
        ),
        (100, 100, 100)
    );
    assert_eq!(read("&tr=a&tr=a&tr=&dn=").trackers, ["a"]);
    assert_eq!(
        read("&so=").select,
        None,
        "an empty selection selects everything"
    );
    assert_eq!(read("&so=0-999999").select.unwrap().len(), 1_000_000);
}

#[test]
fn of_many_selections_the_last_one_counts_and_is_the_only_one_that_is_unfolded() {
    assert_eq!(
        read(&format!("{}&so=7", "&so=0-999999".repeat(5000))).select,
        Some(vec![7])
    );
}

#[test]
fn a_torrent_gives_its_magnet() {
    let mut metainfo = parse(&single("a & b")).unwrap();
    metainfo.trackers = vec![
        vec!["http://x/a?k=1&l".to_owned()],
        vec!["udp://y:1".to_owned()],
    ];
    let text = metainfo.magnet().to_string();
    let expected = "&dn=a%20%26%20b&tr=http%3A%2F%2Fx%2Fa%3Fk%3D1%26l&tr=udp%3A%2F%2Fy%3A1";
    assert_eq!(
        text,
        format!("magnet:?xt=urn:btih:{}{expected}", metainfo.info.info_hash)
    );
    assert_eq!(Magnet::parse(&text).unwrap(), Metainfo::magnet(&metainfo));
    assert_eq!(
        read("&so=0,2,4-6,9").to_string(),
        format!("magnet:?xt=urn:btih:{HEX}&so=0,2,4-6,9")
    );
}

#[test]
fn links_are_read_as_other_clients_and_pages_write_them() {
    let hash = |text: &str| Magnet::parse(text).unwrap().info_hash;
    for link in [
        "magnet:///?xt=urn:btih:",
        "magnet://?xt=urn:btih:",
        "magnet:?XT=urn:btih:",
        "stream-magnet:?xt=urn:btih:",
        "Stream-Magnet:?Xt=urn:btih:",
    ] {
        assert_eq!(
            hash(&format!("{link}{HEX}&dn=x")),
            InfoHash::V1(v1()),
            "{link}"
        );
        assert!(Magnet::is_link(link));
    }
    let escaped = format!("magnet%3A%3Fxt%3Durn%3Abtih%3A{HEX}%26tr%3Dhttp%253A%252F%252Fx%252Fa");
    for link in [
        &escaped,
        &escaped.replacen("%3A%3F", ":?", 1),
        &escaped.replacen("%3A%3F", "%3a%3f", 1),
    ] {
        assert_eq!(
            (hash(link), Magnet::parse(link).unwrap().trackers),
            (InfoHash::V1(v1()), vec!["http://x/a".to_owned()]),
            "{link}"
        );
        assert!(Magnet::is_link(link));
    }
    assert_eq!(
        read("&tr=http%3A%2F%2Fx%2Fa%20%0A&TR=%20udp://y:1&x.pe=1.2.3.4:5%20").trackers,
        ["http://x/a", "udp://y:1"]
    );
    assert_eq!(
        read("&so=0,x,4-6,9-8,,12").select,
        Some(vec![0, 4, 5, 6, 12]),
        "what is no number is left out"
    );
    assert!(!Magnet::is_link("magnets.torrent") && !Magnet::is_link(HEX));
}
