//! Where a sweep looks: a full grid, or a Sobol sequence that fills the same space with fewer points.

use sobol_burley::sample;

/// A key that is varied, from one value to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The full key.
    pub key: String,
    /// The first value.
    pub from: f64,
    /// The last value.
    pub to: f64,
    /// Values on a grid.
    pub steps: u32,
    /// The unit as the file writes it; empty for none.
    pub unit: String,
    /// Whether values are whole: both ends are written so, and without a unit.
    pub is_whole: bool,
}

impl Axis {
    /// The value at a share of the way.
    #[must_use]
    pub fn at(&self, share: f64) -> f64 {
        let value = self.from + (self.to - self.from) * share;
        if self.is_whole {
            return value.round();
        }
        // Six digits are enough for anybody, and a value is then the same as it is written.
        format!("{value:.5e}").parse().unwrap_or(value)
    }

    /// The value of a sequence's number between 0 and 1: every whole value is as likely.
    fn drawn(&self, number: f64) -> f64 {
        if !self.is_whole {
            return self.at(number);
        }
        let (low, high) = (self.from.min(self.to), self.from.max(self.to));
        (low + (high - low + 1.0) * number).floor().min(high)
    }

    /// Its values on a grid; whole ones only once.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        let share = |step: u32| if self.steps < 2 { 0.0 } else { f64::from(step) / f64::from(self.steps - 1) };
        let mut values: Vec<f64> = (0..self.steps).map(|step| self.at(share(step))).collect();
        values.dedup();
        values
    }

    /// A value as the file writes it.
    #[must_use]
    pub fn written(&self, value: f64) -> String {
        if self.unit.is_empty() { format!("{value}") } else { format!("{value} {}", self.unit) }
    }

    /// The key with a value, as `--set` takes it.
    #[must_use]
    pub fn setting(&self, value: f64) -> String {
        // A number of the measure without unit that is not whole stays one.
        let written = self.written(value);
        let is_bare = self.unit.is_empty() && !self.is_whole && !written.contains(['.', 'e']);
        if is_bare { format!("{}={written}.0", self.key) } else { format!("{}={written}", self.key) }
    }

    /// The key as a range in which any value is as likely, as `--set` takes it.
    #[must_use]
    pub fn range(&self) -> String {
        let end = |value: f64| {
            if self.unit.is_empty() { format!("{value}") } else { format!("{:?}", self.written(value)) }
        };
        format!("{}={{ low = {}, high = {} }}", self.key, end(self.from), end(self.to))
    }
}

/// How points are laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// Every value with every other.
    Grid,
    /// So many points of an Owen-scrambled Sobol sequence.
    Sobol(u32),
}

impl Design {
    /// How many points it has; `u64::MAX` where they are more than can be counted.
    #[must_use]
    pub fn count(self, axes: &[Axis]) -> u64 {
        match self {
            Self::Grid => axes.iter().map(|axis| axis.values().len() as u64).fold(1, u64::saturating_mul),
            Self::Sobol(count) => u64::from(count),
        }
    }

    /// The points, each with a value an axis. On a grid the last axis varies fastest.
    #[must_use]
    pub fn points(self, axes: &[Axis], seed: u64) -> Vec<Vec<f64>> {
        match self {
            Self::Grid => {
                let mut points: Vec<Vec<f64>> = vec![Vec::new()];
                for axis in axes {
                    let values = axis.values();
                    let longer = |point: &Vec<f64>| {
                        let point = point.clone();
                        values.iter().map(move |value| [&point[..], &[*value]].concat()).collect::<Vec<_>>()
                    };
                    points = points.iter().flat_map(longer).collect();
                }
                points
            }
            Self::Sobol(count) => {
                // Sixty-four bits in thirty-two: any of a sequence's scramblings is as good as another.
                let seed = (seed ^ (seed >> 32)) as u32;
                let share = |number: u32, axis: usize| f64::from(sample(number, axis as u32, seed));
                let point =
                    |number: u32| axes.iter().enumerate().map(|(at, axis)| axis.drawn(share(number, at))).collect();
                (0..count).map(point).collect()
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_has_every_whole_value_as_often() {
        let axis = Axis { key: "k".into(), from: 2.0, to: 5.0, steps: 2, unit: String::new(), is_whole: true };
        let mut drawn = [0; 8];
        for point in Design::Sobol(4_096).points(&[axis], 3) {
            drawn[point[0] as usize] += 1;
        }
        assert_eq!(drawn, [0, 0, 1_024, 1_024, 1_024, 1_024, 0, 0]);
    }

    fn axis(from: f64, to: f64, steps: u32, unit: &str) -> Axis {
        Axis { key: "a.b".into(), from, to, steps, unit: unit.into(), is_whole: unit.is_empty() }
    }

    #[test]
    fn a_grid_has_every_value_with_every_other() {
        let axes = [axis(8.0, 64.0, 3, ""), axis(4.0, 5.0, 2, "ms")];
        let points = Design::Grid.points(&axes, 1);
        assert_eq!(points, [[8.0, 4.0], [8.0, 5.0], [36.0, 4.0], [36.0, 5.0], [64.0, 4.0], [64.0, 5.0]]);
        assert_eq!(Design::Grid.count(&axes), 6);
        assert_eq!(axis(1.0, 3.0, 9, "").values(), [1.0, 2.0, 3.0], "whole values only once");
        assert_eq!(axis(0.1, 0.7, 4, "ms").values(), [0.1, 0.3, 0.5, 0.7], "without the dust of binary fractions");
    }

    #[test]
    fn a_setting_is_what_the_file_would_say() {
        assert_eq!(axis(8.0, 64.0, 3, "").setting(36.0), "a.b=36");
        assert_eq!(axis(8.0, 64.0, 3, "MB/s").setting(36.5), "a.b=36.5 MB/s");
        let bare = Axis { is_whole: false, ..axis(0.0, 1.0, 3, "") };
        assert_eq!([bare.setting(1.0), bare.setting(0.25)], ["a.b=1.0", "a.b=0.25"]);
        assert_eq!(axis(8.0, 64.0, 3, "").range(), "a.b={ low = 8, high = 64 }");
        assert_eq!(axis(6.5, 20.0, 3, "MB/s").range(), "a.b={ low = \"6.5 MB/s\", high = \"20 MB/s\" }");
    }

    /// Every power of two of its points has the same number in each half of each axis, as a Sobol sequence has.
    #[test]
    fn a_sobol_sequence_fills_the_space_evenly_and_depends_on_the_seed_alone() {
        let axes = [axis(0.0, 1.0, 1, "ms"), axis(10.0, 20.0, 1, "ms")];
        let points = Design::Sobol(64).points(&axes, 7);
        for (at, axis) in axes.iter().enumerate() {
            for quarter in 0..4 {
                let within =
                    |value: f64| ((value - axis.from) / (axis.to - axis.from) * 4.0).floor() == f64::from(quarter);
                assert_eq!(points.iter().filter(|point| within(point[at])).count(), 16, "axis {at}, quarter {quarter}");
            }
        }
        assert_eq!(points, Design::Sobol(64).points(&axes, 7));
        assert_eq!(points[..32], Design::Sobol(32).points(&axes, 7));
        assert_ne!(points, Design::Sobol(64).points(&axes, 8));
    }
}
