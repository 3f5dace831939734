//! Text in files, whose encoding is not stated.

use js_sys::{Array, Function, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

/// The text of a file, or of the beginning of one: in UTF-16 if it has a byte order mark; in UTF-8; or
/// else in Windows-1252, as many older ones are.
pub(super) async fn decode(data: &Blob) -> Result<String, JsValue> {
    let buffer = JsFuture::from(data.array_buffer()).await?;
    let bytes = Uint8Array::new(&buffer);
    let class: Function = Reflect::get(&js_sys::global(), &"TextDecoder".into())?.dyn_into()?;
    let label = encoding(&bytes.to_vec());
    let decoder = Reflect::construct(&class, &Array::of1(&label.into()))?;
    let decode: Function = Reflect::get(&decoder, &"decode".into())?.dyn_into()?;
    let text = decode.call1(&decoder, &bytes)?.as_string();
    Ok(text.unwrap_or_default())
}

/// The label of the encoding.
fn encoding(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xfe, ..] => "utf-16le",
        [0xfe, 0xff, ..] => "utf-16be",
        _ => match std::str::from_utf8(bytes) {
            // The end of what was read may be in the middle of a character.
            Err(error) if error.error_len().is_some() => "windows-1252",
            _ => "utf-8",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::encoding;

    #[test]
    fn the_encoding_is_told_by_the_first_bytes_or_by_whether_all_are_utf_8() {
        assert_eq!(encoding(b"\xff\xfeH\0i\0"), "utf-16le");
        assert_eq!(encoding(b"\xfe\xff\0H\0i"), "utf-16be");
        let utf_8 = "Gr\u{fc}\u{df}e".as_bytes();
        assert_eq!(encoding(utf_8), "utf-8");
        assert_eq!(encoding(&utf_8[..3]), "utf-8", "cut in a character");
        assert_eq!(encoding(b"Gr\xfc\xdfe"), "windows-1252");
        assert_eq!(encoding(b""), "utf-8");
    }
}
