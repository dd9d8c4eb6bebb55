//! `/proc/diskstats`: how busy a block device is, and how long a request takes in its queue and on it.

use super::{Load, ProbeError, anew, busy_share, mean_latency};
use crate::units::{Latency, Span};

/// A device's counters since the machine started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    /// Major and minor number: another device may come by the same name.
    device: (u32, u32),
    /// Reads and writes that have ended.
    ended: u64,
    /// Milliseconds that they took, added up.
    took_ms: u64,
    /// Milliseconds in which something was under way.
    busy_ms: u64,
}

/// The counters of a device by its name: `sdb`, `dm-3`, `cciss/c0d0`.
///
/// # Errors
/// There is no such device, or its line is not understood.
pub(super) fn find(text: &str, name: &str) -> Result<Counters, String> {
    let line = text.lines().find(|line| line.split_ascii_whitespace().nth(2) == Some(name));
    let line = line.ok_or_else(|| format!("there is no block device {name}"))?;
    counters(line).ok_or_else(|| format!("the line of {name} in /proc/diskstats is not understood: {:?}", line.trim()))
}

fn counters(line: &str) -> Option<Counters> {
    let mut fields = line.split_ascii_whitespace();
    let major = fields.next()?.parse().ok()?;
    let minor = fields.next()?.parse().ok()?;
    let numbers: Vec<u64> = fields.skip(1).map(|field| field.parse().ok()).collect::<Option<_>>()?;
    // Reads: ended, merged, sectors, time; writes: the same; under way, busy time, weighted time; newer kernels say more.
    let [reads, _, _, read_ms, writes, _, _, write_ms, _, busy_ms, _, ..] = numbers[..] else { return None };
    Some(Counters {
        device: (major, minor),
        ended: reads.checked_add(writes)?,
        took_ms: read_ms.checked_add(write_ms)?,
        busy_ms,
    })
}

/// The load between two readings.
///
/// # Errors
/// A counter has wrapped (some have 32 bits: they do after 49 busy days) or begun anew, or it is another device.
pub(super) fn between(before: Counters, now: Counters, elapsed: Span) -> Result<Load, ProbeError> {
    let rise = |of: fn(&Counters) -> u64| of(&now).checked_sub(of(&before)).ok_or_else(|| anew("the device"));
    if before.device != now.device {
        return Err(anew("another device of the same name"));
    }
    let (ended, took_ms, busy_ms) = (rise(|c| c.ended)?, rise(|c| c.took_ms)?, rise(|c| c.busy_ms)?);
    let busy = Span::from_micros(i64::try_from(busy_ms).unwrap_or(i64::MAX).saturating_mul(1_000));
    // Where nothing has ended, the oldest request has been under way for all of the busy time.
    let latency = if ended == 0 { Latency::from_secs_up(busy.secs()) } else { mean_latency(took_ms, ended) };
    Ok(Load { utilisation: busy_share(busy, elapsed)?, latency, age: Span::ZERO })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::Share;

    /// Linux 6.18, with discards and flushes.
    const NEW: &str = "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 2319250 31531 83833546 3866774 52169 134945 96310328 662810 0 193976 4583479 61702 89 53560152 50960 1420 2934
 253       0 zram0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
";
    /// Linux 3.10, a disk, a partition of it, and a controller whose names have a slash.
    const OLD: &str = "   8      16 sdb 1306414 51 270023502 8152910 3307541 91 1041235840 60018235 2 9300012 68170103
   8      17 sdb1 1306000 51 270020000 8152000 3307541 91 1041235840 60018235 2 9300010 68170000
 104       0 cciss/c0d0 10 0 80 25 0 0 0 0 0 25 25
";

    #[test]
    fn a_device_is_found_by_its_whole_name() {
        let vda = Counters { device: (254, 0), ended: 2_371_419, took_ms: 4_529_584, busy_ms: 193_976 };
        assert_eq!(find(NEW, "vda"), Ok(vda));
        let sdb = Counters { device: (8, 16), ended: 4_613_955, took_ms: 68_171_145, busy_ms: 9_300_012 };
        assert_eq!(find(OLD, "sdb"), Ok(sdb));
        assert_eq!(find(OLD, "sdb1").map(|counters| counters.device), Ok((8, 17)));
        assert_eq!(find(OLD, "cciss/c0d0").map(|counters| counters.took_ms), Ok(25));
        assert_eq!(find(NEW, "vd"), Err("there is no block device vd".to_owned()));
    }

    #[test]
    fn a_line_that_is_cut_or_garbled_is_refused() {
        for line in
            ["8 1 sdb1 1 2 3 4", "8 1 sdb1", "8 x sdb1 1 2 3 4 5 6 7 8 9 10 11", "8 1 sdb1 1 2 3 4 5 6 7 8 -9 10 11"]
        {
            assert!(find(line, "sdb1").unwrap_err().contains("is not understood"), "{line}");
        }
    }

    #[test]
    fn load_is_what_happened_between_two_readings() {
        let before = Counters { device: (8, 0), ended: 1_000, took_ms: 5_000, busy_ms: 100 };
        let now = Counters { ended: 1_400, took_ms: 6_000, busy_ms: 2_600, ..before };
        let load = between(before, now, Span::from_secs(10)).unwrap();
        assert_eq!(
            load,
            Load { utilisation: Share::from_ppm(250_000), latency: Latency::from_micros(2_500), ..Load::default() }
        );
        // Idle: no request took any time. And the kernel's steps never make a device more than busy.
        assert_eq!(between(now, now, Span::from_secs(10)).unwrap(), Load::default());
        assert_eq!(between(before, now, Span::from_secs(2)).unwrap().utilisation, Share::ONE);
    }

    #[test]
    fn a_device_that_hangs_is_busy_and_slow() {
        let before = Counters { device: (8, 0), ended: 1_000, took_ms: 5_000, busy_ms: 100 };
        let load = between(before, Counters { busy_ms: 9_100, ..before }, Span::from_secs(10)).unwrap();
        assert_eq!(
            load,
            Load { utilisation: Share::from_ppm(900_000), latency: Latency::from_micros(9_000_000), ..Load::default() }
        );
    }

    #[test]
    fn counters_that_fall_and_other_devices_are_missing_samples() {
        let before = Counters { device: (8, 0), ended: 1_000, took_ms: 5_000, busy_ms: 4_294_967_290 };
        let elapsed = Span::from_secs(10);
        for now in [
            Counters { busy_ms: 4, ended: 1_001, ..before },
            Counters { ended: 3, ..before },
            Counters { took_ms: 3, ..before },
            Counters { device: (8, 16), ..before },
        ] {
            assert!(matches!(between(before, now, elapsed), Err(ProbeError::Missing(_))), "{now:?}");
        }
        assert!(matches!(between(before, before, Span::ZERO), Err(ProbeError::Missing(_))));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "([0-9]{1,22} {0,2}|sdb|-|\\PC| |\n){0,60}") {
            let _ = find(&text, "sdb");
        }

        #[test]
        fn no_pair_of_counters_makes_a_load_above_all(a in any::<[u64; 3]>(), b in any::<[u64; 3]>(), elapsed in any::<i64>()) {
            let counters = |c: [u64; 3]| Counters { device: (0, 0), ended: c[0], took_ms: c[1], busy_ms: c[2] };
            if let Ok(load) = between(counters(a), counters(b), Span::from_micros(elapsed)) {
                prop_assert!(load.utilisation <= Share::ONE);
            }
        }
    }
}
