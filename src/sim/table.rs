//! The normal quantile and e to a power for draws by the million: from tables, a step and a short polynomial. Each has a
//! slow twin in `number`, from which its table comes and against which it is tested; additions and multiplications
//! alone, so that the bits are the same on every machine.

use std::f64::consts::LN_2;
use std::sync::LazyLock;

use super::{draw, number};

/// The tables, made once a process.
pub(crate) fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);
    &TABLES
}

/// Segments of each octave of the tail's probability: so many bits of its fraction choose one.
const SEGMENT_BITS: u32 = 4;
/// The octaves that the lowest bits of an exponent tell apart; of these, 53 can be drawn.
const OCTAVE_BITS: u32 = 6;
const SEGMENTS: usize = 1 << (OCTAVE_BITS + SEGMENT_BITS);
/// Below these bits a probability says how far within a segment it is.
const WITHIN_BITS: u32 = 52 - SEGMENT_BITS;
/// The last segment ends at 2.
const FIRST_SEGMENT: u64 = (2.0_f64.to_bits() >> WITHIN_BITS) - SEGMENTS as u64;
/// The smallest number that `draw::unit` can give.
const UNIT_MIN: f64 = 0.5 * f64::EPSILON;

/// Steps of the exponent in each octave of its power: as many as a byte counts, so that no look-up leaves the table.
const POWERS: usize = 256;
const STEP: f64 = LN_2 / POWERS as f64;

/// The tables.
pub(crate) struct Tables {
    /// By segment, the cubic of how far from the middle the normal quantile lies, in the probability of both tails
    /// together; the constant first.
    quantiles: [[f64; 4]; SEGMENTS],
    /// 2 to the power of each step.
    powers: [f64; POWERS],
}

impl Tables {
    fn new() -> Self {
        Self {
            quantiles: std::array::from_fn(|segment| quantile_cubic(FIRST_SEGMENT + segment as u64)),
            powers: std::array::from_fn(|step| number::exp(step as f64 * STEP)),
        }
    }

    /// A standard normal number from 64 random bits, within 2e-8 of the exact quantile of `probability(bits)`.
    ///
    /// That much would show in a test of the distribution only after some 10^15 draws.
    #[inline]
    pub(crate) fn normal(&self, bits: u64) -> f64 {
        f64::from_bits(self.distance(draw::unit(bits)).to_bits() ^ side(bits))
    }

    /// The quantile of the standard normal distribution at `p`, within 2e-8 of its value; `p` and 1 - `p` are 0 or at
    /// least 2^-54, and 0 counts as 2^-54.
    #[inline]
    pub(crate) fn normal_quantile(&self, p: f64) -> f64 {
        let above = 1.0 - p;
        let tail = if above < p { above } else { p };
        self.distance(tail + tail).copysign(p - 0.5)
    }

    /// How far from the middle normal numbers are with the probability `p` of both tails together.
    #[inline]
    fn distance(&self, p: f64) -> f64 {
        let [c0, c1, c2, c3] = self.quantiles[segment_of(p)];
        c0 + p * (c1 + p * (c2 + p * c3))
    }

    /// e to the power `x`, within 5e-10 of its value; below -708 and above 709 the values there.
    #[inline]
    pub(crate) fn exp(&self, x: f64) -> f64 {
        /// Adding and taking away 1.5 x 2^52 rounds to the nearest integer without a call.
        const ROUND: f64 = 6_755_399_441_055_744.0;
        let bounded = if x < 709.0 { x } else { 709.0 };
        let bounded = if bounded > -708.0 { bounded } else { -708.0 };
        let steps = bounded * (1.0 / STEP);
        let shifted = steps + ROUND;
        let rest = steps - (shifted - ROUND);
        let series = 1.0 + rest * (STEP + rest * (0.5 * STEP * STEP));
        // The rounded number of steps stands in the lowest bits: the last byte chooses the power, the others are octaves.
        let whole = shifted.to_bits();
        let power = self.powers[usize::from(whole as u8)].to_bits().wrapping_add((whole >> 8) << 52);
        f64::from_bits(power) * series
    }
}

/// The probability below the normal number that these bits stand for: the lowest says on which side of the middle it
/// lies, the highest 52 how far out.
#[inline]
pub(crate) fn probability(bits: u64) -> f64 {
    let tail = 0.5 * draw::unit(bits);
    if side(bits) == 0 { 1.0 - tail } else { tail }
}

/// The sign bit of the normal number.
#[inline]
const fn side(bits: u64) -> u64 {
    bits << 63
}

#[inline]
const fn segment_of(p: f64) -> usize {
    (p.to_bits() >> WITHIN_BITS) as usize % SEGMENTS
}

