//! The command line: a flag for each option of the configuration, and a few others.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use aqueduct_bridge::{Config, Declared, OptionKind};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// The parsed command line.
pub(crate) struct Flags(ArgMatches);

impl Flags {
    /// Parses the command line. Exits if it is invalid or asks for help.
    pub(crate) fn parse() -> Self {
        Self(command().get_matches())
    }

    pub(crate) fn print_config(&self) -> bool {
        self.0.get_flag("print-config")
    }

    /// The defaults, overridden by the file, then by the command line.
    pub(crate) fn configure(&self) -> Result<Config> {
        let file = self.0.get_one::<PathBuf>("config");
        let mut config = match file {
            Some(file) => Config::read(file)?,
            None => Config::default(),
        };
        for option in Config::options() {
            for value in self.values_of(&option) {
                // The parser has accepted the value already.
                (option.set)(&mut config, &value).map_err(anyhow::Error::msg)?;
            }
        }
        config.check()?;
        Ok(config)
    }

    fn values_of(&self, option: &Declared<Config>) -> Vec<OsString> {
        if option.kind == OptionKind::Switch {
            let is_set = self.0.get_flag(&option.key);
            return is_set.then(OsString::new).into_iter().collect();
        }
        let values = self.0.get_many::<OsString>(&option.key);
        values.into_iter().flatten().cloned().collect()
    }
}

fn command() -> Command {
    let command = Command::new("aqueduct-bridge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Joins BitTorrent swarms on behalf of browser tabs, and serves them the page")
        .after_help(
            "Every flag is a key of the configuration file, which has a [limits] table besides; --print-config shows all of it.",
        );
    let command = Config::options()
        .into_iter()
        .map(arg)
        .fold(command, Command::arg);
    command
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("A TOML file with these flags as keys, and a [limits] table"),
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                .action(ArgAction::SetTrue)
                .help("Print every setting with its comment and value, and stop"),
        )
}

/// The flag of an option.
fn arg(option: Declared<Config>) -> Arg {
    let default = match (option.kind, (option.show)(&Config::default())) {
        (OptionKind::Single, Some(value)) => format!(" [default: {}]", value.trim_matches('"')),
        _ => String::new(),
    };
    let help = format!("{}{default}", option.description());
    // Flag names must live until the program exits.
    let key: &'static str = option.key.leak();
    let arg = Arg::new(key).long(key).help(help);
    let arg = option.alias.map_or(arg.clone(), |alias| arg.alias(alias));
    let set = option.set;
    let parser = OsStringValueParser::new().try_map(move |value| {
        let checked = set(&mut Config::default(), &value);
        checked.map(|()| value)
    });
    match option.kind {
        OptionKind::Switch => arg.action(ArgAction::SetTrue),
        OptionKind::Single => arg.value_name(option.value_name).value_parser(parser),
        OptionKind::List => arg
            .value_name(option.value_name)
            .value_parser(parser)
            .action(ArgAction::Append),
    }
}
