//! What of a load was measured, as the simulation needs it: a course in local time for each head, and its noise.

use std::sync::Arc;

use crate::units::{OpRate, Span};

/// Five minutes in a local day: the grid of all courses.
pub const SLOTS_IN_DAY: usize = 288;

/// The users' load of all heads, as it was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredLoad {
    /// By `HeadId`.
    pub heads: Vec<MeasuredHead>,
}

/// The users' load of one head.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredHead {
    /// Its mean over a week: what the weights of other stores' users are weighed by.
    pub mean: OpRate,
    /// How it goes up and down around the mean.
    pub course: Course,
}

/// How a load goes up and down over local time, around a mean of 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Course {
    /// By the hour of the week, with noise around it.
    Hours {
        /// Weight of each five minutes of the local week from Monday 00:00; mean 1. Always 2,016 of them.
        profile: Arc<[f64]>,
        /// The noise around it.
        noise: NoiseLaw,
    },
    /// Whole measured days, drawn by weekday. Their noise is their own.
    Days(Arc<[MeasuredDay]>),
}

/// A measured local day.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredDay {
    /// Days since 1970-01-01.
    pub number: i64,
    /// Weight of each five minutes from midnight on, by local clocks. Always 288 of them.
    pub weights: Vec<f32>,
}

impl MeasuredDay {
    /// Days since Monday.
    #[must_use]
    pub const fn weekday(&self) -> usize {
        weekday(self.number)
    }
}

/// Days since Monday of a day by its number since 1970-01-01, which was a Thursday.
#[must_use]
pub const fn weekday(number: i64) -> usize {
    (number + 3).rem_euclid(7) as usize
}

/// Log-normal noise of mean 1 whose logarithm is an Ornstein-Uhlenbeck process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLaw {
    /// Standard deviation of the logarithm; zero for none.
    pub sigma: f64,
    /// Over this time correlation falls to 1/e.
    pub correlation: Span,
}

impl NoiseLaw {
    /// No noise.
    pub const NONE: Self = Self { sigma: 0.0, correlation: Span::from_secs(3_600) };
}

impl MeasuredLoad {
    /// The noise of a head's load.
    #[must_use]
    pub fn noise(&self, head: usize) -> NoiseLaw {
        match &self.heads[head].course {
            Course::Hours { noise, .. } => *noise,
            Course::Days(_) => NoiseLaw::NONE,
        }
    }

    /// The noise of a load that users of all heads cause together: the mean of the heads', weighed by their loads.
    #[must_use]
    pub fn noise_of_all(&self) -> NoiseLaw {
        let all: f64 = self.heads.iter().map(|head| head.mean.ops_per_second()).sum();
        if all <= 0.0 {
            return NoiseLaw::NONE;
        }
        let weighed = |of: &dyn Fn(NoiseLaw) -> f64| {
            let each = |(place, head): (usize, &MeasuredHead)| head.mean.ops_per_second() * of(self.noise(place));
            self.heads.iter().enumerate().map(each).sum::<f64>() / all
        };
        NoiseLaw {
            sigma: weighed(&|law| law.sigma),
            correlation: Span::from_secs_f64(weighed(&|law| law.correlation.secs())),
        }
    }

    /// The highest weight of a head's course, noise aside.
    #[must_use]
    pub fn peak(&self, head: usize) -> f64 {
        match &self.heads[head].course {
            Course::Hours { profile, .. } => profile.iter().copied().fold(0.0, f64::max),
            Course::Days(days) => days.iter().flat_map(|day| &day.weights).copied().fold(0.0, f32::max).into(),
        }
    }

    /// The lowest weight of a head's course, noise aside.
    #[must_use]
    pub fn trough(&self, head: usize) -> f64 {
        match &self.heads[head].course {
            Course::Hours { profile, .. } => profile.iter().copied().fold(f64::INFINITY, f64::min),
            Course::Days(days) => {
                let least = days.iter().flat_map(|day| &day.weights).copied().fold(f32::INFINITY, f32::min);
                // A head whose days are not known has a load all the same: nothing is said of it.
                if least.is_finite() { least.into() } else { 0.0 }
            }
        }
    }
}
