//! Numbers that are not known exactly: a range or a distribution in place of one value.

use statrs::distribution::{ContinuousCDF, Normal};

/// How sure a number is; in the base unit of its measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Law {
    Exact(f64),
    /// Any value between is as likely.
    Uniform {
        low: f64,
        high: f64,
    },
    Triangular {
        low: f64,
        mid: f64,
        high: f64,
    },
    /// Of the value over many worlds; cut off at what is allowed.
    Lognormal {
        median: f64,
        sigma: f64,
    },
    /// Cut off at what is allowed.
    Normal {
        mean: f64,
        sd: f64,
    },
}

/// So little may be cut off of a distribution that the middle of the whole is its middle.
const NOTHING_CUT: f64 = 1e-6;

/// The values that a key allows, ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) whole: bool,
}

impl Law {
    /// The name in reports.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Uniform { .. } => "uniform",
            Self::Triangular { .. } => "triangular",
            Self::Lognormal { .. } => "lognormal",
            Self::Normal { .. } => "normal",
        }
    }

    /// The value taken when nothing is drawn: the mode of a triangle, the mean of a uniform range, else the median of what is drawn.
    pub(crate) fn middle(&self, bounds: Bounds) -> f64 {
        match *self {
            Self::Exact(value) => value,
            Self::Uniform { low, high } => bounds.fit(low + (high - low) / 2.0),
            Self::Triangular { mid, .. } => bounds.fit(mid),
            Self::Lognormal { .. } | Self::Normal { .. } if self.is_cut_off(bounds) => self.quantile(0.5, bounds),
            Self::Lognormal { median, .. } => bounds.fit(median),
            Self::Normal { mean, .. } => bounds.fit(mean),
        }
    }

    /// Whether so much is cut off that what is drawn has another middle than the whole.
    pub(crate) fn is_cut_off(&self, bounds: Bounds) -> bool {
        self.cut_off(bounds) > NOTHING_CUT
    }

    /// The share of a distribution that lies outside what is allowed; nothing of a range, which is checked at its ends.
    pub(crate) fn cut_off(&self, bounds: Bounds) -> f64 {
        let kept = |from: f64, to: f64| Normal::standard().cdf(to) - Normal::standard().cdf(from);
        match *self {
            Self::Normal { mean, sd } if sd > 0.0 => 1.0 - kept((bounds.min - mean) / sd, (bounds.max - mean) / sd),
            Self::Lognormal { median, sigma } if sigma > 0.0 => {
                let scale = |value: f64| if value > 0.0 { (value / median).ln() / sigma } else { f64::NEG_INFINITY };
                1.0 - kept(scale(bounds.min), scale(bounds.max))
            }
            Self::Exact(_)
            | Self::Uniform { .. }
            | Self::Triangular { .. }
            | Self::Lognormal { .. }
            | Self::Normal { .. } => 0.0,
        }
    }

    /// The value below which a share `u` of all values lies (0 < u < 1); never outside the bounds.
    pub(crate) fn quantile(&self, u: f64, bounds: Bounds) -> f64 {
        let value = match *self {
            Self::Exact(value) => return value,
            // Rounding would leave either end half as likely as what lies between.
            Self::Uniform { low, high } if bounds.whole => (low + (high - low + 1.0) * u).floor().min(high),
            Self::Uniform { low, high } => low + (high - low) * u,
            Self::Triangular { low, mid, high } => triangular(low, mid, high, u),
            Self::Lognormal { median, sigma } if sigma > 0.0 => {
                let scale = |value: f64| if value > 0.0 { (value / median).ln() / sigma } else { f64::NEG_INFINITY };
                median * (sigma * cut_normal(scale(bounds.min), scale(bounds.max), u)).exp()
            }
            Self::Normal { mean, sd } if sd > 0.0 => {
                mean + sd * cut_normal((bounds.min - mean) / sd, (bounds.max - mean) / sd, u)
            }
            Self::Lognormal { median, .. } => median,
            Self::Normal { mean, .. } => mean,
        };
        bounds.fit(value)
    }
}

impl Bounds {
    /// The nearest allowed value.
    fn fit(self, value: f64) -> f64 {
        let value = if self.whole { value.round() } else { value };
        if value.is_nan() { self.min } else { value.max(self.min).min(self.max) }
    }
}

fn triangular(low: f64, mid: f64, high: f64, u: f64) -> f64 {
    let width = high - low;
    if width <= 0.0 {
        return mid;
    }
    if u * width < mid - low {
        low + (u * width * (mid - low)).sqrt()
    } else {
        high - ((1.0 - u) * width * (high - mid)).sqrt()
    }
}

