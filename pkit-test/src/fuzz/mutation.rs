//! Changes of inputs that are the same in every run: a small brother of the fuzzer for plain `cargo test`.

/// Random numbers from a seed: SplitMix64, whose constants are those of its paper.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The seed is a text, so that each target has its own.
    pub(super) fn new(seed: &str) -> Random {
        Random(seed.bytes().fold(0, |state, byte| state.wrapping_mul(31).wrapping_add(byte.into())))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// One of the inputs with one to four changes.
pub(super) fn mutated(inputs: &[Vec<u8>], random: &mut Random, most_bytes: usize) -> Vec<u8> {
    let mut bytes = random.pick(inputs).clone();
    for _ in 0..=random.below(4) {
        change(&mut bytes, inputs, random);
    }
    bytes.truncate(most_bytes);
    bytes
}

fn change(bytes: &mut Vec<u8>, inputs: &[Vec<u8>], random: &mut Random) {
    let (from, to) = range(bytes.len(), random);
    match random.below(7) {
        0 if !bytes.is_empty() => bytes[from.min(to.saturating_sub(1))] ^= 1 << random.below(8),
        1 => bytes.insert(from, random.below(256) as u8),
        // What means something more often than others.
        2 => bytes.insert(from, *random.pick(b"{}{}&.'\"\\ \n\r\t\0#$/:[]()-,=019az\xff")),
        3 => drop(bytes.drain(from..to)),
        4 => drop(bytes.splice(from..to, bytes[from..to].repeat(2))),
        _ => {
            let other = random.pick(inputs);
            let (start, end) = range(other.len(), random);
            drop(bytes.splice(from..to, other[start..end].iter().copied()));
        }
    }
}

/// A place, and one behind it; more often near than far.
fn range(length: usize, random: &mut Random) -> (usize, usize) {
    let from = random.below(length + 1);
    let most = if random.below(2) == 0 { 4.min(length - from) } else { length - from };
    (from, from + random.below(most + 1))
}
