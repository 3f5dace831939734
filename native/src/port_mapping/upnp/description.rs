//! The gateway's description of itself (UPnP Device Architecture 1.1, chapter 2).

use std::net::IpAddr;

use aqueduct_core::discovery::url::{Url, UrlError};
use roxmltree::{Document, Node, ParsingOptions};

use super::Place;
use crate::port_mapping::failure::Failure;

/// The maximum number of elements and texts in a document.
const MAX_NODES: u32 = 8192;

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// It maps ports of IPv4.
    Connection,
    /// It opens pinholes in the firewall for IPv6.
    Firewall,
}

impl ServiceKind {
    /// The types of its services, the preferred ones first.
    const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Connection => &[
                "urn:schemas-upnp-org:service:WANIPConnection:2",
                "urn:schemas-upnp-org:service:WANIPConnection:1",
                "urn:schemas-upnp-org:service:WANPPPConnection:1",
            ],
            Self::Firewall => &["urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"],
        }
    }
}

/// A service of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its type, as calls name it.
    pub name: &'static str,
    /// Its control URL, which may be relative.
    pub control: String,
}

/// A description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    base: Option<String>,
    /// The known ones.
    services: Vec<Service>,
}

/// Parses XML without document type: entities cannot be defined.
///
/// # Errors
/// It is not well-formed, or has more than [`MAX_NODES`] nodes.
pub(super) fn parse_xml(text: &str) -> Result<Document<'_>, Failure> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    // Some gateways end their documents with zero bytes.
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}');
    Document::parse_with_options(text, options)
        .map_err(|error| Failure::invalid(&format!("XML: {error}")))
}

/// The text of the first child with this name, whatever its namespace.
pub(super) fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let mut children = node.children();
    let child = children.find(|child| child.tag_name().name() == name)?;
    child.text().map(str::trim)
}

impl Description {
    /// Reads a document, of which each service has a type and a control URL.
    ///
    /// # Errors
    /// It is not well-formed XML, defines a document type, or has more than 8,192 nodes.
    pub fn parse(body: &[u8]) -> Result<Self, Failure> {
        let text = String::from_utf8_lossy(body);
        let document = parse_xml(&text)?;
        let root = document.root_element();
        let services = root
            .descendants()
            .filter(|node| node.tag_name().name() == "service")
            .filter_map(service);
        let base = text_of(root, "URLBase").filter(|base| !base.is_empty());
        Ok(Self {
            base: base.map(str::to_owned),
            services: services.collect(),
        })
    }

    /// The services of a kind, the preferred ones first.
    pub fn services(&self, kind: ServiceKind) -> impl Iterator<Item = &Service> {
        let of_type = |name: &'static str| {
            let services = self.services.iter();
            services.filter(move |service| service.name == name)
        };
        kind.types().iter().copied().flat_map(of_type)
    }

    /// The place of a service's control URL. `own` is the description's URL.
    ///
    /// # Errors
    /// The URL is invalid, or does not lead to `gateway` over http. With IPv6, any literal address
    /// of that family counts as the gateway's, which alone is contacted.
    pub fn place(&self, gateway: IpAddr, own: &Url, service: &Service) -> Result<Place, Failure> {
        let url = self
            .resolve(own, &service.control)
            .map_err(|error| Failure::Invalid(format!("control URL: {error}")))?;
        Place::at(gateway, &url)
    }

    /// An absolute URL: references are relative to `URLBase`, or without one to the description's
    /// own address.
    fn resolve(&self, own: &Url, reference: &str) -> Result<Url, UrlError> {
        match &self.base {
            Some(base) => Url::parse(base)?.join(reference),
            None => own.join(reference),
        }
    }
}

fn service(node: Node<'_, '_>) -> Option<Service> {
    let service_type = text_of(node, "serviceType")?;
    let kinds = [ServiceKind::Connection, ServiceKind::Firewall];
    let mut types = kinds.into_iter().flat_map(|kind| kind.types());
    let name = types.find(|name| **name == service_type)?;
    let control = text_of(node, "controlURL").filter(|url| !url.is_empty())?;
    let control = control.to_owned();
    Some(Service { name, control })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::time::Instant;

    use proptest::prelude::{any, proptest};

    use super::super::http::MAX_BODY;
    use super::*;

    fn description(services: &[(&str, &str)], base: &str) -> String {
        let mut all = String::new();
        for (name, control) in services {
            write!(all, "<service><serviceType>urn:schemas-upnp-org:service:{name}</serviceType><controlURL>{control}</controlURL></service>").unwrap();
        }
        format!(
            "<?xml version=\"1.0\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\">{base}<device><deviceList><device><serviceList>{all}</serviceList></device></deviceList></device></root>\0"
        )
    }

    #[test]
    fn services_are_found_at_any_depth_and_addresses_that_need_no_dialling_in_come_first() {
        let text = description(
            &[
                ("Layer3Forwarding:1", "/l3f"),
                ("WANPPPConnection:1", "/ppp"),
                ("WANIPv6FirewallControl:1", "/pinholes"),
                ("WANIPConnection:1", " /ip?a=1&amp;b=2 "),
            ],
            "",
        );
        let parsed = Description::parse(text.as_bytes()).unwrap();
        let controls = |kind| -> Vec<&str> {
            let services = parsed.services(kind);
            services.map(|service| service.control.as_str()).collect()
        };
        assert_eq!(controls(ServiceKind::Connection), ["/ip?a=1&b=2", "/ppp"]);
        assert_eq!(controls(ServiceKind::Firewall), ["/pinholes"]);
    }

    #[test]
    fn control_urls_are_relative_to_the_base_or_to_the_description() {
        let own = Url::parse("http://192.168.1.1:5000/a/desc.xml").unwrap();
        let with = |base: &str| Description::parse(description(&[], base).as_bytes()).unwrap();
        let of =
            |base: &str, reference: &str| with(base).resolve(&own, reference).unwrap().to_string();
        assert_eq!(of("", "ctl"), "http://192.168.1.1:5000/a/ctl");
        assert_eq!(of("", "/ctl"), "http://192.168.1.1:5000/ctl");
        let base = "<URLBase>http://192.168.1.1:80/</URLBase>";
        assert_eq!(of(base, "ctl"), "http://192.168.1.1/ctl");
    }

    #[test]
    fn documents_that_are_not_one_or_define_entities_are_refused() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><root>&b;</root>";
        for wrong in ["", "<root>", "{}", "<html><br></html>", bomb] {
            let parsed = Description::parse(wrong.as_bytes());
            assert!(matches!(parsed, Err(Failure::Invalid(_))), "{wrong}");
        }
    }

    #[test]
    fn the_worst_document_within_the_bound_is_read_or_refused_at_once() {
        let deep = "<a>".repeat(MAX_BODY / 3);
        let wide = format!("<root>{}</root>", "<a/>".repeat(MAX_BODY / 4 - 4));
        let mut attributes = String::from("<root ");
        let mut namespaces = String::from("<root ");
        for n in 0..6000 {
            write!(attributes, "a{n:x}=\"\" ").unwrap();
            write!(namespaces, "xmlns:a{n:x}=\"\" ").unwrap();
        }
        for document in [deep, wide, attributes + "/>", namespaces + "/>"] {
            let began = Instant::now();
            let _ = Description::parse(document.as_bytes());
            let took = began.elapsed();
            assert!(took.as_secs() < 2, "{took:?} for {:.20}", document);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = Description::parse(&bytes);
        }
    }
}
