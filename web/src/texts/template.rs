//! Texts with placeholders.

use std::fmt::Display;

/// Replaces each `{name}` by the value of that name. Filling templates when they are used takes far
/// less space in the program than a formatting call for each text and language.
pub(super) fn fill(template: &str, values: &[(&str, &dyn Display)]) -> String {
    let mut text = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            text.push_str(&value.to_string());
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Fails to compile if a template has a placeholder without an argument, or lacks one.
#[expect(
    clippy::panic,
    reason = "evaluated by the compiler, where it is an error"
)]
pub(super) const fn check(templates: &[&str], arguments: &[&str]) {
    check_placeholders(templates, arguments);
    let mut at = 0;
    while at < templates.len() {
        let mut argument = 0;
        while argument < arguments.len() {
            if !has(templates[at].as_bytes(), arguments[argument].as_bytes()) {
                panic!("a language does not use one of the arguments");
            }
            argument += 1;
        }
        at += 1;
    }
}

/// Fails to compile if a template has a placeholder without an argument.
#[expect(
    clippy::panic,
    reason = "evaluated by the compiler, where it is an error"
)]
pub(super) const fn check_placeholders(templates: &[&str], arguments: &[&str]) {
    let mut at = 0;
    while at < templates.len() {
        let template = templates[at].as_bytes();
        let mut byte = 0;
        while byte < template.len() {
            if template[byte] == b'{' && !is_one_of(template, byte, arguments) {
                panic!("a placeholder has no argument of that name");
            }
            byte += 1;
        }
        at += 1;
    }
}

const fn is_one_of(template: &[u8], at: usize, arguments: &[&str]) -> bool {
    let mut argument = 0;
    while argument < arguments.len() {
        if is_placeholder(template, at, arguments[argument].as_bytes()) {
            return true;
        }
        argument += 1;
    }
    false
}

const fn has(template: &[u8], argument: &[u8]) -> bool {
    let mut at = 0;
    while at < template.len() {
        if is_placeholder(template, at, argument) {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether `{argument}` stands at this place.
const fn is_placeholder(template: &[u8], at: usize, argument: &[u8]) -> bool {
    let end = at + argument.len() + 1;
    if end >= template.len() || template[at] != b'{' || template[end] != b'}' {
        return false;
    }
    let mut byte = 0;
    while byte < argument.len() {
        if template[at + 1 + byte] != argument[byte] {
            return false;
        }
        byte += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_placeholder_becomes_the_value_of_its_name() {
        let values: &[(&str, &dyn Display)] = &[("some", &3), ("all", &"{some}")];
        assert_eq!(fill("{some} of {all}.", values), "3 of {some}.");
        assert_eq!(fill("none", values), "none");
    }

    #[test]
    fn placeholders_and_arguments_are_compared() {
        check(&["{a} and {b}", "{b}{a}"], &["a", "b"]);
        for (templates, arguments) in [
            (&["{a}", "b"][..], &["a"][..]),
            (&["{c}"], &["a"]),
            (&["{a"], &["a"]),
        ] {
            let result = std::panic::catch_unwind(|| check(templates, arguments));
            assert!(result.is_err(), "{templates:?}");
        }
    }
}
