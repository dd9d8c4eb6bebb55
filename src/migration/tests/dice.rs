//! Choices: taken from a list that a property test can shrink, or drawn from a seed for long runs.

/// Where choices come from. A choice of zero is always the harmless one, and what follows the end of the list.
#[derive(Clone, Debug)]
pub(super) enum Dice {
    Listed { choices: Vec<u32>, next: usize },
    Seeded { state: u64, left: u64 },
}

impl Dice {
    pub(super) fn listed(choices: Vec<u32>) -> Self {
        Self::Listed { choices, next: 0 }
    }

    pub(super) fn seeded(seed: u64, rolls: u64) -> Self {
        Self::Seeded { state: seed, left: rolls }
    }

    /// Whether only harmless choices are left.
    pub(super) fn is_spent(&self) -> bool {
        match self {
            Self::Listed { choices, next } => *next >= choices.len(),
            Self::Seeded { left, .. } => *left == 0,
        }
    }

    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: u32) -> u32 {
        if self.is_spent() {
            return 0;
        }
        let drawn = match self {
            Self::Listed { choices, next } => {
                *next += 1;
                choices[*next - 1]
            }
            Self::Seeded { state, left } => {
                *left -= 1;
                // SplitMix64 (Steele, Lea, Flood 2014).
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((mixed ^ (mixed >> 31)) >> 32) as u32
            }
        };
        drawn % sides
    }

    /// Yes once in `sides` times; no when only harmless choices are left.
    pub(super) fn once_in(&mut self, sides: u32) -> bool {
        self.roll(sides) == sides - 1 && !self.is_spent()
    }

    /// One of the values, the first of which is the harmless one.
    pub(super) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.roll(values.len() as u32) as usize]
    }
}
