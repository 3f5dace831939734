//! Short names for what the page's program imports from its script.
//!
//! wasm-bindgen ends some hundred of these names with 16 digits of a digest, in both files, and
//! digests do not compress.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The first bytes of a program: a magic number and the version.
const HEADER: &[u8] = b"\0asm\x01\0\0\0";
const IMPORT_SECTION: u8 = 2;
const FUNCTION: u8 = 0;

/// Renames the imports in the program and the script of this folder.
pub(crate) fn shorten(folder: &Path) -> Result<()> {
    let (program, script) = (only(folder, "_bg.wasm")?, only(folder, ".js")?);
    let whole = fs::read(&program)?;
    let (renamed, names) = rename(&whole).context("reading the program's imports")?;
    fs::write(&script, replace(&fs::read_to_string(&script)?, &names)?)?;
    Ok(fs::write(&program, renamed)?)
}

/// The only file that trunk has named after the program and that ends like this.
fn only(folder: &Path, end: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("app-") && name.ends_with(end) {
            found.push(path);
        }
    }
    let number = found.len();
    ensure!(number == 1, "{number} files are named app-*{end}, not one");
    found.pop().context("there is no such file")
}

/// The program with short names, and the short name of each.
fn rename(program: &[u8]) -> Result<(Vec<u8>, HashMap<&str, String>)> {
    let mut reader = Reader(program);
    ensure!(reader.bytes(HEADER.len())? == HEADER, "it is no program");
    let (mut renamed, mut names) = (HEADER.to_vec(), HashMap::new());
    while !reader.0.is_empty() {
        let id = reader.byte()?;
        let length = reader.number()?;
        let body = reader.bytes(length)?;
        renamed.push(id);
        if id == IMPORT_SECTION {
            put_bytes(&mut renamed, &rename_section(body, &mut names)?);
        } else {
            put_bytes(&mut renamed, body);
        }
    }
    Ok((renamed, names))
}

fn rename_section<'a>(body: &'a [u8], names: &mut HashMap<&'a str, String>) -> Result<Vec<u8>> {
    let mut reader = Reader(body);
    let mut renamed = Vec::new();
    let number = reader.number()?;
    put_number(&mut renamed, number);
    for index in 0..number {
        let (module, name) = (reader.string()?, reader.string()?);
        let name = std::str::from_utf8(name)?;
        ensure!(reader.byte()? == FUNCTION, "{name} is no function");
        let short = format!("i{index}");
        put_bytes(&mut renamed, module);
        put_bytes(&mut renamed, short.as_bytes());
        renamed.push(FUNCTION);
        put_number(&mut renamed, reader.number()?);
        names.insert(name, short);
    }
    Ok(renamed)
}

/// The script with the new names. Each name is in it once: where the script provides the function.
fn replace(script: &str, names: &HashMap<&str, String>) -> Result<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let (mut replaced, mut number) = (String::with_capacity(script.len()), 0);
    for part in script.split_inclusive(|c| !is_part(c)) {
        let word = part.trim_end_matches(|c| !is_part(c));
        if let Some(short) = names.get(word) {
            number += 1;
            replaced.push_str(short);
            replaced.push_str(&part[word.len()..]);
        } else {
            replaced.push_str(part);
        }
    }
    let expected = names.len();
    ensure!(
        number == expected,
        "the script contains {number} names of the {expected} imports"
    );
    Ok(replaced)
}

/// The rest of a program.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length).context("it is cut short")?;
        self.0 = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    /// A number in LEB128 of at most 32 bits.
    fn number(&mut self) -> Result<usize> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(number)
    }

    fn string(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        self.bytes(length)
    }
}

fn put_number(to: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        to.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    to.push(number.to_le_bytes()[0]);
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_number(to, bytes.len());
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with another section before and after its imports of these names.
    fn program(names: &[&str]) -> Vec<u8> {
        let mut imports = Vec::new();
        put_number(&mut imports, names.len());
        for name in names {
            put_bytes(&mut imports, b"./app_bg.js");
            put_bytes(&mut imports, name.as_bytes());
            imports.extend([FUNCTION, 5]);
        }
        let mut program = HEADER.to_vec();
        for (id, body) in [(1, &[7; 200][..]), (IMPORT_SECTION, &imports), (10, &[8])] {
            program.push(id);
            put_bytes(&mut program, body);
        }
        program
    }

    #[test]
    fn imports_get_short_names_and_nothing_else_changes() {
        let whole = program(&["__wbg_log_0123456789abcdef", "__wbg_log_0123456789abcde0"]);
        let (renamed, names) = rename(&whole).unwrap();
        assert_eq!(renamed, program(&["i0", "i1"]));
        let script = "x = {\n__wbg_log_0123456789abcdef: f(), __wbg_log_0123456789abcde0: g() }";
        assert_eq!(
            replace(script, &names).unwrap(),
            "x = {\ni0: f(), i1: g() }"
        );
    }

    #[test]
    fn a_script_of_another_program_is_refused() {
        let whole = program(&["one", "two"]);
        let (_, names) = rename(&whole).unwrap();
        for other in ["one: 1, twos: 2", "one: 1, two: 2, two: 3"] {
            assert!(replace(other, &names).is_err(), "{other}");
        }
    }

    #[test]
    fn a_program_cut_anywhere_is_refused_or_has_no_imports() {
        let whole = program(&["one", "two"]);
        for length in 0..whole.len() {
            if let Ok((renamed, _)) = rename(&whole[..length]) {
                assert!(renamed.len() <= length, "cut after a section");
            }
        }
    }
}
