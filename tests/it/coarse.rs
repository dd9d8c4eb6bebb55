//! Settings for tests that are about what is said of a forecast, and not about what a forecast says.

/// Fewer steps of the load and fewer samples: a third of the time in a program that is not optimised, and hardly other dates.
pub(crate) const COARSE: [&str; 8] = [
    "--set",
    "load.step='30 min'",
    "--set",
    "probe.every='4 min'",
    "--set",
    "probe.clusters_every='10 min'",
    "--set",
    "plan.throttle.every='4 min'",
];
