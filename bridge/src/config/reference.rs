//! The options as text: a commented configuration file, and the reference for operators.

use std::fmt::Write;

use crate::config::settings::Config;
use crate::limits::Limits;
use crate::option::{Declared, OptionKind};

impl Config {
    /// The whole configuration as a TOML file with comments.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = String::from(
            "# Every setting of aqueduct-bridge. What is commented out is not set.\n\n",
        );
        print_options(&mut out, &Self::options(), self);
        out.push_str("[limits]\n");
        print_options(&mut out, &Limits::options(), &self.limits);
        out
    }

    /// The reference of all options in Markdown: `bridge/OPTIONS.md`.
    #[must_use]
    pub fn reference() -> String {
        let mut out = String::from(
            "# Options of aqueduct-bridge\n\n\
             Made from the declarations in `bridge/src/config` and `bridge/src/limits`; a test compares them.\n\n\
             Each option is a flag and a key of the TOML file that `--config` names: `--listen 127.0.0.1:80` or\n\
             `listen = \"127.0.0.1:80\"`. Lists are flags that may be given several times. `--print-config` prints\n\
             such a file with the values in force.\n\n\
             | option | default | meaning |\n|---|---|---|\n",
        );
        list_options(&mut out, &Self::options(), &Self::default());
        out.push_str(
            "\n## Limits\n\nKeys of the file's `[limits]` table; they are not flags.\n\n\
             | key | default | meaning |\n|---|---|---|\n",
        );
        list_options(&mut out, &Limits::options(), &Limits::default());
        out
    }
}

fn print_options<S>(out: &mut String, options: &[Declared<S>], settings: &S) {
    for option in options {
        for line in &option.docs {
            let _ = writeln!(out, "#{}", line.replace('`', ""));
        }
        let key = &option.key;
        let _ = match (option.show)(settings) {
            Some(value) => writeln!(out, "{key} = {value}\n"),
            None => writeln!(out, "# {key} =\n"),
        };
    }
}

fn list_options<S>(out: &mut String, options: &[Declared<S>], defaults: &S) {
    for option in options {
        let default = match (option.kind, (option.show)(defaults)) {
            (OptionKind::Single, Some(value)) => format!("`{}`", value.replace('"', "")),
            (OptionKind::Switch, _) => "off".to_owned(),
            (OptionKind::Single, None) | (OptionKind::List, _) => "none".to_owned(),
        };
        let (key, meaning) = (&option.key, option.paragraph());
        let _ = writeln!(out, "| `{key}` | {default} | {meaning} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let config = Config {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            origin: vec!["https://a.example".to_owned()],
            dht_bootstrap: vec!["[::1]:6881".parse().unwrap()],
            name_server: vec!["[::1]:53".parse().unwrap()],
            token_file: Some("a\u{301}\u{7f} \"quoted\" \\".into()),
            ..Config::default()
        };
        let read: Config = toml::from_str(&config.print()).unwrap();
        assert_eq!(read, config);
    }

    /// `UPDATE_EXPECT=1` rewrites the file.
    #[test]
    fn the_reference_for_operators_names_exactly_the_options_there_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/OPTIONS.md");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(path, Config::reference()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == Config::reference(),
            "{path} is out of date; run `UPDATE_EXPECT=1 cargo test -p aqueduct-bridge reference`"
        );
    }
}
