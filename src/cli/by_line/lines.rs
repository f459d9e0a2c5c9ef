//! Blocks of whole lines, read from a file or a pipe.

use std::io::{self, ErrorKind, Read};

/// The most bytes of a line without its end; a longer one is a bad line and does not stop the run.
pub(in crate::cli) const LINE_BYTES_MAX: usize = 64 * 1024;
/// Bytes kept of a line that is too long: its bound, and two that show that it is longer even if the last is a
/// carriage return.
const KEPT_BYTES: usize = LINE_BYTES_MAX + 2;
/// Bytes of a block: large enough that handing it over costs little, small enough to stay in a cache.
const BLOCK_BYTES: usize = 256 * 1024;
/// The most lines of a block, which bounds the output for a file of empty lines.
const BLOCK_LINES_MAX: u64 = 1_024;

const _: () =
    assert!(BLOCK_BYTES > 2 * KEPT_BYTES, "a block holds more than a line and its successor");

/// A block of whole lines; its memory is reused.
pub(super) struct Block {
    bytes: Box<[u8]>,
    length: usize,
    /// The number of lines in it.
    pub(super) lines: u64,
}

impl Block {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; BLOCK_BYTES].into_boxed_slice(), length: 0, lines: 0 }
    }

    /// Its bytes, including the ends of lines.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Its lines without their ends, LF or CR LF.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = self.bytes();
        let mut start = 0;
        let ends = memchr::memchr_iter(b'\n', bytes)
            .chain((bytes.last() != Some(&b'\n')).then_some(bytes.len()));
        ends.map(move |end| {
            let line = &bytes[start..end];
            start = end + 1;
            line.strip_suffix(b"\r").unwrap_or(line)
        })
        .take(usize::try_from(self.lines).unwrap_or(usize::MAX))
    }
}

/// Splits the input into blocks of whole lines.
///
/// Of a line longer than [`LINE_BYTES_MAX`] only the beginning is kept, at least one byte more than allowed, so that
/// its length shows the fault. The next line is not affected.
pub(in crate::cli) struct Lines<R> {
    input: R,
    /// Bytes that were read after the last line returned.
    rest: Vec<u8>,
    ended: bool,
}

impl<R: Read> Lines<R> {
    pub(in crate::cli) fn new(input: R) -> Self {
        Self { input, rest: Vec::with_capacity(BLOCK_BYTES), ended: false }
    }

    /// Fills a block with the lines of one read, so that each line of a slow pipe is answered at once; false at the
    /// end.
    ///
    /// # Errors
    ///
    /// I/O errors of the input.
    pub(super) fn fill(&mut self, block: &mut Block) -> io::Result<bool> {
        self.fill_with(block, BLOCK_LINES_MAX)
    }

    /// The first line alone, without its end; `None` if the input is empty.
    ///
    /// # Errors
    ///
    /// I/O errors of the input.
    pub(in crate::cli) fn first(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut block = Block::new();
        Ok(self
            .fill_with(&mut block, 1)?
            .then(|| block.lines().next().unwrap_or_default().to_vec()))
    }

