//! Flags, the configuration file, and which settings SIGHUP reloads.

use aqueduct_core::tunnel::{ClientConfig, Event, Refusal};
use aqueduct_testkit::http::get;
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::program;
use crate::program::PATH;
use crate::tab::Tab;

/// The output of `--print-config` with these flags.
async fn printed(flags: &[&str]) -> String {
    let output = Command::new(PATH)
        .args(flags)
        .arg("--print-config")
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn every_flag_is_a_key_of_the_file_and_what_is_printed_is_read_back() {
    let flags = [
        ["--listen", "[::1]:9000"],
        ["--peer-port", "7000"],
        ["--peer-bind", "127.0.0.1"],
        ["--public-url", "https://aqueduct.example"],
        ["--origin", "https://a.example"],
        ["--origin", "https://b.example"],
        ["--token-file", "tokens"],
        ["--allow", "10.0.0.0/8"],
        ["--trusted-proxies", "10.0.0.1/32"],
        ["--dht-bootstrap", "node.example:6881"],
        ["--public-address", "9.9.9.9"],
        ["--tls-cert", "cert.pem"],
        ["--tls-key", "key.pem"],
    ];
    let mut flags = flags.concat();
    flags.extend(["--no-dht", "--no-tracker"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge.toml");
    for flags in [&flags[..], &[]] {
        let text = printed(flags).await;
        assert!(
            flags
                .iter()
                .filter_map(|flag| flag.strip_prefix("--"))
                .all(|key| text.contains(&format!("\n{key} = "))),
            "{text}"
        );
        std::fs::write(&file, &text).unwrap();
        assert_eq!(printed(&["--config", file.to_str().unwrap()]).await, text);
    }
}

#[tokio::test]
async fn a_mistake_in_the_configuration_is_reported_with_its_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[limits]\nsesions = 3\n").unwrap();
    let output = Command::new(PATH)
        .arg("--config")
        .arg(file.path())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("line 2") && said.contains("sesions") && said.contains("--print-config"),
        "{said}"
    );
}

/// Runs the bridge by a shell, in which this comes before it. Returns its exit code and what it
/// says.
async fn run_after(before: &str, flags: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .args(["-c", &format!("{before} \"$0\" \"$@\""), PATH])
        .args(flags)
        .output();
    let output = soon("the end", output).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[tokio::test]
async fn a_file_without_an_end_is_not_read_for_ever() {
    let [chain, tokens] = [0; 2].map(|_| tempfile::NamedTempFile::new().unwrap());
    let chain = chain.path().to_str().unwrap();
    std::fs::write(tokens.path(), "x\n".repeat(3 << 20)).unwrap();
    let local = ["--listen", "127.0.0.1:0", "--peer-port", "0", "--no-dht"];
    for flags in [
        &["--config", "/dev/zero"][..],
        &["--token-file", "/dev/zero"],
        &["--token-file", tokens.path().to_str().unwrap()],
        &["--tls-cert", "/dev/zero", "--tls-key", chain],
    ] {
        // Without a limit on memory a fault here would take all of the machine's.
        let all = [&local, flags].concat();
        let (code, said) = run_after("ulimit -v 4000000; exec", &all).await;
        assert_eq!(code, Some(1), "{flags:?}: {said}");
        assert!(said.contains("longer than 4 MiB"), "{flags:?}: {said}");
    }
}

#[tokio::test]
async fn what_cannot_be_printed_is_an_error_and_no_panic() {
    let (code, said) = run_after("exec >/dev/full;", &["--print-config"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("standard output") && !said.contains("panicked"),
        "{said}"
    );
}

#[tokio::test]
async fn a_limit_of_open_files_that_is_too_low_is_named() {
    let (code, said) = run_after("ulimit -n 12; exec", &["--listen", "127.0.0.1:0"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("12 files") && said.contains("ulimit -n"),
        "{said}"
    );
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_reported_with_what_to_write() {
    let nowhere = [
        "--listen",
        "127.0.0.1:0",
        "--no-dht",
        "--peer-bind",
        "192.0.2.1",
    ];
    for (flags, code, expected) in [
        (
            &["--listen", "localhost:8080"][..],
            2,
            "not a name, and a port, like 127.0.0.1:8080",
        ),
        (
            &["--listen", "127.0.0.1"],
            2,
            "and a port, like 127.0.0.1:8080",
        ),
        (
            &["--public-address", "9.9.9.9:80"],
            2,
            "without a port, like 192.0.2.1",
        ),
        (
            &nowhere,
            1,
            "at 192.0.2.1; choose another address with --peer-bind",
        ),
    ] {
        let output = Command::new(PATH).args(flags).output();
        let output = soon("the end", output).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn a_second_bridge_at_a_used_port_fails_and_says_what_to_do() {
    let first = program::start(&[]);
    let listen = first.addr.to_string();
    let output = Command::new(PATH)
        .args(["--listen", &listen, "--peer-port", "0", "--no-dht"])
        .output();
    let output = soon("the end", output).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&listen) && said.contains("--listen") && said.contains("in use"),
        "{said}"
    );
    assert!(
        get(
            TcpStream::connect(first.addr).await.unwrap(),
            "a",
            "/healthz",
            ""
        )
        .await
        .0
        .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn sighup_reloads_the_tokens_and_ends_no_session() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "old\n").unwrap();
    let mut bridge = program::start(&["--token-file", file.path().to_str().unwrap()]);
    let (host, origin) = (bridge.addr.to_string(), format!("http://{}", bridge.addr));
    let open = async |token: &str| {
        let config = ClientConfig {
            token: token.to_owned(),
            ..ClientConfig::default()
        };
        Tab::over(
            TcpStream::connect(&host).await.unwrap(),
            &host,
            &[("origin", &origin)],
            config,
        )
        .await
    };
    let mut early = open("old").await;
    assert!(matches!(early.next().await, Ok(Event::Welcome(_))));
    std::fs::write(file.path(), "new\n").unwrap();
    bridge.program.signal("HUP");
    bridge.program.line("the tokens were read anew").await;
    assert!(matches!(
        open("new").await.next().await,
        Ok(Event::Welcome(_))
    ));
    assert_eq!(
        open("old").await.closed().await.1,
        Refusal::Token.close_code()
    );
    std::fs::write(file.path(), "\n").unwrap();
    bridge.program.signal("HUP");
    bridge.program.line("the tokens stay as they were").await;
    assert!(
        matches!(open("new").await.next().await, Ok(Event::Welcome(_))),
        "an empty file shuts nobody out"
    );
    let tracker = Tracker::naming(&[]);
    early.join(&tracker);
    early.join(&tracker);
    early
        .until("an answer", |event| {
            matches!(event, Event::JoinRefused { .. }).then_some(())
        })
        .await;
}
