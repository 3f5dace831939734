//! The text that the user has submitted last.

/// A text, and those of its links that were not added yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Submitted {
    pub(super) text: String,
    pub(super) links: Vec<String>,
}

impl Submitted {
    /// Removes a link that was added. Returns the text before and without that link; `None` if the
    /// link is not one of them.
    pub(super) fn accept(&mut self, link: &str) -> Option<(String, String)> {
        let at = self.links.iter().position(|other| other == link)?;
        self.links.remove(at);
        let rest = self.links.join(" ");
        Some((std::mem::replace(&mut self.text, rest.clone()), rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_was_added_leaves_the_text_and_the_others_stay() {
        let links = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut submitted = Submitted {
            text: "a, b c".to_owned(),
            links,
        };
        assert_eq!(
            submitted.accept("b"),
            Some(("a, b c".to_owned(), "a c".to_owned()))
        );
        assert_eq!(submitted.accept("x"), None);
        assert_eq!(
            submitted.accept("a"),
            Some(("a c".to_owned(), "c".to_owned()))
        );
    }
}
