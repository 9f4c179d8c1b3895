//! Chance that can be had again: everything about a start follows from one number.

/// A generator of numbers (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn new(seed: u64) -> Seed {
        Seed(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// How long something takes, in microseconds: mostly nothing to 30 ms, sometimes 200.
    pub(crate) fn moment_us(&mut self) -> u64 {
        match self.below(40) {
            0 => 200_000,
            1..=8 => 0,
            9..=20 => self.below(3_000),
            _ => self.below(30_000),
        }
    }
}
