//! Elementary functions from multiplications, additions and square roots alone: fast, and the same bits on every
//! platform, where the standard library's `exp` and `ln` depend on the platform's.

const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Adding and taking away 1.5 x 2^52 rounds to the nearest integer without a call.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// e to the power `x`, within 1e-14 of its value; 0 below -708, and the value at 709 above that.
#[inline]
pub(crate) fn exp(x: f64) -> f64 {
    let bounded = x.clamp(-708.0, 709.0);
    let shifted = bounded * std::f64::consts::LOG2_E + ROUND;
    let twos = shifted - ROUND;
    let r = (bounded - twos * LN_2_HIGH) - twos * LN_2_LOW;
    let (r2, r4) = (r * r, (r * r) * (r * r));
    // The Taylor series to the 12th power in Estrin's order; |r| is at most ln(2) / 2.
    let first = (1.0 + r) + r2 * (1.0 / 2.0 + r * (1.0 / 6.0));
    let second = (1.0 / 24.0 + r * (1.0 / 120.0)) + r2 * (1.0 / 720.0 + r * (1.0 / 5_040.0));
    let third = (1.0 / 40_320.0 + r * (1.0 / 362_880.0)) + r2 * (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0));
    let series = first + r4 * (second + r4 * (third + r4 * (1.0 / 479_001_600.0)));
    // The rounded number of twos stands in the lowest bits of `shifted`: it goes to the exponent without a conversion.
    let power = f64::from_bits(series.to_bits().wrapping_add(shifted.to_bits() << 52));
    if x < -708.0 { 0.0 } else { power }
}

/// The nearest whole number to `x` within 0 and 2^51, for less than that or not a number 0, for more 2^51: without the
/// checks of a conversion.
#[inline]
pub(crate) fn whole(x: f64) -> u64 {
    /// 2^52: numbers above it have no digits behind the point, and below twice as much the number is their last 52 bits.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let bounded = if x > 0.0 { x } else { 0.0 };
    let bounded = if bounded < WHOLE * 0.5 { bounded } else { WHOLE * 0.5 };
    (bounded + WHOLE).to_bits() & ((1 << 52) - 1)
}

/// `whole` of what is known to be zero or more.
#[inline]
pub(crate) fn whole_of_positive(x: f64) -> u64 {
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let bounded = if x < WHOLE * 0.5 { x } else { WHOLE * 0.5 };
    (bounded + WHOLE).to_bits() & ((1 << 52) - 1)
}

/// The natural logarithm of a positive normal number, within 1e-14 of its value.
#[inline]
pub(crate) fn ln(x: f64) -> f64 {
    /// 2^52 and the exponent's bias: what a biased exponent in the lowest bits of 2^52 is too large by.
    const BIASED: f64 = 4_503_599_627_370_496.0 + 1_023.0;
    let bits = x.to_bits();
    let exponent = f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000) - BIASED;
    let whole = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    let above = whole > std::f64::consts::SQRT_2;
    let m = if above { whole * 0.5 } else { whole };
    let twos = if above { exponent + 1.0 } else { exponent };
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let odd = z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0 + z * (1.0 / 11.0 + z * tail(z))))));
    twos * LN_2_HIGH + (twos * LN_2_LOW + 2.0 * (s + s * odd))
}

#[inline]
fn tail(z: f64) -> f64 {
    1.0 / 13.0 + z * (1.0 / 15.0 + z * (1.0 / 17.0 + z * (1.0 / 19.0)))
}

/// The quantile of the standard normal distribution at `p` within (0, 1): algorithm AS 241, PPND16 (Wichura, 1988).
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if (p - 0.5).abs() <= CENTRE { central_quantile(p) } else { outer_quantile(p) }
}

/// How far from a half the formula of the centre holds.
const CENTRE: f64 = 0.425;

#[inline]
fn central_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    let r = 0.180_625 - q * q;
    q * ratio(r, &CENTRE_OVER, &CENTRE_UNDER)
}

