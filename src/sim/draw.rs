//! Randomness by name: every draw is keyed by seed, replication, purpose and entity, never by the order of use. A new
//! head, a window, or a longer horizon changes no draw of anything else.

use rand_pcg::Pcg64Dxsm;
use sha2::{Digest, Sha256};

use super::RunId;

/// Version of what is drawn: with another one the same seed gives other numbers, and replications of one number have nothing in
/// common any more.
pub const DRAW_SCHEME: u32 = 1;

/// What a draw is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Purpose {
    /// Size of a mailbox.
    Size = 1,
    /// Mean size of a mailbox's messages.
    MessageSize,
    /// Activity of a mailbox's user.
    Activity,
    /// Group of a mailbox.
    Group,
    /// Whether a mailbox needs a person.
    Permanent,
    /// Whether an attempt to copy fails, and where.
    Transient,
    /// Whether a switch backs out.
    Switch,
    /// Noise of a store's user load.
    Noise,
    /// When outages strike, and how long they last.
    Outage,
    /// When brown-outs strike, and how long they last.
    Brownout,
    /// Error of a sample.
    Probe,
    /// Loss of a sample.
    ProbeLoss,
    /// New accounts of an hour.
    Accounts,
    /// Deletions of an hour.
    Deletions,
    /// Which measured day's load a day has.
    LoadDay,
    /// When a cluster's ingest stalls, and for how long.
    Stall,
    /// How long a mailbox that was set aside waits for a person.
    Person,
    /// Where within their interval samples are taken.
    ProbePhase,
    /// When within a step of the load the heads are looked at.
    Look,
}

/// All draws of one replication.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws {
    run: RunId,
}

impl Draws {
    /// The draws of a replication.
    pub(crate) const fn new(run: RunId) -> Self {
        Self { run }
    }

    /// A stream of its own for an entity: a generator for draws that come one after the other.
    pub(crate) fn stream(self, purpose: Purpose, entity: &str) -> Pcg64Dxsm {
        let (state, stream) = self.hash(purpose, entity);
        Pcg64Dxsm::new(state, stream)
    }

    /// Draws by number: of a mailbox, an attempt, a sample.
    pub(crate) fn keyed(self, purpose: Purpose, entity: &str) -> Keyed {
        let (key, _) = self.hash(purpose, entity);
        Keyed { mask: key as u64, factor: (key >> 64) as u64 | 1 }
    }

    fn hash(self, purpose: Purpose, entity: &str) -> (u128, u128) {
        let digest = Sha256::new()
            .chain_update(self.run.seed.to_le_bytes())
            .chain_update(self.run.replication.to_le_bytes())
            .chain_update([purpose as u8])
            .chain_update(entity.as_bytes())
            .finalize();
        let half =
            |from: usize| digest[from..from + 16].iter().fold(0_u128, |all, byte| (all << 8) | u128::from(*byte));
        (half(0), half(16))
    }
}

/// A family of independent draws, one for each number: two folded multiplications, each the exclusive or of the halves of
/// a 128-bit product, as in wyhash (Wang Yi, 2019) and its heirs. The first is keyed on both sides, so that neither
/// neighbours nor families have anything in common; one alone would leave neighbours in step.
///
/// A folded multiplication by zero forgets its other side. Here the other side never depends on what is drawn for: it is
/// an odd key, then an odd constant, so that products differ wherever numbers do, and zero is the product of one number
/// alone. Folded, two of them may agree, as often as independent draws do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    mask: u64,
    /// Odd.
    factor: u64,
}

impl Keyed {
    /// 64 random bits of the number `item`.
    #[inline]
    pub(crate) const fn bits(self, item: u64) -> u64 {
        /// Odd, and without a pattern in its bits: a multiplier of Evensen's `rrmxmx` (2018).
        const FACTOR: u64 = 0x9fb2_1c65_1e98_df25;
        folded_product(folded_product(item ^ self.mask, self.factor), FACTOR)
    }

