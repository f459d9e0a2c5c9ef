//! Simulation of a disk after a power cut.
//!
//! A [`History`] records what a process did to files, call by call. What was synced before the cut is on the disk. Of
//! everything else any part may be: single sectors of 512 bytes, whole or torn, in any order; the new length of a file
//! without its contents; a name without its file's contents, or the file without its name.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::dice::Dice;

const SECTOR_BYTES: usize = 512;
/// Size of the header that is written each time a write-ahead log begins.
const LOG_HEAD_BYTES: usize = 32;
/// Ending of the files that processes use as shared memory; a cut loses them.
const SHARED_MEMORY: &str = "-shm";

pub(crate) type FileId = usize;

/// What a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    File(FileId),
    Directory,
}

/// The effect of a call.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A name is created or, with `None`, removed.
    Name(PathBuf, Option<Target>),
    Write(FileId, usize, Vec<u8>),
    Size(FileId, usize),
    SyncFile(FileId),
    SyncDirectory(PathBuf),
    /// A person got an answer.
    Mark(String),
}

/// A call. At a moment between `begin` and `end` it may have taken effect or not.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) begin: usize,
    pub(crate) end: usize,
    pub(crate) what: What,
    /// Its sync failed: processes see it, but it never reaches the disk.
    pub(crate) lost: bool,
}

impl Step {
    pub(crate) fn new(begin: usize, end: usize, what: What) -> Self {
        Self { begin, end, what, lost: false }
    }
}

/// All calls on the files below one directory, in the order in which they began.
#[derive(Clone, Default)]
pub(crate) struct History {
    pub(crate) steps: Vec<Step>,
    pub(crate) files: usize,
    /// The moment after the last call.
    pub(crate) end: usize,
}

/// Files and directories by their path below the root; a directory has no contents.
pub(crate) type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Random choices for calls that were not synced.
struct Luck {
    dice: Dice,
    /// Percentage of sectors that are kept.
    sectors_percent: u64,
    /// Whether each call is kept or lost as a whole.
    whole_calls: bool,
    /// Percentage of names that are in their last state.
    names_percent: u64,
    /// Whether a file that grew without its contents holds random bytes instead of zeros.
    garbage: bool,
}

impl Luck {
    fn of(mut dice: Dice) -> Self {
        let percent = |dice: &mut Dice| [0, 10, 50, 90, 100][dice.below(5)];
        Self {
            sectors_percent: percent(&mut dice),
            whole_calls: dice.chance(40),
            names_percent: percent(&mut dice),
            garbage: dice.chance(20),
            dice,
        }
    }
}

impl History {
    /// A history that begins with these files, all durable.
    pub(crate) fn from_image(image: &Image) -> Self {
        let mut history = Self { end: 1, ..Self::default() };
        for (path, contents) in image {
            let target = contents.as_ref().map_or(Target::Directory, |bytes| {
                let file = history.files;
                history.files += 1;
                let what = What::Write(file, 0, bytes.clone());
                history.steps.push(Step::new(0, 0, what));
                Target::File(file)
            });
            let what = What::Name(path.clone(), Some(target));
            history.steps.push(Step::new(0, 0, what));
        }
        history
    }

    /// The history of a process that is killed at a moment, while the machine keeps running.
    pub(crate) fn killed_at(mut self, moment: usize) -> Self {
        // A call in progress has taken effect; a sync in progress guarantees nothing.
        self.steps.retain(|step| {
            let sync = matches!(step.what, What::SyncFile(_) | What::SyncDirectory(_));
            step.begin < moment && !(sync && step.end >= moment)
        });
        for step in &mut self.steps {
            step.end = step.end.min(moment);
        }
        self.end = moment + 1;
        self
    }

    /// The history of a process that ends because a sync of a file fails. The kernel then takes the file's dirty pages
    /// for written, and shows them to readers.
    pub(crate) fn sync_failed(self, of: FileId, begin: usize) -> Self {
        let synced = self.synced(begin, |what| matches!(what, What::SyncFile(file) if *file == of));
        let mut failed = self.killed_at(begin + 1);
        for step in &mut failed.steps {
            let written = matches!(step.what, What::Write(file, ..) if file == of);
            step.lost |= written && step.end >= synced;
        }
        failed
    }

    /// The same history without some of its syncs, for controls.
    pub(crate) fn without_syncs(mut self, unwanted: impl Fn(&What) -> bool) -> Self {
        let before = self.steps.len();
        self.steps.retain(|step| {
            !(matches!(step.what, What::SyncFile(_) | What::SyncDirectory(_))
                && unwanted(&step.what))
        });
        assert!(self.steps.len() < before, "no sync was left out");
        self
    }

