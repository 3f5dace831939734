//! Links to this page that carry a torrent.

/// What such a link has between the page's address and the magnet link.
const MARK: char = '#';
const MAGNET: &str = "magnet:";

/// A link that opens `page` with this magnet link filled in.
#[must_use]
pub fn to_share(page: &str, magnet: &str) -> String {
    format!("{page}{MARK}{magnet}")
}

/// The magnet link in what somebody pasted, which may be a link to share; other text as it is.
#[must_use]
pub fn magnet_in(text: &str) -> &str {
    let text = text.trim();
    let after = text.split_once(MARK).map(|(_, after)| after);
    after.filter(|after| after.starts_with(MAGNET)).unwrap_or(text)
}

/// The magnet link that the page's address carries, given what stands behind the address's mark.
#[must_use]
pub fn magnet_of_hash(hash: &str) -> Option<&str> {
    hash.strip_prefix(MARK).filter(|text| text.starts_with(MAGNET))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_link_can_be_opened_or_pasted_and_means_the_same() {
        let link = to_share("https://bridge.example/", "magnet:?xt=urn:btih:00&dn=a#b");
        assert_eq!(magnet_in(&format!(" {link}\n")), "magnet:?xt=urn:btih:00&dn=a#b");
        assert_eq!(magnet_of_hash("#magnet:?xt=urn:btih:00"), Some("magnet:?xt=urn:btih:00"));
    }

    #[test]
    fn what_carries_no_magnet_link_is_left_as_it_is() {
        for text in ["", "00ff", "magnet:?xt=urn:btih:00#x", "https://bridge.example/#top"] {
            assert_eq!(magnet_in(text), text);
        }
        assert_eq!((magnet_of_hash(""), magnet_of_hash("#top")), (None, None));
    }
}
