//! Random choices with a seed, so that every failure can be repeated.

/// A random generator with a seed (xorshift64*).
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed ^ 0x9e37_79b9_7f4a_7c15);
        // Neighbouring seeds give unrelated numbers only after some rolls.
        for _ in 0..8 {
            dice.roll();
        }
        dice
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound as u64).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.roll() % 100 < percent
    }

    pub(crate) fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        (!items.is_empty()).then(|| &items[self.below(items.len())])
    }
}

/// A number from an environment variable; `None` if it is not set.
pub(crate) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seed of this run: `SPORTELLO_TEST_SEED`, or a random one. Prints it, so that a failure can be repeated.
pub(crate) fn seed() -> u64 {
    let seed = setting("SPORTELLO_TEST_SEED").unwrap_or_else(|| {
        let mut seed = [0; 4];
        sportello::vault::fill_random(&mut seed);
        u32::from_le_bytes(seed).into()
    });
    println!("SPORTELLO_TEST_SEED={seed}");
    seed
}