    /// A uniform number within (0, 1), never either end.
    #[inline]
    pub(crate) fn unit(self, item: u64) -> f64 {
        unit(self.bits(item))
    }
}

#[inline]
const fn folded_product(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

/// A uniform number within (0, 1) from 52 of the bits, in the middle of its cell.
#[inline]
pub(crate) fn unit(bits: u64) -> f64 {
    // As the digits of a number within [1, 2), without a conversion; half a cell more keeps both ends out.
    f64::from_bits((bits >> 12) | 0x3ff0_0000_0000_0000) - (1.0 - 0.5 / (1_u64 << 52) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::attempts::item_of;
    use rand::Rng;

    fn draws(seed: u64, replication: u32) -> Draws {
        Draws::new(RunId { seed, replication })
    }

    /// Whoever changes these numbers changes `DRAW_SCHEME` too.
    #[test]
    fn this_scheme_draws_these_numbers() {
        const DRAWN: [u64; 3] = [7_225_677_728_758_369_103, 16_989_201_007_272_189_754, 15_204_385_651_135_275_281];
        let draws = draws(7, 3);
        let keyed = draws.keyed(Purpose::Size, "head-1");
        let found = [keyed.bits(0), keyed.bits(1), draws.keyed(Purpose::Person, "").bits(9)];
        let mut stream = draws.stream(Purpose::Outage, "head-2");
        assert_eq!((DRAW_SCHEME, found, stream.next_u64()), (1, DRAWN, 2_531_667_066_961_269_559));
    }

    #[test]
    fn a_draw_depends_on_every_part_of_its_name_and_on_nothing_else() {
        let base = draws(1, 0).keyed(Purpose::Size, "a").bits(7);
        assert_eq!(base, draws(1, 0).keyed(Purpose::Size, "a").bits(7));
        let others = [
            draws(2, 0).keyed(Purpose::Size, "a").bits(7),
            draws(1, 1).keyed(Purpose::Size, "a").bits(7),
            draws(1, 0).keyed(Purpose::Group, "a").bits(7),
            draws(1, 0).keyed(Purpose::Size, "b").bits(7),
            draws(1, 0).keyed(Purpose::Size, "a").bits(8),
        ];
        assert!(others.iter().all(|other| *other != base));
        let mut one = draws(1, 0).stream(Purpose::Noise, "head-1");
        let mut two = draws(1, 0).stream(Purpose::Noise, "head-2");
        assert_ne!(one.next_u64(), two.next_u64());
    }

    #[test]
    fn keyed_draws_are_uniform() {
        let (cells, each) = (256_usize, 400_usize);
        for seed in 0..4 {
            let keyed = draws(seed, 3).keyed(Purpose::Size, "mailboxes");
            let mut counts = vec![0_f64; cells];
            for item in 0..(cells * each) as u64 {
                counts[(keyed.unit(item) * cells as f64) as usize] += 1.0;
            }
            let chi: f64 = counts.iter().map(|count| (count - each as f64).powi(2) / each as f64).sum();
            // 255 degrees of freedom: mean 255, standard deviation 22.6; five of them on either side.
            assert!((142.0..368.0).contains(&chi), "chi square {chi}");
        }
    }

    #[test]
    fn neighbours_and_attempts_are_not_correlated() {
        let keyed = draws(5, 0).keyed(Purpose::Transient, "mailboxes");
        let other = draws(5, 0).keyed(Purpose::Switch, "mailboxes");
        let n = 100_000_u32;
        let mut sums = [0.0; 3];
        for mailbox in 0..n {
            let here = keyed.unit(item_of(mailbox, 1)) - 0.5;
            sums[0] += here * (keyed.unit(item_of(mailbox + 1, 1)) - 0.5);
            sums[1] += here * (keyed.unit(item_of(mailbox, 2)) - 0.5);
            sums[2] += here * (other.unit(item_of(mailbox, 1)) - 0.5);
        }
        for sum in sums {
            let correlation = sum / f64::from(n) * 12.0;
            // Standard deviation 1 / sqrt(n) = 0.0032.
            assert!(correlation.abs() < 0.016, "correlation {correlation}");
        }
    }

    /// How far the number of differences in each bit is from half of them, in standard deviations: the worst of all.
    fn worst_bit(differences: impl Iterator<Item = u64>) -> f64 {
        let (mut counts, mut all) = ([0_u64; 64], 0.0);
        for differs in differences {
            all += 1.0;
            for (bit, count) in (0..).zip(&mut counts) {
                *count += differs >> bit & 1;
            }
        }
        let off = |count: &u64| (*count as f64 - 0.5 * all).abs() / (0.25_f64 * all).sqrt();
        counts.iter().map(off).fold(0.0, f64::max)
    }

    #[test]
    fn every_bit_of_a_number_turns_each_bit_of_its_draw_half_the_time() {
        for seed in 0..2 {
            let keyed = draws(seed, 1).keyed(Purpose::Size, "mailboxes");
            for bit in 0..64 {
                // Numbers without that bit, so that no pair counts twice.
                let items = (0..12_000_u64).map(|item| (item >> bit << 1 << bit) | (item & ((1 << bit) - 1)));
                let worst = worst_bit(items.map(|item| keyed.bits(item) ^ keyed.bits(item | (1 << bit))));
                // The worst of 8,192 counts: more than five and a half deviations once in three thousand such tests.
                assert!(worst < 5.5, "seed {seed}, bit {bit}: {worst}");
            }
        }
    }

    #[test]
    fn factors_that_differ_in_one_bit_have_nothing_in_common() {
        // Another mask is another order of the same numbers, which the test above is about.
        for seed in 0..2 {
            let keyed = draws(seed, 1).keyed(Purpose::Size, "mailboxes");
            // A factor is always odd.
            for bit in 1..64 {
                let other = Keyed { factor: keyed.factor ^ (1 << bit), ..keyed };
                let worst = worst_bit((0..12_000).map(|item| keyed.bits(item) ^ other.bits(item)));
                assert!(worst < 5.5, "seed {seed}, bit {bit}: {worst}");
            }
        }
    }

    #[test]
    fn pairs_of_neighbours_attempts_and_purposes_are_uniform() {
        const SIDE: usize = 64;
        let (cells, each) = (SIDE * SIDE, 50);
        for seed in 0..4 {
            let keyed = draws(seed, 2).keyed(Purpose::Transient, "mailboxes");
            let other = draws(seed, 2).keyed(Purpose::Switch, "mailboxes");
            let pairs: [&dyn Fn(u64) -> u64; 6] = [
                &|item| keyed.bits(item + 1),
                &|item| keyed.bits(item + 2),
                &|item| keyed.bits(item + 3),
                &|item| keyed.bits(item + 100),
                &|item| keyed.bits(item_of(item as u32, 1)),
                &|item| other.bits(item),
            ];
            // The highest bits, which `unit` takes first, some in the middle, and the lowest, the side of a normal number.
            for (pair, second) in pairs.iter().enumerate() {
                for shift in [58, 30, 0] {
                    let cell = |bits: u64| (bits >> shift) as usize % SIDE;
                    let mut counts = vec![0_f64; cells];
                    for item in 0..(cells * each) as u64 {
                        counts[cell(keyed.bits(item)) * SIDE + cell(second(item))] += 1.0;
                    }
                    let chi: f64 = counts.iter().map(|count| (count - each as f64).powi(2) / each as f64).sum();
                    // 4,095 degrees of freedom: standard deviation 90.5; four of them on either side.
                    assert!(
                        (3_733.0..4_457.0).contains(&chi),
                        "seed {seed}, pair {pair}, shift {shift}: chi square {chi}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_bit_of_a_draw_turns_on_half_the_time() {
        let keyed = draws(9, 1).keyed(Purpose::Size, "mailboxes");
        for bit in 0..64 {
            let ones = (0..20_000).filter(|item| keyed.bits(*item) >> bit & 1 == 1).count();
            assert!((9_600..10_400).contains(&ones), "bit {bit}: {ones}");
        }
    }
}