    /// The files that ever had a name with this ending.
    pub(crate) fn files_named(&self, ending: &str) -> Vec<FileId> {
        let named = self.steps.iter().filter_map(|step| match &step.what {
            What::Name(path, Some(Target::File(file))) => {
                path.to_string_lossy().ends_with(ending).then_some(*file)
            }
            _ => None,
        });
        named.collect()
    }

    /// Each sync of these files: the file, and when it began.
    pub(crate) fn file_syncs(&self, of: &[FileId]) -> Vec<(FileId, usize)> {
        let syncs = self.steps.iter().filter_map(|step| match step.what {
            What::SyncFile(file) if of.contains(&file) => Some((file, step.begin)),
            _ => None,
        });
        syncs.collect()
    }

    /// When each sync of a directory began.
    pub(crate) fn directory_syncs(&self) -> Vec<usize> {
        let syncs = self.steps.iter().filter(|step| matches!(step.what, What::SyncDirectory(_)));
        syncs.map(|step| step.begin).collect()
    }

    /// How many times the ledger's file was synced, and how many times its log began, in a new file or over itself.
    pub(crate) fn checkpoints(&self) -> (usize, usize) {
        let (ledgers, logs) = (self.files_named(".sqlite"), self.files_named("-wal"));
        let count = |wanted: &dyn Fn(&What) -> bool| {
            self.steps.iter().filter(|step| wanted(&step.what)).count()
        };
        (
            count(&|what| matches!(what, What::SyncFile(file) if ledgers.contains(file))),
            count(
                &|what| matches!(what, What::Write(file, 0, head) if head.len() == LOG_HEAD_BYTES && logs.contains(file)),
            ),
        )
    }

    /// Index of the first call by which a person got an answer.
    pub(crate) fn first_mark(&self) -> usize {
        self.steps.iter().position(|step| matches!(step.what, What::Mark(_))).unwrap()
    }

    /// A moment around a call, for `nth` from 0 to 3: as it begins, in progress, as it ends, after it.
    pub(crate) fn around(&self, call: usize, nth: usize) -> usize {
        let Step { begin, end, .. } = self.steps[call];
        // The files of the beginning are durable at any moment.
        [begin, begin + 1, end, end + 1][nth].max(1)
    }

