//! Where a file may be cut, so that its parts can be counted apart.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use super::file::io_error;
use crate::error::BpeError;
use crate::special::SpecialTokens;
use crate::split::Splitter;

/// Text that is looked through at a time.
const WINDOW_BYTES: usize = 1 << 16;
/// The longest character.
const CHARACTER_BYTES: usize = 4;

/// The first offset in a UTF-8 file, at or after `from`, at which it may be cut: what stands before and after it splits apart
/// as it would together. The end of the file where there is none.
///
/// That is a place where the pattern cuts whatever stands around it and which no special token straddles; under a free
/// pattern, the beginning of a special token. A byte that is no UTF-8 ends the search too: it is for the part that begins
/// with it to refuse.
///
/// # Errors
///
/// [`BpeError::Io`].
pub fn first_cut(path: &Path, from: u64, specials: &SpecialTokens, splitter: &Splitter) -> Result<u64, BpeError> {
    let mut file = File::open(path).map_err(io_error(path))?;
    let size = file.metadata().map_err(io_error(path))?.len();
    // So much must be seen on both sides of a place to know what it is.
    let margin = CHARACTER_BYTES + specials.max_len();
    let mut window = vec![0; WINDOW_BYTES + 3 * margin];
    let mut from = from;
    while from > 0 && from < size {
        let start = from.saturating_sub(margin as u64);
        file.seek(SeekFrom::Start(start)).map_err(io_error(path))?;
        let len = read_up_to(&mut file, &mut window).map_err(io_error(path))?;
        let is_at_end = start + len as u64 >= size;
        let known = if is_at_end { len } else { len - margin };
        let least = (from - start) as usize;
        if let Some(cut) = find_cut(&window[..len], least..known, specials, splitter) {
            return Ok(start + cut as u64);
        }
        if is_at_end {
            break;
        }
        from = start + known as u64;
    }
    Ok(if from == 0 { 0 } else { size })
}

/// The first place within `places` at which `bytes` may be cut.
fn find_cut(bytes: &[u8], places: Range<usize>, specials: &SpecialTokens, splitter: &Splitter) -> Option<usize> {
    // A window may begin inside a character.
    let first = bytes
        .iter()
        .take(CHARACTER_BYTES)
        .position(|byte| byte & 0xC0 != 0x80)?;
    let (text, invalid) = match std::str::from_utf8(&bytes[first..]) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = first + error.valid_up_to();
            let text = std::str::from_utf8(&bytes[first..valid]).unwrap_or_default();
            (text, error.error_len().map(|_| valid))
        }
    };
    let mut at = places.start;
    while at < places.end {
        let found = if splitter.is_streamable() {
            splitter.first_safe_cut(text, at - first).map(|cut| cut + first)
        } else {
            specials.find(bytes, at).map(|(found, _)| found.start)
        };
        match found.filter(|&cut| cut < places.end) {
            Some(cut) if !specials.straddles(bytes, cut) => return Some(cut),
            Some(cut) => at = cut + 1,
            None => break,
        }
    }
    invalid.filter(|at| places.contains(at))
}

fn read_up_to(file: &mut File, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