/// The cubic through a segment's distances at the Chebyshev nodes.
fn quantile_cubic(segment: u64) -> [f64; 4] {
    /// cos(pi / 8), cos(3 pi / 8) and so on.
    const NODES: [f64; 4] =
        [-0.923_879_532_511_286_7, -0.382_683_432_365_089_8, 0.382_683_432_365_089_8, 0.923_879_532_511_286_7];
    let [from, to] = [segment, segment + 1].map(|segment| f64::from_bits(segment << WITHIN_BITS));
    if from < UNIT_MIN {
        // What cannot be drawn is as if it were the smallest that can.
        return [-number::normal_quantile(0.5 * UNIT_MIN), 0.0, 0.0, 0.0];
    }
    if from >= 1.0 {
        // Both tails together are all there is: the middle itself.
        return [0.0; 4];
    }
    let x = NODES.map(|node| from + 0.5 * (to - from) * (1.0 + node));
    // Newton's divided differences, then multiplied out: that costs four digits of sixteen, and saves each draw the way to
    // the middle of its segment.
    let mut d = x.map(|x| -number::normal_quantile(0.5 * x));
    for order in 1..4 {
        for i in (order..4).rev() {
            d[i] = (d[i] - d[i - 1]) / (x[i] - x[i - order]);
        }
    }
    let mut c = [d[3], 0.0, 0.0, 0.0];
    for i in (0..3).rev() {
        c = [d[i] - x[i] * c[0], c[0] - x[i] * c[1], c[1] - x[i] * c[2], c[2] - x[i] * c[3]];
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::RunId;
    use statrs::distribution::{ContinuousCDF, Normal};

    /// Probabilities over the whole range: even steps, and tails down to the smallest.
    fn probabilities() -> impl Iterator<Item = f64> {
        let even = (1..100_000).map(|i| f64::from(i) / 1e5);
        let tails = (0..37_000).map(|i| number::exp(f64::from(-i) / 1e3)).filter(|p| (0.5 * UNIT_MIN..1.0).contains(p));
        even.chain(tails)
    }

    #[test]
    fn quantiles_are_those_of_the_algorithm_within_the_error_stated() {
        for p in probabilities() {
            let (fast, slow) = (tables().normal_quantile(p), number::normal_quantile(p));
            assert!((fast - slow).abs() < 2e-8, "at {p:e}: {fast} for {slow}");
        }
    }

    #[test]
    fn quantiles_agree_with_statrs() {
        let normal = Normal::new(0.0, 1.0).expect("a normal distribution");
        for p in probabilities().step_by(7).filter(|p| *p > 1e-12) {
            let back = normal.cdf(tables().normal_quantile(p));
            // An error in the quantile is about 1 + |z| times that much of the tail.
            assert!((back / p - 1.0).abs() < 2e-7, "at {p:e}: {back:e}");
        }
    }

    #[test]
    fn quantiles_of_what_cannot_be_drawn_are_those_at_the_ends() {
        let end = -number::normal_quantile(0.5 * UNIT_MIN);
        for (p, end) in [(0.0, -end), (1.0, end)] {
            assert!((tables().normal_quantile(p) - end).abs() < f64::EPSILON, "at {p}");
        }
        assert!(tables().normal_quantile(0.5).abs() < f64::MIN_POSITIVE);
    }

    #[test]
    fn a_normal_number_is_the_quantile_of_its_bits_probability() {
        let keyed = draw::Draws::new(RunId { seed: 3, replication: 0 }).keyed(draw::Purpose::Size, "a");
        for bits in (0..100_000).map(|item| keyed.bits(item)).chain([0, 1, 2, u64::MAX, u64::MAX - 1]) {
            let (z, p) = (tables().normal(bits), probability(bits));
            // Close below 1, a probability has too few digits.
            if p < 1.0 - 1e-9 {
                assert!((z - number::normal_quantile(p)).abs() < 4e-8, "{bits:x}: {z} at {p}");
            }
        }
    }

    #[test]
    fn normal_numbers_have_the_moments_and_the_tails_of_the_law() {
        let normal = Normal::new(0.0, 1.0).expect("a normal distribution");
        let n = 1_000_000_u32;
        for seed in 0..3 {
            let keyed = draw::Draws::new(RunId { seed, replication: 1 }).keyed(draw::Purpose::Activity, "mailboxes");
            let (mut powers, mut beyond) = ([0.0; 4], [0.0; 5]);
            for item in 0..n {
                let z = tables().normal(keyed.bits(u64::from(item)));
                for (power, sum) in (1..).zip(&mut powers) {
                    *sum += z.powi(power);
                }
                for (limit, count) in (0..).zip(&mut beyond) {
                    *count += f64::from(u8::from(z > f64::from(limit)));
                }
            }
            // Of the first four powers of a normal number: mean and variance.
            for (sum, (mean, variance)) in powers.iter().zip([(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0)]) {
                let off = (sum / f64::from(n) - mean) / (f64::sqrt(variance / f64::from(n)));
                assert!(off.abs() < 4.5, "seed {seed}: {off} standard errors off in {powers:?}");
            }
            for (limit, count) in (0..).zip(beyond) {
                let expected = f64::from(n) * normal.sf(f64::from(limit));
                assert!((count - expected).abs() < 4.5 * expected.sqrt(), "seed {seed}: {count} above {limit}");
            }
        }
    }

    #[test]
    fn powers_of_e_are_those_of_the_slow_twin_within_the_error_stated() {
        for step in -70_700..=70_800 {
            let x = f64::from(step) * 0.010_003;
            assert!((tables().exp(x) / number::exp(x) - 1.0).abs() < 5e-10, "exp({x})");
        }
        for (x, bound) in [(-1e9, -708.0), (f64::NEG_INFINITY, -708.0), (1e9, 709.0), (f64::INFINITY, 709.0)] {
            assert!((tables().exp(x) / number::exp(bound) - 1.0).abs() < 5e-10, "exp({x})");
        }
    }
}
