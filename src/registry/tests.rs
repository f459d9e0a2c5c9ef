//! Which files are loaded, which are refused and why, and that a reload blocks no look-up.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::{FileRegistry, LoadFault, Registry as _, Silence};
use crate::civic::{Euro, FiscalCode};
use crate::schemes::Answers;

const HEAD: &str = "fiscalCode,contributionsRegular,2021,2022,2023";
const SECRET: [u8; 32] = [7; 32];

/// A file in a directory of its own.
struct Written {
    directory: tempfile::TempDir,
}

impl Written {
    fn new(text: impl AsRef<[u8]>) -> Self {
        let written = Self { directory: tempfile::tempdir().unwrap() };
        written.replace(text);
        written
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("registry.csv")
    }

    /// Moves another file over it, as an office would.
    fn replace(&self, text: impl AsRef<[u8]>) {
        let newer = self.directory.path().join("newer");
        fs::write(&newer, text).unwrap();
        fs::rename(newer, self.path()).unwrap();
    }

    fn open(&self) -> Result<FileRegistry, LoadFault> {
        FileRegistry::open(&self.path(), SECRET)
    }
}

fn person(n: u64) -> FiscalCode {
    FiscalCode::made_up(n)
}

/// A whole file of these lines; `P1` stands for the first made-up person.
fn file(lines: &[&str]) -> String {
    let end = format!("end,{}\n", lines.len());
    let text = [&[HEAD], lines, &[&end]].concat().join("\n");
    (1..10).fold(text, |text, n| text.replace(&format!("P{n}"), person(n).as_str()))
}

