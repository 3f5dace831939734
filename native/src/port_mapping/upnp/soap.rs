//! Calls of a service (UPnP Device Architecture 1.1, chapter 3): a small part of SOAP.

use std::fmt::{Display, Write as _};

use super::description::{parse_xml, text_of};
use crate::port_mapping::failure::{Failure, shown};

/// The maximum number of fields of an answer; those of the calls that are made have one or two.
const MAX_FIELDS: usize = 16;

/// A call and its arguments.
#[derive(Debug)]
pub(super) struct Action {
    name: &'static str,
    /// Elements of XML.
    arguments: String,
}

/// An answer's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer(Vec<(String, String)>);

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The gateway refused it, with a code and its own words.
    Code(u16, String),
    /// There was no valid answer.
    Failure(Failure),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Failure(failure) => failure,
            Fault::Code(code, words) if words.is_empty() => {
                Self::refused(&format!("{} ({code})", meaning(code)))
            }
            Fault::Code(code, words) => Self::refused(&format!("{words} ({code})")),
        }
    }
}

/// What a code means, for gateways that give no words.
const fn meaning(code: u16) -> &'static str {
    match code {
        401 => "it does not know the request",
        402 | 600..=605 => "it does not accept the request's arguments",
        501 => "it could not do it",
        606 => "not authorized, port mapping may be switched off in its settings",
        714 => "there is no such mapping",
        715 | 716 | 726 | 727 => "it does not accept a mapping for all remote addresses",
        718 => "the port is in use by another device",
        724 => "it maps only equal ports",
        725 => "it makes only mappings that do not lapse",
        728 => "it has no free port",
        729 => "the port is in use by another mechanism",
        732 => "it does not accept the port",
        _ => "it gave no reason",
    }
}

impl Action {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            arguments: String::new(),
        }
    }

    /// Adds an argument, which must not need escaping: a number, an address, or a fixed text.
    pub(super) fn with(mut self, name: &str, value: impl Display) -> Self {
        let _ = write!(self.arguments, "<{name}>{value}</{name}>");
        self
    }

    /// The document to send to a service.
    pub(super) fn envelope(&self, service: &str) -> String {
        let Self { name, arguments } = self;
        format!(
            "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:{name} xmlns:u=\"{service}\">{arguments}</u:{name}></s:Body></s:Envelope>\r\n"
        )
    }

    /// The header that names the call.
    pub(super) fn header(&self, service: &str) -> String {
        format!("\"{service}#{}\"", self.name)
    }
}

impl Answer {
    /// The value of a field, without surrounding white space.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads an answer. `is_ok`: its HTTP status says that the call succeeded.
///
/// # Errors
/// It is a refusal, not well-formed XML, or neither a result nor a refusal.
pub fn read_answer(body: &[u8], is_ok: bool) -> Result<Answer, Fault> {
    let text = String::from_utf8_lossy(body);
    let document = parse_xml(&text)?;
    let mut nodes = document.root_element().descendants();
    let error = nodes.find(|node| node.tag_name().name() == "UPnPError");
    if let Some(error) = error {
        let code = text_of(error, "errorCode").and_then(|code| code.parse().ok());
        let code = code.ok_or_else(|| Failure::invalid("a refusal without a code"))?;
        let words = text_of(error, "errorDescription").unwrap_or_default();
        return Err(Fault::Code(code, shown(words)));
    }
    let mut nodes = document.root_element().descendants();
    let answer = nodes.find(|node| node.tag_name().name().ends_with("Response"));
    let answer = answer
        .filter(|_| is_ok)
        .ok_or_else(|| Failure::invalid("neither a result nor a refusal"))?;
    let fields = answer.children().filter(|node| node.is_element());
    let fields = fields.take(MAX_FIELDS).map(|node| {
        let value = node.text().unwrap_or_default();
        (node.tag_name().name().to_owned(), value.trim().to_owned())
    });
    Ok(Answer(fields.collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn envelope(inside: &str) -> Vec<u8> {
        format!("<?xml version=\"1.0\"?><SOAP-ENV:Envelope xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP-ENV:Body>{inside}</SOAP-ENV:Body></SOAP-ENV:Envelope>").into_bytes()
    }

    fn fault(inside: &str) -> Vec<u8> {
        envelope(&format!(
            "<SOAP-ENV:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\">{inside}</UPnPError></detail></SOAP-ENV:Fault>"
        ))
    }

    #[test]
    fn a_call_names_the_service_in_its_header_and_its_body() {
        let action = Action::new("DeletePortMapping").with("NewExternalPort", 6881);
        assert_eq!(action.header("urn:x:1"), "\"urn:x:1#DeletePortMapping\"");
        let body = action.envelope("urn:x:1");
        assert!(body.contains("<u:DeletePortMapping xmlns:u=\"urn:x:1\"><NewExternalPort>6881</NewExternalPort></u:DeletePortMapping>"));
    }

    #[test]
    fn the_fields_of_an_answer_are_read_by_name() {
        let body = envelope(
            "<u:GetExternalIPAddressResponse xmlns:u=\"urn:x\"><NewExternalIPAddress> 203.0.113.9</NewExternalIPAddress></u:GetExternalIPAddressResponse>",
        );
        let answer = read_answer(&body, true).unwrap();
        assert_eq!(answer.field("NewExternalIPAddress"), Some("203.0.113.9"));
        assert_eq!(answer.field("Other"), None);
        assert!(matches!(read_answer(&body, false), Err(Fault::Failure(_))));
    }

    #[test]
    fn a_refusal_keeps_its_code_with_and_without_words_and_whatever_the_status() {
        let told = fault(
            "<errorCode>718</errorCode><errorDescription>ConflictInMappingEntry</errorDescription>",
        );
        for is_ok in [true, false] {
            let expected = Fault::Code(718, "ConflictInMappingEntry".to_owned());
            assert_eq!(read_answer(&told, is_ok), Err(expected));
        }
        for without in [
            "<errorCode> 606 </errorCode>",
            "<errorCode>606</errorCode><errorDescription/>",
        ] {
            let refused = read_answer(&fault(without), false).unwrap_err();
            assert_eq!(refused, Fault::Code(606, String::new()));
            assert_eq!(
                Failure::from(refused).to_string(),
                "refused: not authorized, port mapping may be switched off in its settings (606)"
            );
        }
        let wrong = read_answer(&fault("<errorCode>seven</errorCode>"), false);
        assert!(matches!(wrong, Err(Fault::Failure(Failure::Invalid(_)))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), is_ok: bool) {
            let _ = read_answer(&bytes, is_ok);
        }
    }
}
