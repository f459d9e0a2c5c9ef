//! The files of the journal: sealed frames, one after the other, in the two latest files.
//!
//! A frame is its length and its seal; the seal shows whether it is whole. Reading ends at the first frame that is not:
//! what follows it was not yet synced when the power failed.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    ledger::{
        fault::OpenFault,
        journal::{Event, encoding::decode},
    },
    private_files::{replace_private, sync_directory, sync_name},
    vault::{HouseKeys, Place, Subject},
};

const PREFIX: &str = "journal-";
const SUFFIX: &str = ".sealed";
/// The header of a sealed frame: its version.
const HEADER: [u8; 1] = [2];
/// The subject of the seal: the journal belongs to no person.
const NOBODY: Subject = Subject([0; 16]);
/// Bytes of a frame's length, in front of it.
const LENGTH_BYTES: usize = 4;
/// Bytes of one file: two million visits with their seats in the waiting room. Two files are kept.
pub(super) const FILE_BYTES_MAX: u64 = 512 << 20;
/// How long one file is written: no session lasts longer, and ended visits are remembered for as long at least.
pub(super) const FILE_SECONDS: i64 = 86_400;

/// The file that is written.
pub(super) struct Current {
    directory: PathBuf,
    number: u64,
    file: fs::File,
    bytes: u64,
    /// When it was begun, real time, seconds.
    since: i64,
}

/// One file as it was read.
struct Read {
    since: i64,
    /// When its last whole frame was written.
    until: i64,
    /// Bytes of whole frames.
    bytes: u64,
}

impl Current {
    /// Reads the files that there are, and calls `each` with every event. Returns the file to be written and when the
    /// latest frame was written, in seconds of real time; `None` if there was no file.
    pub(super) fn open(
        directory: &Path,
        keys: &HouseKeys,
        real_now: i64,
        each: &mut dyn FnMut(Event),
    ) -> Result<(Self, Option<i64>), OpenFault> {
        let numbers = numbers(directory)?;
        let mut latest = None;
        for number in numbers {
            let path = path_of(directory, number);
            latest = Some((number, read(&path, keys, each)?));
        }
        let fault = |source| OpenFault::Directory { path: directory.to_owned(), source };
        let Some((number, read)) = latest else {
            return Ok((Self::begin(directory, 1, keys, real_now).map_err(fault)?, None));
        };
        let path = path_of(directory, number);
        // Its writer may have been killed before the name was synced.
        sync_name(&path).map_err(fault)?;
        let file = fs::OpenOptions::new().append(true).open(&path).map_err(fault)?;
        let length = file.metadata().map_err(fault)?.len();
        if length > read.bytes {
            tracing::warn!(
                bytes = length - read.bytes,
                "the end of the journal was not on disk yet: what happened in its last second is forgotten"
            );
            file.set_len(read.bytes).map_err(fault)?;
        }
        let Read { since, until, bytes } = read;
        let current = Self { directory: directory.to_owned(), number, file, bytes, since };
        Ok((current, Some(until)))
    }

    fn begin(directory: &Path, number: u64, keys: &HouseKeys, now: i64) -> io::Result<Self> {
        let path = path_of(directory, number);
        // The first frame is on disk before the name is: if it does not open, the key is another one.
        let first = frame(keys, now, &[]);
        replace_private(&path, &first)?;
        let file = fs::OpenOptions::new().append(true).open(&path)?;
        let bytes = first.len() as u64;
        Ok(Self { directory: directory.to_owned(), number, file, bytes, since: now })
    }

    /// Appends events; they survive the end of this process, but no power cut.
    pub(super) fn write(&mut self, keys: &HouseKeys, now: i64, events: &[u8]) -> io::Result<()> {
        let frame = frame(keys, now, events);
        let is_full = self.bytes + frame.len() as u64 > FILE_BYTES_MAX;
        if is_full || now.saturating_sub(self.since) >= FILE_SECONDS {
            self.turn(keys, now)?;
        }
        self.file.write_all(&frame)?;
        self.bytes += frame.len() as u64;
        Ok(())
    }

