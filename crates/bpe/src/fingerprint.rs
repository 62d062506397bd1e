//! Vocabulary and merges as text that is the same for everybody, for a hash to be taken over.

use crate::error::BpeError;
use crate::memory::reserve_text;

/// Returns tokens as a JSON object from id to bytes in hexadecimal, ids in the order of their digits:
/// `{"0":"61","10":"62"}`.
///
/// # Errors
/// [`BpeError::OutOfMemory`].
pub fn tokens_as_json<Bytes: AsRef<[u8]>>(tokens: &[(u32, Bytes)]) -> Result<String, BpeError> {
    let mut named: Vec<(String, &[u8])> = tokens
        .iter()
        .map(|(id, token)| (id.to_string(), token.as_ref()))
        .collect();
    named.sort_unstable();
    let mut json = String::from("{");
    for (id, token) in named {
        let comma = if json.len() > 1 { "," } else { "" };
        json.extend([comma, "\"", &id, "\":"]);
        push_hex(&mut json, token)?;
    }
    json.push('}');
    Ok(json)
}

/// Returns merges as a JSON array of pairs of bytes in hexadecimal: `[["61","62"]]`.
///
/// # Errors
/// [`BpeError::OutOfMemory`].
pub fn merges_as_json<Bytes: AsRef<[u8]>>(merges: &[(Bytes, Bytes)]) -> Result<String, BpeError> {
    let mut json = String::from("[");
    for (left, right) in merges {
        json.push_str(if json.len() > 1 { ",[" } else { "[" });
        push_hex(&mut json, left.as_ref())?;
        json.push(',');
        push_hex(&mut json, right.as_ref())?;
        json.push(']');
    }
    json.push(']');
    Ok(json)
}

/// What may follow some bytes before the next are pushed.
const PUNCTUATION_BYTES: usize = 32;

fn push_hex(json: &mut String, bytes: &[u8]) -> Result<(), BpeError> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    reserve_text(json, 2 * bytes.len() + PUNCTUATION_BYTES)?;
    json.push('"');
    for &byte in bytes {
        json.push(char::from(DIGITS[usize::from(byte >> 4)]));
        json.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    json.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand; whole fingerprints are compared with Python's in tests/tokenizer.
    #[test]
    fn bytes_are_hexadecimal_and_ids_sorted_as_strings() {
        let tokens = [(9, &b"a"[..]), (10, b"\x00\xff"), (1, b"")];
        assert_eq!(tokens_as_json(&tokens).unwrap(), r#"{"1":"","10":"00ff","9":"61"}"#);
        assert_eq!(tokens_as_json::<&[u8]>(&[]).unwrap(), "{}");
        assert_eq!(
            merges_as_json(&[("a", "bc"), ("\n", "z")]).unwrap(),
            r#"[["61","6263"],["0a","7a"]]"#
        );
        assert_eq!(merges_as_json::<&[u8]>(&[]).unwrap(), "[]");
    }
}
