//! The definition of an option of the bridge. Each is declared once, with [`options!`]: its key,
//! type, default and description. The TOML key, the flag, `--help`, `--print-config` and the
//! reference in `bridge/OPTIONS.md` follow from that.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use aqueduct_core::connection::Encryption;

/// How an option is given as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Without a value; it is off by default.
    Switch,
    /// With one value.
    Single,
    /// With one value each time, and several times.
    List,
}

/// One option of the settings `S`.
#[derive(Debug)]
pub struct Declared<S> {
    /// The key in the TOML file, and the flag without its dashes.
    pub key: String,
    /// The form of the value, for help texts; empty for switches.
    pub value_name: &'static str,
    /// Another name of the flag.
    pub alias: Option<&'static str>,
    /// The description: meaning, unit and consequence, one entry per line.
    pub docs: Vec<&'static str>,
    /// How it is given as a flag.
    pub kind: OptionKind,
    /// Takes over a value from the command line: replaces what is set, or appends to a list.
    pub set: fn(&mut S, &OsStr) -> Result<(), String>,
    /// The value as TOML; `None` if it is not set.
    pub show: fn(&S) -> Option<String>,
}

impl<S> Declared<S> {
    /// The description in one paragraph, without Markdown.
    #[must_use]
    pub fn description(&self) -> String {
        self.paragraph().replace('`', "")
    }

    pub(crate) fn paragraph(&self) -> String {
        let lines = self.docs.iter().map(|line| line.trim());
        lines.collect::<Vec<_>>().join(" ")
    }
}

/// A value with a TOML and a command-line form.
pub(crate) trait Scalar: Sized {
    /// Reads an argument. The error says what is wrong and what to write instead.
    fn parse(text: &OsStr) -> Result<Self, String>;

    fn to_toml(&self) -> String;
}

/// The type of an option.
pub(crate) trait OptionValue {
    const KIND: OptionKind;

    /// See [`Declared::set`].
    fn set(&mut self, text: &OsStr) -> Result<(), String>;

    /// See [`Declared::show`].
    fn show(&self) -> Option<String>;
}

impl OptionValue for bool {
    const KIND: OptionKind = OptionKind::Switch;

    fn set(&mut self, _: &OsStr) -> Result<(), String> {
        *self = true;
        Ok(())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl<T: Scalar> OptionValue for T {
    const KIND: OptionKind = OptionKind::Single;

    fn set(&mut self, text: &OsStr) -> Result<(), String> {
        *self = T::parse(text)?;
        Ok(())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_toml())
    }
}

impl<T: Scalar> OptionValue for Option<T> {
    const KIND: OptionKind = OptionKind::Single;

    fn set(&mut self, text: &OsStr) -> Result<(), String> {
        *self = Some(T::parse(text)?);
        Ok(())
    }

    fn show(&self) -> Option<String> {
        self.as_ref().map(T::to_toml)
    }
}

impl<T: Scalar> OptionValue for Vec<T> {
    const KIND: OptionKind = OptionKind::List;

    fn set(&mut self, text: &OsStr) -> Result<(), String> {
        self.push(T::parse(text)?);
        Ok(())
    }

    fn show(&self) -> Option<String> {
        let items: Vec<String> = self.iter().map(T::to_toml).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

/// Reads an argument with the type's own parser.
pub(crate) fn parse_text<T: std::str::FromStr<Err: ToString>>(text: &OsStr) -> Result<T, String> {
    let text = text.to_str().ok_or("it is not valid UTF-8")?;
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// A TOML string.
pub(crate) fn quote(value: impl ToString) -> String {
    toml::Value::String(value.to_string()).to_string()
}

/// Implements [`Scalar`] for types that are strings in TOML.
macro_rules! text_options {
    ($($type:ty),+) => {
        $(impl $crate::option::Scalar for $type {
            fn parse(text: &std::ffi::OsStr) -> Result<Self, String> {
                $crate::option::parse_text(text)
            }

            fn to_toml(&self) -> String {
                $crate::option::quote(self)
            }
        })+
    };
}

/// Implements [`Scalar`] for types that are numbers in TOML.
macro_rules! number_options {
    ($($type:ty),+) => {
        $(impl $crate::option::Scalar for $type {
            fn parse(text: &std::ffi::OsStr) -> Result<Self, String> {
                $crate::option::parse_text(text)
            }

            fn to_toml(&self) -> String {
                self.to_string()
            }
        })+
    };
}

text_options!(String, Encryption);
number_options!(u16, u32, u64, usize);

/// An address and a port. What the bridge listens on and asks is not looked up.
impl Scalar for SocketAddr {
    fn parse(text: &OsStr) -> Result<Self, String> {
        parse_text(text).map_err(|_: String| {
            "write an address, not a name, and a port, like 127.0.0.1:8080 or [::1]:8080".to_owned()
        })
    }

    fn to_toml(&self) -> String {
        quote(self)
    }
}

impl Scalar for IpAddr {
    fn parse(text: &OsStr) -> Result<Self, String> {
        parse_text(text).map_err(|_: String| {
            "write an address without a port, like 192.0.2.1 or 2001:db8::1".to_owned()
        })
    }

    fn to_toml(&self) -> String {
        quote(self)
    }
}

/// The system's own spelling, which need not be UTF-8.
impl Scalar for PathBuf {
    fn parse(text: &OsStr) -> Result<Self, String> {
        Ok(Self::from(text))
    }

    fn to_toml(&self) -> String {
        quote(self.display())
    }
}

/// Declares a struct of options: `description, key(VALUE NAME, alias): type = default;`. Plain
/// fields follow after `..`.
macro_rules! options {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+
            $field:ident $(($value:literal $(, $alias:literal)?))?: $type:ty = $default:expr;)+
        }
        $(.. $(#[doc = $rest_doc:literal])+ $rest:ident: $rest_type:ty;)?
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
            $($(#[doc = $rest_doc])+ pub $rest: $rest_type,)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ $($rest: <$rest_type>::default(),)? }
            }
        }

        impl $name {
            /// Every option, in the order of the reference.
            #[must_use]
            pub fn options() -> Vec<$crate::option::Declared<Self>> {
                use $crate::option::OptionValue;
                vec![$($crate::option::Declared {
                    key: stringify!($field).replace('_', "-"),
                    value_name: concat!($($value)?),
                    alias: [$($(Some($alias),)?)? None][0],
                    docs: vec![$($doc),+],
                    kind: <$type as OptionValue>::KIND,
                    set: |settings, text| settings.$field.set(text),
                    show: |settings| settings.$field.show(),
                },)+]
            }
        }
    };
}

pub(crate) use {options, text_options};