    /// Makes everything that was written durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Begins the next file, and removes all but the one before it.
    fn turn(&mut self, keys: &HouseKeys, now: i64) -> io::Result<()> {
        self.sync()?;
        let next = Self::begin(&self.directory, self.number + 1, keys, now)?;
        let kept = self.number;
        *self = next;
        for number in numbers(&self.directory).map_err(io::Error::other)? {
            if number < kept {
                fs::remove_file(path_of(&self.directory, number))?;
            }
        }
        Ok(())
    }

    /// Removes every file, so that the next start remembers nothing.
    pub(super) fn remove(&self) -> io::Result<()> {
        for number in numbers(&self.directory).map_err(io::Error::other)? {
            fs::remove_file(path_of(&self.directory, number))?;
        }
        sync_directory(&self.directory)
    }
}

/// The numbers of the files, the oldest first.
fn numbers(directory: &Path) -> Result<Vec<u64>, OpenFault> {
    let fault = |source| OpenFault::Directory { path: directory.to_owned(), source };
    let mut numbers = Vec::new();
    for file in fs::read_dir(directory).map_err(fault)? {
        let name = file.map_err(fault)?.file_name().into_string().unwrap_or_default();
        let number = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn path_of(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{PREFIX}{number:06}{SUFFIX}"))
}

fn frame(keys: &HouseKeys, now: i64, events: &[u8]) -> Vec<u8> {
    let plain = [&now.to_be_bytes(), events].concat();
    let sealed = keys.seal(Place::Journal, NOBODY, &HEADER, &plain);
    let length = u32::try_from(sealed.len()).expect("a frame is bounded by the queue");
    [&length.to_be_bytes(), sealed.as_slice()].concat()
}

fn read(path: &Path, keys: &HouseKeys, each: &mut dyn FnMut(Event)) -> Result<Read, OpenFault> {
    let fault = |source| OpenFault::Directory { path: path.to_owned(), source };
    let mut file = io::BufReader::new(fs::File::open(path).map_err(fault)?);
    let mut found: Option<Read> = None;
    while let Some(sealed) = next_frame(&mut file).map_err(fault)? {
        if found.is_none() && !sealed.starts_with(&HEADER) {
            let what = "its version is not that of this release".to_owned();
            return Err(OpenFault::Foreign { path: path.to_owned(), what });
        }
        let Ok(plain) = keys.open(Place::Journal, NOBODY, HEADER.len(), &sealed) else { break };
        let Some((at, mut events)) = plain.split_first_chunk::<8>() else { break };
        let at = i64::from_be_bytes(*at);
        while !events.is_empty() {
            let damaged = || OpenFault::Damaged {
                path: path.to_owned(),
                what: "an event of the journal cannot be read".to_owned(),
            };
            each(decode(&mut events).ok_or_else(damaged)?);
        }
        let read = found.get_or_insert(Read { since: at, until: at, bytes: 0 });
        read.until = at;
        read.bytes += (LENGTH_BYTES + sealed.len()) as u64;
    }
    found.ok_or_else(|| OpenFault::OtherKey { path: path.to_owned() })
}

/// The next frame; `None` at the end, or if it is cut off or too long to be one.
fn next_frame(file: &mut impl io::Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = Vec::with_capacity(LENGTH_BYTES);
    file.by_ref().take(LENGTH_BYTES as u64).read_to_end(&mut length)?;
    let Ok(length) = length.as_slice().try_into().map(u32::from_be_bytes) else { return Ok(None) };
    if u64::from(length) > FILE_BYTES_MAX {
        return Ok(None);
    }
    let mut sealed = Vec::new();
    file.by_ref().take(length.into()).read_to_end(&mut sealed)?;
    Ok((sealed.len() as u64 == u64::from(length)).then_some(sealed))
}
