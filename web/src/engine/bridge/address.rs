//! The address of the bridge.

use std::fmt;

use aqueduct_core::net::is_loopback;

use crate::texts::bridge as texts;

/// The address of a bridge: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BridgeAddress {
    secure: bool,
    /// Host, and port if it is not the scheme's default.
    authority: String,
}

/// A text is not the address of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidAddress(String);

impl fmt::Display for InvalidAddress {
    /// A sentence for the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&texts::bad_address(format_args!("{:?}", self.0)))
    }
}

impl BridgeAddress {
    /// Parses `http://HOST[:PORT]` or `https://HOST[:PORT]`, with or without a slash at the end.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(invalid)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(invalid()),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let is_authority =
            |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']');
        if authority.is_empty() || !authority.chars().all(is_authority) {
            return Err(invalid());
        }
        Ok(Self {
            secure,
            authority: authority.to_owned(),
        })
    }

    /// The URL of the WebSocket.
    pub(crate) fn session(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}/v1/session", self.authority)
    }

    /// The URL of the bridge's own tracker.
    pub(crate) fn tracker(&self) -> String {
        format!("{}/announce", self.origin())
    }

    /// Whether it is a loopback address, so that the bridge runs on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.authority)
    }

    /// The bridge's origin.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::BridgeAddress;

    #[test]
    fn the_address_leads_to_the_session_and_to_the_tracker() {
        let urls = |text| {
            let address = BridgeAddress::parse(text).unwrap();
            (address.session(), address.tracker())
        };
        assert_eq!(
            urls("https://bridge.example"),
            (
                "wss://bridge.example/v1/session".to_owned(),
                "https://bridge.example/announce".to_owned()
            )
        );
        assert_eq!(
            urls("http://[::1]:8080/").0,
            "ws://[::1]:8080/v1/session".to_owned()
        );
    }

    #[test]
    fn what_is_no_address_of_a_bridge_is_refused() {
        for text in [
            "",
            "bridge.example",
            "ftp://bridge.example",
            "https://",
            "https://user@bridge.example",
            "https://bridge.example/path",
            "https://bridge.example?x",
            "https://bridge example",
        ] {
            let error = BridgeAddress::parse(text).unwrap_err().to_string();
            assert!(error.contains("https://HOST"), "{error}");
        }
    }
}
