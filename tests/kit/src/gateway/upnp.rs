//! UPnP's Internet Gateway Device: the search, the description, and the calls of a service.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;

use super::{Event, Pinholes, Shared, TICK, Transport, Upnp, firewall};

const SERVICE: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";
const PREFERRED: &str = "urn:schemas-upnp-org:service:WANIPConnection:2";

pub(super) fn answer_search(
    shared: &Shared,
    socket: &UdpSocket,
    from: SocketAddr,
    question: &[u8],
) {
    let behaviour = shared.behaviour();
    let location = match behaviour.upnp {
        Upnp::Silent if behaviour.pinholes == Pinholes::Absent => return,
        Upnp::Location(location) => location,
        _ => format!("http://{}/description.xml", shared.http),
    };
    let question = String::from_utf8_lossy(question);
    let target = question.lines().find_map(|line| line.strip_prefix("ST: "));
    let target = target.unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {target}\r\nEXT:\r\nSERVER: kit UPnP/1.1\r\nLOCATION: {location}\r\nUSN: uuid:1::{target}\r\n\r\n"
    );
    let _ = socket.send_to(answer.as_bytes(), from);
}

/// Serves the description and the calls until the gateway is dropped.
pub(super) fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    listener.set_nonblocking(true).unwrap();
    while !shared.is_stopped() {
        match listener.accept() {
            Ok((stream, _)) => {
                let shared = Arc::clone(shared);
                stream.set_nonblocking(false).unwrap();
                thread::spawn(move || handle(&shared, stream));
            }
            Err(_) => thread::sleep(TICK / 5),
        }
    }
}

/// One request per connection. A client may be gone at any time.
fn handle(shared: &Shared, mut stream: TcpStream) -> Option<()> {
    let (head, body) = read(&stream)?;
    let from = stream.peer_addr().ok()?.ip();
    let reply = match shared.behaviour().upnp {
        Upnp::Http(bytes) => bytes,
        Upnp::Trickle => {
            while !shared.is_stopped() {
                stream.write_all(b"H").ok()?;
                thread::sleep(TICK);
            }
            return None;
        }
        upnp if head.starts_with("GET /description.xml ") => {
            let (control, more) = match upnp {
                Upnp::Control(url) => (url, String::new()),
                Upnp::Preferred(url) => ("/control".to_owned(), service(PREFERRED, &url)),
                _ => ("/control".to_owned(), String::new()),
            };
            let firewall = match shared.behaviour().pinholes {
                Pinholes::Absent => String::new(),
                _ => service(firewall::SERVICE, &control),
            };
            let services = [more, service(SERVICE, &control), firewall].concat();
            response("200 OK", &description(&services))
        }
        _ => firewall::call(shared, from, &body).unwrap_or_else(|| call(shared, &body)),
    };
    stream.write_all(&reply).ok()
}

fn read(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).ok()?))
}

fn response(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn description(services: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><specVersion><major>1</major><minor>0</minor></specVersion><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList>{services}</serviceList></device></deviceList></device></deviceList></device></root>"
    )
}

/// A service in the description.
fn service(name: &str, control: &str) -> String {
    format!(
        "<service><serviceType>{name}</serviceType><serviceId>urn:upnp-org:serviceId:Service1</serviceId><SCPDURL>/scpd.xml</SCPDURL><controlURL>{control}</controlURL><eventSubURL>/event</eventSubURL></service>"
    )
}

/// The value of an argument of a call.
pub(super) fn argument<'a>(body: &'a str, name: &str) -> &'a str {
    let (_, rest) = body
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("{name} is missing in {body}"));
    rest.split('<').next().unwrap_or_default()
}

fn envelope(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>{inside}</s:Body></s:Envelope>"
    )
}

pub(super) fn done(action: &str, service: &str, fields: &str) -> Vec<u8> {
    let inside = format!("<u:{action}Response xmlns:u=\"{service}\">{fields}</u:{action}Response>");
    response("200 OK", &envelope(&inside))
}

pub(super) fn fault(shared: &Shared, code: u16, words: &str) -> Vec<u8> {
    shared.events.push(Event::Refused);
    let inside = format!(
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>{code}</errorCode><errorDescription>{words}</errorDescription></UPnPError></detail></s:Fault>"
    );
    response("500 Internal Server Error", &envelope(&inside))
}

fn call(shared: &Shared, body: &str) -> Vec<u8> {
    let behaviour = shared.behaviour();
    if body.contains("<u:GetExternalIPAddress ") {
        shared.events.push(Event::Asked);
        let address = behaviour.address;
        let field = format!("<NewExternalIPAddress>{address}</NewExternalIPAddress>");
        return done("GetExternalIPAddress", SERVICE, &field);
    }
    let transport = match argument(body, "NewProtocol") {
        "TCP" => Transport::Tcp,
        "UDP" => Transport::Udp,
        other => panic!("protocol {other}"),
    };
    let external = argument(body, "NewExternalPort").parse().unwrap();
    if body.contains("<u:DeletePortMapping ") {
        // The table is by the client's port, which a removal does not name.
        let internal = super::lock(&shared.table).iter().find_map(|(key, entry)| {
            (key.0 == transport && entry.external == external).then_some(key.1)
        });
        return match internal.filter(|internal| shared.unmap(transport, *internal)) {
            Some(_) => done("DeletePortMapping", SERVICE, ""),
            None => fault(shared, 714, "NoSuchEntryInArray"),
        };
    }
    let lifetime: u32 = argument(body, "NewLeaseDuration").parse().unwrap();
    match behaviour.upnp {
        Upnp::Refuses(code, words) => return fault(shared, code, words),
        Upnp::Permanent if lifetime != 0 => {
            return fault(shared, 725, "OnlyPermanentLeasesSupported");
        }
        _ if shared.is_taken(transport, external) => {
            return fault(shared, 718, "ConflictInMappingEntry");
        }
        _ => {}
    }
    let internal = argument(body, "NewInternalPort").parse().unwrap();
    let lifetime = Some(lifetime).filter(|seconds| *seconds != 0);
    shared.map(transport, internal, external, lifetime);
    done("AddPortMapping", SERVICE, "")
}