    fn fill_with(&mut self, block: &mut Block, lines_max: u64) -> io::Result<bool> {
        let mut length = self.rest.len();
        block.bytes[..length].copy_from_slice(&self.rest);
        self.rest.clear();
        let mut looked_at = 0;
        loop {
            let mut end = None;
            block.lines = 0;
            for at in memchr::memchr_iter(b'\n', &block.bytes[looked_at..length]) {
                end = Some(looked_at + at + 1);
                block.lines += 1;
                if block.lines == lines_max {
                    break;
                }
            }
            if let Some(end) = end {
                self.rest.extend_from_slice(&block.bytes[end..length]);
                block.length = end;
                return Ok(true);
            }
            length = length.min(KEPT_BYTES);
            looked_at = length;
            let read = if self.ended { 0 } else { self.read(&mut block.bytes[length..])? };
            if read == 0 {
                self.ended = true;
                block.length = length;
                block.lines = u64::from(length > 0);
                return Ok(length > 0);
            }
            length += self.without_excess(&mut block.bytes[length..], read, length);
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(into) {
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// The bytes of the last read to keep, without the rest of a line that is already too long.
    #[expect(clippy::unused_self, reason = "reads as a step of filling")]
    fn without_excess(&self, fresh: &mut [u8], read: usize, before: usize) -> usize {
        if before < KEPT_BYTES {
            return read;
        }
        let excess = memchr::memchr(b'\n', &fresh[..read]).unwrap_or(read);
        fresh.copy_within(excess..read, 0);
        read - excess
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a limited number of bytes at a time, as a pipe may.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let taken = self.0.len().min(into.len()).min(self.1);
            into[..taken].copy_from_slice(&self.0[..taken]);
            self.0 = &self.0[taken..];
            Ok(taken)
        }
    }

    fn all(input: &[u8], at_a_time: usize) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(Slow(input, at_a_time));
        let mut block = Block::new();
        let mut all = Vec::new();
        while lines.fill(&mut block).unwrap() {
            let before = all.len();
            all.extend(block.lines().map(<[u8]>::to_vec));
            assert_eq!((all.len() - before) as u64, block.lines);
        }
        assert!(!lines.fill(&mut block).unwrap(), "the end stays the end");
        all
    }

    #[test]
    fn a_line_of_exactly_its_bound_is_whole_and_the_one_after_a_longer_one_goes_on() {
        for end in ["\n", "\r\n"] {
            for (length, kept) in [
                (LINE_BYTES_MAX, LINE_BYTES_MAX),
                (LINE_BYTES_MAX + 1, LINE_BYTES_MAX + 1),
                (LINE_BYTES_MAX + 2, LINE_BYTES_MAX + 1),
                (10 * BLOCK_BYTES, LINE_BYTES_MAX + 1),
            ] {
                let input = format!("a{end}{}{end}b{end}c", "x".repeat(length));
                for at_a_time in [1_000, LINE_BYTES_MAX, usize::MAX] {
                    let lines = all(input.as_bytes(), at_a_time);
                    assert_eq!(lines.len(), 4, "{length} {at_a_time}");
                    assert!(lines[1].len() >= kept, "{length} {at_a_time}: {}", lines[1].len());
                    assert!(lines[1].len() <= KEPT_BYTES);
                    assert_eq!(
                        (&*lines[0], &*lines[2], &*lines[3]),
                        (&b"a"[..], &b"b"[..], &b"c"[..])
                    );
                }
            }
        }
        assert_eq!(all("x".repeat(3 * BLOCK_BYTES).as_bytes(), usize::MAX).len(), 1);
    }

    #[test]
    fn blocks_are_bounded_in_lines_too() {
        let input = "\n".repeat(5_000);
        assert_eq!(all(input.as_bytes(), usize::MAX).len(), 5_000);
        let mut block = Block::new();
        assert!(Lines::new(input.as_bytes()).fill(&mut block).unwrap());
        assert_eq!(block.lines, BLOCK_LINES_MAX);
    }

    #[test]
    fn the_first_line_is_taken_alone() {
        let mut lines = Lines::new(&b"head\r\na\nb"[..]);
        assert_eq!(lines.first().unwrap().as_deref(), Some(&b"head"[..]));
        let mut block = Block::new();
        assert!(lines.fill(&mut block).unwrap());
        assert_eq!(block.bytes(), b"a\n");
        assert!(lines.fill(&mut block).unwrap());
        assert_eq!(block.bytes(), b"b");
        assert_eq!(Lines::new(&b""[..]).first().unwrap(), None);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn lines_come_out_as_they_went_in(
            lines in proptest::collection::vec("[a-z]{0,40}", 1..60), at_a_time in 1..100_usize,
        ) {
            let text = lines.join("\n") + "\n";
            let expected: Vec<Vec<u8>> = lines.iter().map(|line| line.clone().into_bytes()).collect();
            prop_assert_eq!(all(text.as_bytes(), at_a_time), expected);
        }
    }
}
