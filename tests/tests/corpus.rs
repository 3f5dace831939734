//! Runs the fuzz bodies on the committed corpora, and on a few thousand mutations of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and so do its helpers"
)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use aqueduct_core::Instant;
use aqueduct_core::tunnel::{Client, ClientConfig, Event, Server, ServerConfig, ServerEvent};
use aqueduct_tests::fuzz::{TARGETS, run};
use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The number of mutations per committed input.
const MUTANTS: u32 = 64;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The committed inputs of a target, each with its path for reproduction.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz_folder().join("corpus").join(target);
    names(&folder)
        .iter()
        .map(|name| folder.join(name))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn every_target_has_a_program_and_a_corpus_and_nothing_else_is_there() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz_folder().join("corpus")), targets);
    let programs: BTreeSet<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&fuzz_folder().join("targets")), programs);
    for target in &targets {
        assert!(corpus(target).len() >= 3, "{target} has hardly a corpus");
    }
}

#[test]
fn every_committed_input_passes() {
    for (target, _) in TARGETS {
        for (path, data) in corpus(target) {
            assert!(
                catch_unwind(|| run(target, &data)).is_ok(),
                "{} shows a fault in `{target}`",
                path.display()
            );
        }
    }
}

/// A session of an earlier version would end at its first message, and test nothing after it.
#[test]
fn the_sessions_of_the_tunnel_are_of_its_present_version() {
    let first_message = |target: &str, start: usize| {
        let data = fs::read(fuzz_folder().join("corpus").join(target).join("session")).unwrap();
        let (length, message) = data[start..].split_first_chunk().unwrap();
        Bytes::copy_from_slice(&message[..usize::from(u16::from_be_bytes(*length))])
    };
    let mut client = Client::new(ClientConfig::default(), Instant::ZERO);
    let message = first_message("tunnel_client", 0);
    client.handle_message(Instant::ZERO, message).unwrap();
    assert!(matches!(client.poll_event(), Some(Event::Welcome(_))));

    let mut server = Server::new(ServerConfig::default(), Instant::ZERO);
    let message = first_message("tunnel_server", 1);
    server.handle_message(Instant::ZERO, message).unwrap();
    let greeted = server.poll_event();
    assert!(
        matches!(greeted, Some(ServerEvent::Hello { .. })),
        "{greeted:?}"
    );
}

#[test]
fn inputs_made_of_the_committed_ones_pass() {
    for (target, _) in TARGETS {
        for (path, data) in corpus(target)
            .into_iter()
            .filter(|(_, data)| data.len() <= 64 * 1024)
        {
            for seed in 0..MUTANTS {
                let mutant = mutated(&data, &mut ChaCha8Rng::seed_from_u64(seed.into()));
                let passed = catch_unwind(|| run(target, &mutant)).is_ok();
                assert!(
                    passed,
                    "a mutant of {} (seed {seed}) shows a fault in `{target}`: {}",
                    path.display(),
                    mutant.escape_ascii()
                );
            }
        }
    }
}

/// A copy with a few bytes changed, a range duplicated or removed, or the end truncated.
fn mutated(data: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut out = data.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let (a, b) = (
            rng.random_range(0..=out.len()),
            rng.random_range(0..=out.len()),
        );
        let stretch = a.min(b)..a.max(b).min(a.min(b) + 32);
        match rng.random_range(0..5) {
            0 => out.truncate(a),
            1 => drop(out.drain(stretch)),
            2 => {
                let copy = out[stretch.clone()].to_vec();
                out.splice(stretch.start..stretch.start, copy);
            }
            _ => out
                .iter_mut()
                .skip(a)
                .take(1)
                .for_each(|byte| *byte = rng.random()),
        }
    }
    out
}
