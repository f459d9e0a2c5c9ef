//! Answers about millions of people in memory, sorted by a keyed hash of the fiscal code.

use crate::civic::euro::AMOUNT_CENTS_MAX;
use crate::civic::{Euro, FiscalCode};
use crate::schemes::{Answers, INCOME_YEARS_MAX};

/// Bytes of a person's key: among a billion people, the chance that any two share one is about 10^-11.
const KEY_BYTES: usize = 12;
/// Bytes of an income in cents.
const INCOME_BYTES: usize = 5;
/// Offsets in a row: the line number, the contributions, the incomes.
const LINE_AT: usize = KEY_BYTES;
const REGULAR_AT: usize = LINE_AT + 4;
const INCOMES_AT: usize = REGULAR_AT + 1;
/// Bytes of a row.
pub(super) const ROW_BYTES: usize = INCOMES_AT + INCOME_YEARS_MAX * INCOME_BYTES;
/// Marks an unknown income: the least value of its bytes, far below any real income.
const INCOME_UNKNOWN: i64 = -(1 << (8 * INCOME_BYTES - 1));
/// About how many rows a look-up searches.
const BUCKET_ROWS: usize = 8;
/// The most bits of a key that select a bucket.
const BUCKET_BITS_MAX: u32 = 24;

const _: () = assert!(AMOUNT_CENTS_MAX < -INCOME_UNKNOWN);
const _: () = assert!(ROW_BYTES <= 40);

/// The secret that keys the hashes of people.
///
/// It lives no longer than the process and is never written to disk, so that a row does not identify its person.
#[derive(Clone, Copy)]
pub(super) struct Secret(pub(super) [u8; 32]);

impl Secret {
    fn key(&self, person: &FiscalCode) -> [u8; KEY_BYTES] {
        let hash = blake3::keyed_hash(&self.0, person.as_str().as_bytes());
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(&hash.as_bytes()[..KEY_BYTES]);
        key
    }
}

/// Key, line number and answers of one person, packed.
#[derive(Clone, Copy)]
pub(super) struct Row([u8; ROW_BYTES]);

impl Row {
    pub(super) fn new(
        secret: &Secret,
        person: &FiscalCode,
        line: u32,
        regular: Option<bool>,
        incomes: [Option<Euro>; INCOME_YEARS_MAX],
    ) -> Self {
        let mut row = [0; ROW_BYTES];
        row[..KEY_BYTES].copy_from_slice(&secret.key(person));
        row[LINE_AT..REGULAR_AT].copy_from_slice(&line.to_be_bytes());
        row[REGULAR_AT] = match regular {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        };
        for (place, income) in row[INCOMES_AT..].chunks_exact_mut(INCOME_BYTES).zip(incomes) {
            let cents = income.map_or(INCOME_UNKNOWN, Euro::cents);
            place.copy_from_slice(&cents.to_be_bytes()[8 - INCOME_BYTES..]);
        }
        Self(row)
    }

    fn key(&self) -> &[u8] {
        &self.0[..KEY_BYTES]
    }

    pub(super) fn line(&self) -> u32 {
        self.0[LINE_AT..REGULAR_AT].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
    }

    /// Key and line number as one number, in the same order.
    fn order(&self) -> u128 {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[..REGULAR_AT]);
        u128::from_be_bytes(bytes)
    }

    fn answers(&self, first_year: i16) -> Answers {
        let regular = match self.0[REGULAR_AT] {
            0 => None,
            known => Some(known == 2),
        };
        let mut incomes = [None; INCOME_YEARS_MAX];
        for (income, bytes) in
            incomes.iter_mut().zip(self.0[INCOMES_AT..].chunks_exact(INCOME_BYTES))
        {
            // The sign is in the first byte.
            let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
            let cents = bytes.iter().fold(sign, |cents: i64, &byte| cents << 8 | i64::from(byte));
            *income = (cents != INCOME_UNKNOWN).then_some(Euro::from_cents(cents));
        }
        Answers::new(regular, first_year, incomes)
    }
}

/// All people of a registry with their answers; immutable, so any number of threads may read it.
pub(super) struct People {
    secret: Secret,
    first_year: i16,
    /// Sorted by key.
    rows: Vec<Row>,
    /// The first row of each bucket, and the end of the last one.
    buckets: Vec<u32>,
    bucket_bits: u32,
}

