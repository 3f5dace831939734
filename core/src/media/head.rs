//! The status and the fields of an answer.

use std::ops::Range;

use super::MediaType;
use super::range::{Selected, select};

/// A response without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub fields: Vec<(&'static str, String)>,
    /// The bytes of the file that follow; empty if there is none.
    pub body: Range<u64>,
}

/// The content security policy of files that are played.
pub const POLICY: &str = "default-src 'none'; sandbox";
/// Sent with everything: a stored file can neither run scripts nor be taken for another type, and
/// the browser stores no second copy.
const ALWAYS: [(&str, &str); 4] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

impl Head {
    /// The answer to a request for a file that exists, with this `Range` field.
    #[must_use]
    pub fn new(media_type: &MediaType, size: u64, range: Option<&str>) -> Self {
        let (status, body, content_range) = match select(range, size) {
            Selected::Whole => (200, 0..size, None),
            Selected::Part(part) => {
                let field = format!("bytes {}-{}/{size}", part.start, part.end - 1);
                (206, part, Some(field))
            }
            Selected::Unsatisfiable => (416, 0..0, Some(format!("bytes */{size}"))),
        };
        let mut head = Self::without_body(status);
        head.fields.push(("accept-ranges", "bytes".to_owned()));
        head.fields
            .extend(content_range.map(|field| ("content-range", field)));
        if !body.is_empty() {
            head.fields.extend([
                ("content-type", media_type.to_string()),
                ("content-length", (body.end - body.start).to_string()),
            ]);
        }
        head.body = body;
        head
    }

    /// An answer that has only a status.
    #[must_use]
    pub fn without_body(status: u16) -> Self {
        let fields = ALWAYS.map(|(name, value)| (name, value.to_owned()));
        Self {
            status,
            fields: fields.into(),
            body: 0..0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Head, MediaType};

    fn film(size: u64, range: Option<&str>) -> Head {
        Head::new(&MediaType::parse("video/mp4").unwrap(), size, range)
    }

    fn field<'a>(head: &'a Head, name: &str) -> Option<&'a str> {
        let found = head.fields.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| &value[..])
    }

    #[test]
    fn each_status_has_the_fields_that_players_rely_on() {
        let part = film(1000, Some("bytes=0-1"));
        assert_eq!((part.status, part.body.clone()), (206, 0..2));
        assert_eq!(field(&part, "content-range"), Some("bytes 0-1/1000"));
        assert_eq!(field(&part, "content-length"), Some("2"));
        assert_eq!(field(&part, "content-type"), Some("video/mp4"));

        let whole = film(1000, None);
        assert_eq!((whole.status, whole.body.clone()), (200, 0..1000));
        assert_eq!(field(&whole, "accept-ranges"), Some("bytes"));
        assert_eq!(field(&whole, "content-range"), None);

        let nothing = film(1000, Some("bytes=1000-"));
        assert_eq!((nothing.status, nothing.body.clone()), (416, 0..0));
        assert_eq!(field(&nothing, "content-range"), Some("bytes */1000"));
        assert_eq!(field(&nothing, "content-type"), None);
    }

    #[test]
    fn no_answer_can_run_as_a_document() {
        for head in [film(9, None), Head::without_body(404)] {
            let policy = field(&head, "content-security-policy").unwrap();
            assert!(policy.contains("sandbox"));
            assert_eq!(field(&head, "x-content-type-options"), Some("nosniff"));
        }
    }
}