#[inline]
fn outer_quantile(p: f64) -> f64 {
    let low = p < 0.5;
    let r = (-ln(if low { p } else { 1.0 - p })).sqrt();
    let near = ratio(r - 1.6, &NEAR_OVER, &NEAR_UNDER);
    let size = if r <= 5.0 { near } else { ratio(r - 5.0, &FAR_OVER, &FAR_UNDER) };
    if low { -size } else { size }
}

#[inline]
fn ratio(r: f64, over: &[f64; 8], under: &[f64; 8]) -> f64 {
    estrin(r, over) / estrin(r, under)
}

#[inline]
fn estrin(r: f64, c: &[f64; 8]) -> f64 {
    let r2 = r * r;
    let low = (c[0] + r * c[1]) + r2 * (c[2] + r * c[3]);
    let high = (c[4] + r * c[5]) + r2 * (c[6] + r * c[7]);
    low + (r2 * r2) * high
}

const CENTRE_OVER: [f64; 8] = [
    3.387_132_872_796_366_5,
    1.331_416_678_917_843_8e2,
    1.971_590_950_306_551_3e3,
    1.373_169_376_550_946e4,
    4.592_195_393_154_987e4,
    6.726_577_092_700_87e4,
    3.343_057_558_358_813e4,
    2.509_080_928_730_122_7e3,
];
const CENTRE_UNDER: [f64; 8] = [
    1.0,
    4.231_333_070_160_091e1,
    6.871_870_074_920_579e2,
    5.394_196_021_424_751e3,
    2.121_379_430_158_659_7e4,
    3.930_789_580_009_271e4,
    2.872_908_573_572_194_3e4,
    5.226_495_278_852_854e3,
];
const NEAR_OVER: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    2.417_807_251_774_506e-1,
    2.272_384_498_926_918_4e-2,
    7.745_450_142_783_414e-4,
];
const NEAR_UNDER: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    6.897_673_349_851e-1,
    1.481_039_764_274_800_8e-1,
    1.519_866_656_361_645_7e-2,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const FAR_OVER: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    2.965_605_718_285_048_7e-1,
    2.653_218_952_657_612_4e-2,
    1.242_660_947_388_078_4e-3,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const FAR_UNDER: [f64; 8] = [
    1.0,
    5.998_322_065_558_879e-1,
    1.369_298_809_227_358e-1,
    1.487_536_129_085_061_5e-2,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, Normal};

    #[test]
    fn exp_agrees_with_the_standard_library() {
        for step in -7_000..=7_000 {
            let x = f64::from(step) * 0.100_3;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-13, "exp({x})");
        }
        assert!(exp(-1_000.0).abs() < f64::MIN_POSITIVE);
    }

    #[test]
    fn ln_agrees_with_the_standard_library() {
        for step in 1..20_000 {
            let x = f64::from(step) * f64::from(step) * 1e-6;
            assert!((ln(x) - x.ln()).abs() < 1e-14 * (1.0 + x.ln().abs()), "ln({x})");
        }
        assert!(ln(1.0).abs() < f64::MIN_POSITIVE);
    }

    #[test]
    fn whole_numbers_are_the_nearest_and_bounded() {
        for x in [0.0, 0.49, 0.51, 1.0, 2.5, 1e3 + 0.6, 123_456_789_012.4] {
            assert!((whole(x) as f64 - x).abs() <= 0.5, "{x}");
            assert_eq!(whole_of_positive(x), whole(x), "{x}");
        }
        assert_eq!(whole_of_positive(f64::INFINITY), 1 << 51);
        assert_eq!([whole(-3.0), whole(f64::NAN), whole(f64::INFINITY)], [0, 0, 1 << 51]);
    }

    #[test]
    fn the_normal_quantile_agrees_with_statrs() {
        let normal = Normal::new(0.0, 1.0).unwrap();
        for p in (1..4_000).map(|i| f64::from(i) / 4_000.0).chain([1e-12, 1e-9, 1e-6, 1.0 - 1e-6]) {
            let back = normal.cdf(normal_quantile(p));
            assert!((back / p - 1.0).abs() < 1e-9, "at {p}: {back}");
        }
    }
}
