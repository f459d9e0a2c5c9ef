//! Keeps every receipt for `sportello verify`, and detects receipt numbers that were issued twice.

use std::{
    collections::HashSet,
    fs::File,
    hash::{DefaultHasher, Hasher},
    io::{self, BufWriter, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

const WRITE_BYTES: usize = 256 * 1024;

/// The receipts of a run.
#[derive(Debug, Default)]
pub struct Receipts {
    // Locked because several generator threads add; held for one line, never across an await.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    file: Option<BufWriter<File>>,
    /// Hashes of the numbers seen, 8 bytes each instead of a string. Among ten million numbers the probability of a
    /// collision is 1 in 300,000.
    seen: HashSet<u64>,
    doubled: u64,
    fault: Option<io::Error>,
}

impl Receipts {
    /// Writes the receipts to the file at `path`, one JSON object a line.
    ///
    /// # Errors
    ///
    /// When the file cannot be created.
    pub fn in_file(path: &Path) -> io::Result<Self> {
        let file = Some(BufWriter::with_capacity(WRITE_BYTES, File::create(path)?));
        Ok(Self { kept: Mutex::new(Kept { file, ..Kept::default() }) })
    }

    /// Adds the receipt `number`, which the server sent as `body`; false if the number was seen before.
    pub fn add(&self, number: &str, body: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(number.as_bytes());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = kept.write(body) {
            kept.fault.get_or_insert(error);
        }
        let new = kept.seen.insert(hasher.finish());
        kept.doubled += u64::from(!new);
        new
    }

    /// Flushes the file; returns how many numbers were issued twice.
    ///
    /// # Errors
    ///
    /// The first write that failed: the file is then incomplete.
    pub fn close(&self) -> io::Result<u64> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = kept.fault.take() {
            return Err(fault);
        }
        if let Some(file) = kept.file.as_mut() {
            file.flush()?;
        }
        Ok(kept.doubled)
    }
}

impl Kept {
    fn write(&mut self, body: &[u8]) -> io::Result<()> {
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        // Line breaks are allowed between JSON tokens only, where they mean nothing.
        for part in body.split(|byte| matches!(byte, b'\n' | b'\r')) {
            file.write_all(part)?;
        }
        file.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use super::Receipts;

    #[test]
    fn receipts_are_lines_as_sent_and_a_second_one_is_told() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let receipts = Receipts::in_file(file.path()).expect("it can be written");
        assert!(receipts.add("A", br#"{"receipt":"A"}"#));
        assert!(receipts.add("B", b"{\n\"receipt\": \"B\"\n}"));
        assert!(!receipts.add("A", br#"{"receipt":"A"}"#));
        assert_eq!(receipts.close().expect("all was written"), 1);
        let text = std::fs::read_to_string(file.path()).expect("it can be read");
        assert_eq!(text, "{\"receipt\":\"A\"}\n{\"receipt\": \"B\"}\n{\"receipt\":\"A\"}\n");
    }
}