impl People {
    /// Sorts rows, given in any order.
    ///
    /// # Errors
    ///
    /// People with more than one row: the line of each further row, with that of the first.
    pub(super) fn new(
        secret: Secret,
        first_year: i16,
        mut rows: Vec<Row>,
    ) -> Result<Self, Vec<(u32, u32)>> {
        rows.shrink_to_fit();
        rows.sort_unstable_by_key(Row::order);
        let twice: Vec<_> = rows
            .chunk_by(|one, other| one.key() == other.key())
            .filter(|same| same.len() > 1)
            .flat_map(|same| same[1..].iter().map(|row| (row.line(), same[0].line())))
            .collect();
        if !twice.is_empty() {
            return Err(twice);
        }
        let bucket_bits = (rows.len() / BUCKET_ROWS).max(1).ilog2().min(BUCKET_BITS_MAX);
        let mut people = Self { secret, first_year, rows, buckets: Vec::new(), bucket_bits };
        people.buckets = people.begins_of_buckets();
        Ok(people)
    }

    fn begins_of_buckets(&self) -> Vec<u32> {
        let mut begins = Vec::with_capacity((1 << self.bucket_bits) + 1);
        for (place, row) in (0_u32..).zip(&self.rows) {
            let bucket = self.bucket(row.key());
            while begins.len() <= bucket {
                begins.push(place);
            }
        }
        let end = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        begins.resize((1 << self.bucket_bits) + 1, end);
        begins
    }

    /// The bucket of a key, from its first bits.
    fn bucket(&self, key: &[u8]) -> usize {
        let head = key[..4].iter().fold(0_u64, |head, &byte| head << 8 | u64::from(byte));
        usize::try_from(head >> (32 - self.bucket_bits)).unwrap_or_default()
    }

    /// What is known of a person.
    pub(super) fn answers(&self, person: &FiscalCode) -> Answers {
        let key = self.secret.key(person);
        let bucket = self.bucket(&key);
        let (begin, end) = (self.buckets[bucket] as usize, self.buckets[bucket + 1] as usize);
        let rows = &self.rows[begin..end];
        rows.binary_search_by(|row| row.key().cmp(&key[..]))
            .map_or(Answers::NONE, |place| rows[place].answers(self.first_year))
    }

    /// The number of people.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.buckets.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    type Known = (Option<bool>, [Option<Euro>; INCOME_YEARS_MAX]);

    fn any_known() -> impl Strategy<Value = Known> {
        let bounds = prop_oneof![
            Just(AMOUNT_CENTS_MAX),
            Just(-AMOUNT_CENTS_MAX),
            -AMOUNT_CENTS_MAX..=AMOUNT_CENTS_MAX,
            -2..=2_i64,
        ];
        let income = prop::option::of(bounds.prop_map(Euro::from_cents));
        (any::<Option<bool>>(), [income.clone(), income.clone(), income.clone(), income])
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn everybody_is_found_with_their_own_answers_and_nobody_else(
            known in prop::collection::hash_map(0..5_000_u64, any_known(), 0..100), secret: [u8; 32],
        ) {
            let secret = Secret(secret);
            let rows = known.iter().zip(2..).map(|((&person, &(regular, incomes)), line)| {
                Row::new(&secret, &FiscalCode::made_up(person), line, regular, incomes)
            });
            let people = People::new(secret, 2021, rows.collect()).unwrap_or_else(|_| panic!("twice"));
            prop_assert_eq!(people.len(), known.len());
            let nobody: HashMap<u64, Known> = (5_000..5_100).map(|person| (person, (None, [None; 4]))).collect();
            for (&person, &(regular, incomes)) in known.iter().chain(&nobody) {
                let answers = people.answers(&FiscalCode::made_up(person));
                prop_assert_eq!(answers.contributions_regular(), regular);
                prop_assert!((2021..).zip(incomes).all(|(year, income)| answers.income(year) == income));
            }
        }
    }

    #[test]
    fn who_is_there_twice_is_named_by_line() {
        let secret = Secret([1; 32]);
        let row =
            |person, line| Row::new(&secret, &FiscalCode::made_up(person), line, None, [None; 4]);
        let rows = vec![row(1, 9), row(2, 3), row(1, 4), row(1, 70_000), row(3, 5)];
        let Err(mut twice) = People::new(secret, 0, rows) else { panic!("not seen") };
        twice.sort_unstable();
        assert_eq!(twice, [(9, 4), (70_000, 4)]);
    }

    #[test]
    fn a_row_is_small_and_tells_nothing_of_whom_it_is_about() {
        let person = FiscalCode::made_up(1);
        let row = Row::new(&Secret([1; 32]), &person, 2, Some(true), [None; 4]);
        let other = Row::new(&Secret([2; 32]), &person, 2, Some(true), [None; 4]);
        assert_ne!(row.key(), other.key());
        assert_eq!(size_of::<Row>(), 37);
    }

    #[test]
    fn no_rows_are_no_answers() {
        let people = People::new(Secret([0; 32]), 2021, Vec::new()).unwrap_or_else(|_| panic!());
        assert_eq!(people.answers(&FiscalCode::made_up(1)), Answers::NONE);
    }
}
