//! `aqueduct show`: what a torrent or magnet link contains.

use aqueduct_core::discovery::TrackerStatus;
use aqueduct_core::meta::{File, Info, Magnet, Metainfo};
use aqueduct_core::types::{InfoHash, visible};
use aqueduct_native::net::Outbound;
use serde_json::{Value, json};

use super::flags::ShowFlags;
use super::scrape;
use super::source::{self, Source};
use crate::ui::failure::Failure;
use crate::ui::{self, text};

pub(crate) async fn run(flags: ShowFlags) -> Result<(), Failure> {
    let source = source::load(&flags.source, &Outbound::default()).await?;
    let scraped = if flags.scrape {
        Some(ask(&source).await?)
    } else {
        None
    };
    if flags.json {
        let mut object = match &source {
            Source::Torrent(metainfo) => torrent_object(metainfo),
            Source::Magnet(magnet) => magnet_object(magnet),
        };
        scraped
            .iter()
            .for_each(|statuses| object["scrape"] = scrape::objects(statuses));
        ui::object(&object);
        return Ok(());
    }
    match &source {
        Source::Torrent(metainfo) => print_torrent(metainfo),
        Source::Magnet(magnet) => print_magnet(magnet),
    }
    scraped
        .iter()
        .flatten()
        .for_each(|status| row("scrape", &scrape::line(status)));
    Ok(())
}

async fn ask(source: &Source) -> Result<Vec<TrackerStatus>, Failure> {
    match source {
        Source::Torrent(metainfo) => {
            scrape::ask(&metainfo.info.info_hash, metainfo.trackers.clone()).await
        }
        Source::Magnet(magnet) => {
            scrape::ask(
                &magnet.info_hash,
                magnet
                    .trackers
                    .iter()
                    .map(|url| vec![url.clone()])
                    .collect(),
            )
            .await
        }
    }
}

fn torrent_object(metainfo: &Metainfo) -> Value {
    let info = &metainfo.info;
    json!({
        "name": info.name,
        "info_hash_v1": v1(&info.info_hash),
        "info_hash_v2": v2(&info.info_hash),
        "piece_length": info.lengths.piece_length(),
        "pieces": info.lengths.pieces(),
        "total_size": info.size(),
        "files": file_objects(info),
        "trackers": metainfo.trackers,
        "web_seeds": metainfo.web_seeds,
        "private": info.private,
        "source": info.source,
        "comment": metainfo.comment,
        "created_by": metainfo.created_by,
        "created": metainfo.created,
        "magnet": metainfo.magnet().to_string(),
    })
}

fn file_objects(info: &Info) -> Value {
    let object = |(index, file): (usize, &File)| json!({ "index": index, "path": file.path, "size": file.size, "pad": file.pad });
    info.files.iter().enumerate().map(object).collect()
}

/// Values that only the metadata contain are null.
fn magnet_object(magnet: &Magnet) -> Value {
    json!({
        "name": magnet.name,
        "info_hash_v1": v1(&magnet.info_hash),
        "info_hash_v2": v2(&magnet.info_hash),
        "piece_length": null,
        "pieces": null,
        "total_size": null,
        "files": null,
        "trackers": magnet.trackers.iter().map(|url| [url]).collect::<Vec<_>>(),
        "web_seeds": magnet.web_seeds,
        "private": null,
        "comment": null,
        "created_by": null,
        "created": null,
        "peers": magnet.peers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "select": magnet.select,
        "magnet": magnet.to_string(),
    })
}

fn v1(hash: &InfoHash) -> Option<String> {
    hash.v1().map(|hash| hash.to_string())
}

fn v2(hash: &InfoHash) -> Option<String> {
    hash.v2().map(|hash| hash.to_string())
}

fn print_torrent(metainfo: &Metainfo) {
    let info = &metainfo.info;
    row("name", &visible(&info.name));
    print_hashes(&info.info_hash);
    row(
        "size",
        &format!("{} ({} bytes)", text::bytes(info.size()), info.size()),
    );
    row(
        "pieces",
        &format!(
            "{} of {}",
            info.lengths.pieces(),
            text::bytes(info.lengths.piece_length().into())
        ),
    );
    row("private", if info.private { "yes" } else { "no" });
    optional("source", info.source.as_deref());
    optional("comment", metainfo.comment.as_deref());
    optional("created by", metainfo.created_by.as_deref());
    optional("created", metainfo.created.and_then(date).as_deref());
    for tier in &metainfo.trackers {
        row("trackers", &visible(&tier.join(" ")));
    }
    metainfo
        .web_seeds
        .iter()
        .for_each(|url| row("web seed", &visible(url)));
    row("magnet", &metainfo.magnet().to_string());
    print_files(&info.files);
}

fn print_magnet(magnet: &Magnet) {
    optional("name", magnet.name.as_deref());
    print_hashes(&magnet.info_hash);
    magnet
        .trackers
        .iter()
        .for_each(|url| row("tracker", &visible(url)));
    magnet
        .web_seeds
        .iter()
        .for_each(|url| row("web seed", &visible(url)));
    magnet
        .peers
        .iter()
        .for_each(|addr| row("peer", &addr.to_string()));
    row("magnet", &magnet.to_string());
    ui::line("its files are known once peers have sent the metadata: aqueduct get --list");
}

fn print_hashes(hash: &InfoHash) {
    optional("info-hash", v1(hash).as_deref());
    optional("info-hash v2", v2(hash).as_deref());
}

/// The output of `--list`.
pub(crate) fn list(info: &Info, json: bool) {
    if json {
        ui::object(
            &json!({ "event": "files", "info_hash": info.info_hash.to_string(), "name": info.name, "files": file_objects(info) }),
        );
    } else {
        print_files(&info.files);
    }
}

/// Every file with its number, which `--select` and `--exclude` take, and its size.
fn print_files(files: &[File]) {
    let shown = files.iter().enumerate().filter(|(_, file)| !file.pad);
    shown.for_each(|(index, file)| {
        ui::line(&format!(
            "{index:>6}  {:>12}  {}",
            text::bytes(file.size),
            text::path(file)
        ))
    });
}

fn optional(name: &str, value: Option<&str>) {
    if let Some(value) = value {
        row(name, &visible(value));
    }
}

fn row(name: &str, value: &str) {
    ui::line(&format!("{name:>12}  {value}"));
}

/// Seconds since 1970 as a date and time in UTC; `None` outside of the years 0 to 9999.
///
/// The civil calendar repeats every 400 years of 146,097 days; counting years from March puts the
/// leap day last.
fn date(seconds: i64) -> Option<String> {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days
        .checked_add(719_468)
        .filter(|days| (0..=3_652_059).contains(days))?;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let (day, month) = (
        day_of_year - (153 * month + 2) / 5 + 1,
        if month < 10 { month + 3 } else { month - 9 },
    );
    let year = era * 400 + year + i64::from(month <= 2);
    Some(format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        time / 3600,
        time / 60 % 60,
        time % 60
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0).unwrap(), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_827_696).unwrap(), "2000-02-29 12:34:56 UTC");
        assert_eq!(date(4_107_542_399).unwrap(), "2100-02-28 23:59:59 UTC");
        assert_eq!(date(-1).unwrap(), "1969-12-31 23:59:59 UTC");
        assert_eq!((date(i64::MAX), date(i64::MIN)), (None, None));
    }
}