fn refused(text: impl AsRef<[u8]>) -> String {
    Written::new(text).open().map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_file_answers_about_those_in_it() {
    let registry = Written::new(file(&["P1,true,6000.00,,3000", "P2,,,-12.50,", "P3,false,,,"]));
    let registry = registry.open().unwrap();
    let euro = |cents| Some(Euro::from_cents(cents));
    let of = |n| registry.answers(&person(n));
    assert_eq!(of(1), Answers::new(Some(true), 2021, [euro(600_000), None, euro(300_000), None]));
    assert_eq!(of(2), Answers::new(None, 2021, [None, euro(-1_250), None, None]));
    assert_eq!(of(3), Answers::new(Some(false), 2021, [None; 4]));
    assert_eq!(of(4), Answers::NONE);
    assert_eq!(registry.size().0, 3);
    assert_eq!(Silence.answers(&person(1)), Answers::NONE);
}

#[test]
fn head_and_line_ends_may_vary_within_bounds() {
    let code = person(1);
    let code = code.as_str();
    for text in [
        format!("fiscalCode,contributionsRegular\n{code},true\nend,1"),
        format!(
            "fiscalCode,contributionsRegular,2020,2021,2022,2023\r\n{code},true,,,,\r\nend,1\r\n"
        ),
    ] {
        let registry = Written::new(text).open().unwrap();
        assert_eq!(registry.answers(&person(1)).contributions_regular(), Some(true));
    }
    for head in [
        "",
        "fiscalCode",
        "fiscalCode,contributionsRegular,2021,2023",
        "fiscalCode,contributionsRegular,2022,2021",
        "fiscalCode,contributionsRegular,2019,2020,2021,2022,2023",
        "fiscalCode,contributionsRegular,+2021",
        "contributionsRegular,fiscalCode",
    ] {
        assert!(refused(format!("{head}\nend,0\n")).contains("first line"), "{head}");
    }
}

#[test]
fn every_broken_line_is_named_by_its_number() {
    let long = "x".repeat(300);
    let text = file(&[
        "P1,true,,,",
        "P2,true,,",
        "P3,true,,,,",
        "P4,yes,,,",
        "RSSMRA80A01H501A,true,,,",
        "P5,true,1e3,,",
        "",
        &long,
        "P1,false,,,",
        "P6,true,1000000000,,",
    ]);
    let expected = "the registry has 9 faulty lines: line 3: not as many cells as the first line; \
        line 4: not as many cells as the first line; line 5: contributionsRegular must be true, false or empty; \
        line 6: the check letter does not match; \
        line 7: an amount consists of digits, with at most two decimals after a point; \
        line 8: not as many cells as the first line; line 9: longer than 256 bytes; \
        line 10: the same person as in line 2; line 11: an amount is at most 999999999.99";
    assert_eq!(refused(&text), expected);
    let mut bytes = file(&["P1,true,,,"]).into_bytes();
    bytes[HEAD.len() + 18] = 0xff;
    assert!(refused(bytes).ends_with("1 faulty lines: line 2: not UTF-8"));
}

#[test]
fn a_thousand_broken_lines_are_listed_and_the_others_counted() {
    let told = refused(file(&vec!["broken"; 1_005]));
    assert!(told.starts_with("the registry has 1005 faulty lines: line 2: "));
    assert!(told.ends_with("line 1001: not as many cells as the first line; and 5 more"), "{told}");
}

#[test]
fn a_file_that_was_cut_short_is_noticed() {
    let whole = file(&["P1,true,,,", "P2,true,,,"]);
    for text in [
        whole.replace("end,2", ""),
        whole.replace("end,2", "end,3"),
        whole.replace("end,2", "end,2,2"),
        whole.replace("end,2", "end"),
        format!("{whole}{whole}"),
        format!("{HEAD}\n"),
    ] {
        let told = refused(&text);
        assert!(told.contains("end,") || told.contains("faulty"), "{text}: {told}");
    }
    let told = refused(whole.replace("end,2\n", ""));
    assert_eq!(told, "the registry's last line must be end,2: the file may be truncated");
}

#[test]
fn a_newer_file_takes_over_and_a_broken_one_does_not() {
    let written = Written::new(file(&["P1,true,,,"]));
    let registry = written.open().unwrap();
    let regular = || registry.answers(&person(1)).contributions_regular();
    assert!(registry.reload().unwrap().is_none());
    written.replace(file(&["P1,false,,,", "P2,true,,,"]));
    assert_eq!(
        (regular(), registry.reload().unwrap(), regular()),
        (Some(true), Some(2), Some(false))
    );
    written.replace(file(&["P1,perhaps,,,"]));
    assert!(matches!(registry.reload(), Err(LoadFault::Broken { count: 1, .. })));
    assert!(registry.reload().unwrap().is_none(), "refused once");
    assert_eq!(regular(), Some(false));
    fs::remove_file(written.path()).unwrap();
    assert!(matches!(registry.reload(), Err(LoadFault::Read(_))));
    registry.refresh();
    assert_eq!(regular(), Some(false));
    written.replace(file(&["P1,true,,,"]));
    registry.refresh();
    assert_eq!(regular(), Some(true));
}

#[test]
fn nobody_waits_for_a_reload_nor_sees_half_of_one() {
    let all = |word: &str| {
        file(
            &(1..10)
                .map(|n| format!("P{n},{word},,,"))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        )
    };
    let written = Written::new(all("true"));
    let registry = written.open().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let mut asked = 0_u32;
            while !done.load(Ordering::Acquire) {
                assert!(
                    registry
                        .answers(&person(1 + u64::from(asked) % 9))
                        .contributions_regular()
                        .is_some()
                );
                asked += 1;
            }
            asked
        });
        for word in ["false", "true"].into_iter().cycle().take(20) {
            written.replace(all(word));
            assert_eq!(registry.reload().unwrap(), Some(9));
        }
        done.store(true, Ordering::Release);
        assert!(asked.join().unwrap() > 0);
    });
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn any_bytes_are_a_registry_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Written::new(bytes).open().is_err());
    }

    #[test]
    fn any_line_is_read_or_refused_by_its_number(line in "[^\r\n]{0,80}|[A-Z0-9,.truefals-]{0,60}") {
        prop_assume!(!line.starts_with("end"));
        match Written::new(file(&[&line])).open() {
            Ok(registry) => prop_assert_eq!(registry.size().0, 1),
            Err(LoadFault::Broken { count, faults }) => prop_assert_eq!((count, faults[0].0), (1, 2)),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