    /// The answers that people had got before a moment.
    pub(crate) fn marks(&self, moment: usize) -> impl Iterator<Item = &str> {
        let before = self.steps.iter().take_while(move |step| step.begin < moment);
        before.filter_map(|step| match &step.what {
            What::Mark(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The names as processes see them at the end.
    pub(crate) fn names(&self) -> BTreeMap<PathBuf, Target> {
        let mut names = BTreeMap::new();
        for step in &self.steps {
            if let What::Name(path, target) = &step.what {
                match target {
                    Some(target) => names.insert(path.clone(), *target),
                    None => names.remove(path),
                };
            }
        }
        names
    }

    /// The files as processes see them at the end.
    pub(crate) fn seen(&self) -> Image {
        image(&self.names(), |file| self.contents(file, usize::MAX, None))
    }

    /// The files on the disk after a power cut at `moment`.
    pub(crate) fn cut(&self, moment: usize, dice: Dice) -> Image {
        let mut luck = Luck::of(dice);
        let names = self.names_after_cut(moment, &mut luck);
        image(&names, |file| self.contents(file, moment, Some(&mut luck)))
    }

    /// When the last sync that ended before `moment` began. Calls that ended before it are durable.
    fn synced(&self, moment: usize, of: impl Fn(&What) -> bool) -> usize {
        let ended = self.steps.iter().filter(|step| step.end < moment && of(&step.what));
        ended.map(|step| step.begin).max().unwrap_or(0).max(1)
    }

    fn names_after_cut(&self, moment: usize, luck: &mut Luck) -> BTreeMap<PathBuf, Target> {
        let mut changes: BTreeMap<&Path, Vec<(usize, Option<Target>)>> = BTreeMap::new();
        for step in self.steps.iter().filter(|step| step.begin < moment) {
            if let What::Name(path, target) = &step.what {
                changes.entry(path).or_default().push((step.end, *target));
            }
        }
        let mut names = BTreeMap::new();
        for (path, changes) in changes {
            let parent = path.parent().unwrap_or(Path::new(""));
            let synced = self.synced(
                moment,
                |what| matches!(what, What::SyncDirectory(directory) if directory == parent),
            );
            let durable = changes.iter().take_while(|(end, _)| *end < synced).count();
            let count = if luck.dice.chance(luck.names_percent) {
                changes.len()
            } else {
                durable + luck.dice.below(changes.len() - durable + 1)
            };
            if let Some((_, Some(target))) = count.checked_sub(1).map(|last| changes[last]) {
                names.insert(path.to_owned(), target);
            }
        }
        names
    }

    /// A file's contents at a moment: complete, or, with `luck`, after a power cut.
    fn contents(&self, file: FileId, moment: usize, mut luck: Option<&mut Luck>) -> Vec<u8> {
        let synced =
            self.synced(moment, |what| matches!(what, What::SyncFile(other) if *other == file));
        let mut contents = Vec::new();
        for step in self.steps.iter().filter(|step| step.begin < moment) {
            if step.lost && luck.is_some() {
                continue;
            }
            let lucky = luck.as_deref_mut().filter(|_| step.end >= synced);
            match (&step.what, lucky) {
                (What::Write(of, at, bytes), None) if *of == file => {
                    overlay(&mut contents, *at, bytes);
                }
                (What::Write(of, at, bytes), Some(luck)) if *of == file => {
                    luck.write(&mut contents, *at, bytes);
                }
                (What::Size(of, size), None) if *of == file => contents.resize(*size, 0),
                (What::Size(of, size), Some(luck)) if *of == file => {
                    luck.size(&mut contents, *size);
                }
                _ => {}
            }
        }
        contents
    }
}

fn image(names: &BTreeMap<PathBuf, Target>, mut contents: impl FnMut(FileId) -> Vec<u8>) -> Image {
    let mut image = Image::new();
    // In the order of paths, so that a directory precedes its files.
    for (path, target) in names {
        let parent = path.parent().unwrap_or(Path::new(""));
        let reached = parent.as_os_str().is_empty() || image.get(parent) == Some(&None);
        if reached && !path.to_string_lossy().ends_with(SHARED_MEMORY) {
            let contents = match target {
                Target::File(file) => Some(contents(*file)),
                Target::Directory => None,
            };
            image.insert(path.clone(), contents);
        }
    }
    image
}

impl Luck {
    fn size(&mut self, contents: &mut Vec<u8>, size: usize) {
        if self.dice.chance(self.sectors_percent) {
            contents.resize(size, 0);
        }
    }

    /// Writes some of the sectors of a call.
    fn write(&mut self, contents: &mut Vec<u8>, at: usize, bytes: &[u8]) {
        if self.whole_calls {
            if self.dice.chance(self.sectors_percent) {
                overlay(contents, at, bytes);
            }
            return;
        }
        if at + bytes.len() > contents.len() && self.dice.chance(30) {
            let dice = &mut self.dice;
            let garbage = self.garbage;
            let mut filler = || if garbage { dice.roll().to_le_bytes()[0] } else { 0 };
            contents.resize_with(at + bytes.len(), &mut filler);
        }
        let mut from = 0;
        while from < bytes.len() {
            let until = (from + SECTOR_BYTES - (at + from) % SECTOR_BYTES).min(bytes.len());
            if self.dice.chance(self.sectors_percent) {
                let torn = self.dice.chance(2);
                let until = if torn { from + 1 + self.dice.below(until - from) } else { until };
                overlay(contents, at + from, &bytes[from..until]);
            }
            from = until;
        }
    }
}

fn overlay(contents: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let until = at + bytes.len();
    if contents.len() < until {
        contents.resize(until, 0);
    }
    contents[at..until].copy_from_slice(bytes);
}

/// Writes an image as files below `root`.
pub(crate) fn write_image(image: &Image, root: &Path) {
    for (path, contents) in image {
        let path = root.join(path);
        match contents {
            None => fs::create_dir(&path).unwrap(),
            Some(bytes) => {
                fs::write(&path, bytes).unwrap();
                // The server refuses keys that other users may read.
                let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                fs::set_permissions(&path, private).unwrap();
            }
        }
    }
}

/// Reads the files below `root`, without those used as shared memory.
pub(crate) fn read_image(root: &Path) -> Image {
    fn read(root: &Path, below: &Path, image: &mut Image) {
        for entry in fs::read_dir(root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let path = below.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                image.insert(path.clone(), None);
                read(root, &path, image);
            } else if !path.to_string_lossy().ends_with(SHARED_MEMORY) {
                image.insert(path.clone(), Some(fs::read(entry.path()).unwrap()));
            }
        }
    }
    let mut image = Image::new();
    read(root, Path::new(""), &mut image);
    image
}
