//! Response time over utilisation.
//!
//! The knee form is `R = b + a u + s / (1 - u/c)`; presets are published SPECsfs2008 NFS results (spec.org): their points,
//! or a fit of this form with an rms error of 2.3 to 4.9 %. What a curve leaves out: caches that empty, reads against
//! writes, and anything that depends on history.

/// A point of a measured curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Utilisation, 1 at the rated capacity.
    pub utilisation: f64,
    /// Response time in milliseconds.
    pub response_ms: f64,
}

/// Response time at one utilisation, in seconds, and how it changes there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Response {
    /// Response time.
    pub seconds: f64,
    /// First derivative, in seconds for a utilisation of 1; zero where clamped.
    pub slope_s: f64,
    /// Second derivative; zero where clamped, and between points.
    pub bend_s: f64,
    /// Third derivative; zero where clamped, and between points.
    pub third_s: f64,
}

impl Response {
    /// The response time at a small distance from here, by the series up to the third derivative.
    #[must_use]
    #[inline]
    pub fn seconds_at_distance(&self, distance: f64) -> f64 {
        self.seconds
            + distance * (self.slope_s + distance * (0.5 * self.bend_s + distance * (1.0 / 6.0) * self.third_s))
    }
}

/// Response time over utilisation.
#[derive(Clone, Debug, PartialEq)]
pub enum LatencyCurve {
    /// `R = b + a u + s / (1 - u/c)`, in milliseconds.
    Knee {
        /// Offset, ms.
        offset_ms: f64,
        /// Linear part, ms for a utilisation of 1.
        linear_ms: f64,
        /// Weight of the knee, ms.
        knee_ms: f64,
        /// Utilisation at which the knee has no bound.
        limit: f64,
    },
    /// Straight lines between points, rising in utilisation; constant before the first, the last line goes on.
    Points(Vec<CurvePoint>),
}

/// The share of a knee's limit at which the response is clamped: the formula has no meaning at and above it.
const CLAMP: f64 = 0.99;

impl LatencyCurve {
    /// Utilisation from which the response is clamped and the time counts as saturated.
    #[must_use]
    pub fn saturation(&self) -> f64 {
        match self {
            Self::Knee { limit, .. } => CLAMP * limit,
            Self::Points(points) => points.last().map_or(1.0, |last| last.utilisation.max(1.0)),
        }
    }

    /// Response time in seconds at a utilisation of zero or more; clamped from `saturation` on.
    #[must_use]
    #[inline]
    pub fn response_s(&self, utilisation: f64) -> f64 {
        match self {
            Self::Knee { offset_ms, linear_ms, knee_ms, limit } => {
                let u = utilisation.min(CLAMP * limit);
                (offset_ms + linear_ms * u + knee_ms / (1.0 - u / limit)) * 1e-3
            }
            Self::Points(points) => points_response_ms(points, utilisation.min(self.saturation())) * 1e-3,
        }
    }

    /// Response time, slope and bend together, for the price of one division.
    #[must_use]
    #[inline]
    pub fn response(&self, utilisation: f64) -> Response {
        match self {
            Self::Knee { offset_ms, linear_ms, knee_ms, limit } if utilisation < CLAMP * limit => {
                let room = 1.0 / (limit - utilisation);
                let knee = knee_ms * limit * room;
                Response {
                    seconds: (offset_ms + linear_ms * utilisation + knee) * 1e-3,
                    slope_s: (linear_ms + knee * room) * 1e-3,
                    bend_s: 2.0 * knee * room * room * 1e-3,
                    third_s: 6.0 * knee * room * room * room * 1e-3,
                }
            }
            Self::Knee { .. } | Self::Points(_) => {
                let (seconds, slope_s) = (self.response_s(utilisation), self.slope_s(utilisation));
                Response { seconds, slope_s, bend_s: 0.0, third_s: 0.0 }
            }
        }
    }

    /// Slope of the response in seconds for a utilisation of 1; zero where clamped.
    #[must_use]
    #[inline]
    pub fn slope_s(&self, utilisation: f64) -> f64 {
        if utilisation >= self.saturation() {
            return 0.0;
        }
        match self {
            Self::Knee { linear_ms, knee_ms, limit, .. } => {
                let room = 1.0 - utilisation / limit;
                (linear_ms + knee_ms / (limit * room * room)) * 1e-3
            }
            Self::Points(_) => {
                let step = 1e-4;
                (self.response_s(utilisation + step) - self.response_s(utilisation)) / step
            }
        }
    }
}

fn points_response_ms(points: &[CurvePoint], utilisation: f64) -> f64 {
    let after = points.partition_point(|point| point.utilisation <= utilisation);
    match (after, points.len()) {
        (_, 0) => 0.0,
        (0, _) | (_, 1) => points[0].response_ms,
        (after, len) => {
            let right = after.min(len - 1);
            let (a, b) = (points[right - 1], points[right]);
            let along = (utilisation - a.utilisation) / (b.utilisation - a.utilisation);
            a.response_ms + along * (b.response_ms - a.response_ms)
        }
    }
}