/// The standard normal between two limits, by its quantile.
fn cut_normal(from: f64, to: f64, u: f64) -> f64 {
    let normal = Normal::standard();
    let (below, above) = (normal.cdf(from), normal.cdf(to));
    let p = (below + u * (above - below)).clamp(1e-15, 1.0 - 1e-15);
    normal.inverse_cdf(p).clamp(from.min(to), to.max(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Bounds = Bounds { min: -1e18, max: 1e18, whole: false };

    #[test]
    fn quantiles_rise_and_stay_within_the_range() {
        let laws = [
            Law::Uniform { low: 1.0, high: 3.0 },
            Law::Triangular { low: 1.0, mid: 2.5, high: 3.0 },
            Law::Triangular { low: 1.0, mid: 1.0, high: 3.0 },
            Law::Lognormal { median: 2.0, sigma: 1.0 },
            Law::Normal { mean: 2.0, sd: 2.0 },
        ];
        let bounds = Bounds { min: 1.0, max: 3.0, whole: false };
        for law in laws {
            let values: Vec<f64> = (1..200).map(|i| law.quantile(f64::from(i) / 200.0, bounds)).collect();
            assert!(values.is_sorted(), "{law:?}");
            assert!(values.iter().all(|value| (1.0..=3.0).contains(value)), "{law:?}");
        }
    }

    #[test]
    fn a_triangle_has_its_textbook_mean() {
        let law = Law::Triangular { low: 14.0, mid: 18.0, high: 22.5 };
        let n = 100_000;
        let mean = (0..n).map(|i| law.quantile((f64::from(i) + 0.5) / f64::from(n), FREE)).sum::<f64>() / f64::from(n);
        assert!((mean - (14.0 + 18.0 + 22.5) / 3.0).abs() < 1e-3, "{mean}");
    }

    #[test]
    fn a_normal_has_its_textbook_quantiles() {
        let law = Law::Normal { mean: 10.0, sd: 2.0 };
        assert!((law.quantile(0.9, FREE) - 12.563_103).abs() < 1e-4);
        let law = Law::Lognormal { median: 10.0, sigma: 0.5 };
        assert!((law.quantile(0.9, FREE) - 10.0 * (0.5 * 1.281_551_6_f64).exp()).abs() < 1e-3);
    }

    #[test]
    fn the_middle_of_what_is_cut_off_is_that_of_what_is_drawn() {
        let bounds = Bounds { min: 0.0, max: 1e18, whole: false };
        let at_most = Bounds { max: 2.0, ..bounds };
        let normal = Law::Normal { mean: 1.0, sd: 4.0 };
        assert!((normal.cut_off(bounds) - 0.401_29).abs() < 1e-4, "{}", normal.cut_off(bounds));
        // Half of the lognormal lies above 2: what is left has its median at the quartile.
        let lognormal = Law::Lognormal { median: 2.0, sigma: 1.0 };
        for (law, bounds, expected) in
            [(normal, bounds, 3.105_0), (lognormal, at_most, 2.0 * (-0.674_489_75_f64).exp())]
        {
            let (middle, n) = (law.middle(bounds), 10_000);
            let below = (0..n).filter(|i| law.quantile((f64::from(*i) + 0.5) / f64::from(n), bounds) < middle).count();
            assert!((4_999..=5_001).contains(&below) && (middle - expected).abs() < 1e-3, "{below} {middle}");
        }
        assert!((lognormal.middle(bounds) - 2.0).abs() < 1e-12);
        let whole = Law::Normal { mean: 10.0, sd: 1.0 };
        assert!((whole.middle(FREE) - 10.0).abs() < 1e-12 && whole.cut_off(FREE) < 1e-12);
        assert!(Law::Uniform { low: 0.0, high: 9.0 }.cut_off(bounds).abs() < 1e-12);
    }

    #[test]
    fn a_whole_number_is_drawn_whole() {
        let bounds = Bounds { min: 1.0, max: 9.0, whole: true };
        let drawn = Law::Uniform { low: 1.0, high: 9.0 }.quantile(0.34, bounds);
        assert!((drawn - 4.0).abs() < 1e-12, "{drawn}");
    }

    #[test]
    fn every_whole_number_of_a_range_is_as_likely() {
        let (law, bounds) = (Law::Uniform { low: 2.0, high: 5.0 }, Bounds { min: 1.0, max: 9.0, whole: true });
        let mut drawn = [0; 10];
        for step in 0..4_000 {
            drawn[law.quantile((f64::from(step) + 0.5) / 4_000.0, bounds) as usize] += 1;
        }
        assert_eq!(drawn, [0, 0, 1_000, 1_000, 1_000, 1_000, 0, 0, 0, 0]);
        let ends = [0.0, 1.0].map(|u| law.quantile(u, bounds) as u32);
        assert_eq!(ends, [2, 5]);
    }
}