/// Names of the presets; `-points` after a name takes the published points in place of the fit.
pub const PRESETS: [&str; 4] =
    ["specsfs2008-fas3140", "specsfs2008-fas3160", "specsfs2008-fas6240-16", "specsfs2008-fas6240-20"];

/// The published curve of a system, as a fit or, with `-points` at the end of its name, point by point.
///
/// Sources: `SPECsfs2008_nfs.v3` results 20081215-00112, 20090727-00126, 20111017-00200 and 20111017-00199.
#[must_use]
pub fn preset(name: &str) -> Option<LatencyCurve> {
    let (base, points) = name.strip_suffix("-points").map_or((name, false), |base| (base, true));
    let (fit, measured): ((f64, f64, f64, f64), [f64; 10]) = match base {
        "specsfs2008-fas3140" => ((-0.28, 0.98, 1.007, 1.121), [0.9, 1.2, 1.4, 1.7, 2.0, 2.4, 3.1, 4.1, 5.8, 10.0]),
        "specsfs2008-fas3160" => ((0.18, 0.87, 0.484, 1.243), [0.8, 0.9, 1.1, 1.3, 1.4, 1.6, 1.9, 2.2, 2.8, 3.5]),
        "specsfs2008-fas6240-16" => ((0.15, 0.85, 0.355, 1.115), [0.6, 0.8, 0.9, 1.1, 1.2, 1.4, 1.6, 2.1, 2.9, 4.4]),
        "specsfs2008-fas6240-20" => ((0.11, 0.97, 0.373, 1.113), [0.6, 0.8, 0.9, 1.1, 1.4, 1.4, 1.7, 2.2, 3.1, 4.7]),
        _ => return None,
    };
    let curve = if points {
        let point = |(tenth, response_ms)| CurvePoint { utilisation: (tenth + 1) as f64 / 10.0, response_ms };
        LatencyCurve::Points(measured.into_iter().enumerate().map(point).collect())
    } else {
        LatencyCurve::Knee { offset_ms: fit.0, linear_ms: fit.1, knee_ms: fit.2, limit: fit.3 }
    };
    Some(curve)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_passes_near_the_published_points() {
        for name in PRESETS {
            let (fit, points) = (preset(name).unwrap(), preset(&format!("{name}-points")).unwrap());
            for tenth in 1..=9 {
                let u = f64::from(tenth) / 10.0;
                let off = fit.response_s(u) / points.response_s(u) - 1.0;
                assert!(off.abs() < 0.10, "{name} at {u}: off by {off}");
            }
        }
    }

    #[test]
    fn a_published_point_is_exact_up_to_the_last_one_from_which_it_is_clamped() {
        let curve = preset("specsfs2008-fas3140-points").unwrap();
        for (utilisation, seconds) in [(0.1, 0.9e-3), (0.95, 7.9e-3), (1.0, 10.0e-3), (1.5, 10.0e-3)] {
            assert!((curve.response_s(utilisation) - seconds).abs() < 1e-12, "{utilisation}");
        }
    }

    #[test]
    fn the_response_is_clamped_where_the_formula_ends() {
        let curve = preset("specsfs2008-fas3140").unwrap();
        assert!((curve.response_s(5.0) - curve.response_s(curve.saturation())).abs() < 1e-12);
        assert!(curve.slope_s(5.0).abs() < 1e-12);
    }

    #[test]
    fn the_slope_is_the_derivative() {
        let curve = preset("specsfs2008-fas3140").unwrap();
        for u in [0.4, 0.9, 0.97] {
            let numeric = (curve.response_s(u + 1e-6) - curve.response_s(u - 1e-6)) / 2e-6;
            assert!((curve.slope_s(u) / numeric - 1.0).abs() < 1e-4);
            let response = curve.response(u);
            assert!((response.seconds / curve.response_s(u) - 1.0).abs() < 1e-12);
            assert!((response.slope_s / curve.slope_s(u) - 1.0).abs() < 1e-12);
            let bend_s = (curve.slope_s(u + 1e-6) - curve.slope_s(u - 1e-6)) / 2e-6;
            assert!((response.bend_s / bend_s - 1.0).abs() < 1e-4);
            let third_s = (curve.response(u + 1e-6).bend_s - curve.response(u - 1e-6).bend_s) / 2e-6;
            assert!((response.third_s / third_s - 1.0).abs() < 1e-4);
            let near = response.seconds_at_distance(1e-3);
            assert!((near / curve.response_s(u + 1e-3) - 1.0).abs() < 1e-6);
        }
    }
}
