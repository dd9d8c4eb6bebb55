//! Time, sizes, rates and shares: the only place with unit arithmetic.
//!
//! Everything that decides is integral: microseconds, bytes, inodes, bytes a second, parts per million. `f64` appears where a
//! model describes (operations a second) and in conversions for people. This module knows nothing of storage.

mod quantity;
mod room;
mod time;

pub use quantity::{Bytes, Latency, OpRate, Ops, Rate, Share};
pub use room::{Inodes, InodesUsed, Room};
pub use time::{Span, Time};

#[cfg(test)]
mod tests {
    use super::*;

    const MICROS: i64 = 1_000_000;

    #[test]
    fn a_share_is_rounded_up_on_both_sides_of_what_sixty_four_bits_hold() {
        let most = u64::MAX / 1_000_000;
        for part in [0, 1, 999, most - 1, most, most + 1, 40_000_000_000_000, u64::MAX] {
            for whole in [1, 3, 1_000, most, 48_000_000_000_000, u64::MAX] {
                let expected = (u128::from(part) * 1_000_000).div_ceil(u128::from(whole)).min(u128::from(u32::MAX));
                assert_eq!(u128::from(Bytes::new(part).of(Bytes::new(whole)).ppm()), expected, "{part} of {whole}");
            }
        }
    }

    #[test]
    fn a_share_rounds_up_so_that_a_limit_is_never_passed_unseen() {
        assert_eq!(Share::from_fraction_up(0.8), Share::from_ppm(800_000));
        assert_eq!(Share::from_fraction_up(0.800_000_1), Share::from_ppm(800_001));
        assert_eq!(Bytes::new(1).of(Bytes::new(3)), Share::from_ppm(333_334));
        assert_eq!(Share::from_ppm(400_000).of_count(3), 2);
    }

    #[test]
    fn a_share_of_exabytes_does_not_overflow() {
        let most = Bytes::new(u64::MAX);
        assert_eq!(most.share(Share::ONE), most);
        assert_eq!(Rate::UNLIMITED.over(Span::from_secs(10)), most);
    }

    #[test]
    fn an_instant_is_rounded_up_before_and_after_1970() {
        let rounded = |seconds| Time::from_unix_micros(seconds * MICROS).rounded_up(Span::from_secs(60));
        assert_eq!(
            [61, 60, 0, -61].map(rounded),
            [120, 60, 0, -60].map(|seconds| Time::from_unix_micros(seconds * MICROS))
        );
    }

    #[test]
    fn nothing_flows_in_a_negative_span() {
        assert_eq!(Rate::per_second(5).over(Span::from_secs(-1)), Bytes::ZERO);
    }

    #[test]
    #[should_panic(expected = "taking 2 bytes from 1")]
    fn taking_more_bytes_than_there_are_is_our_mistake() {
        let _ = Bytes::new(1) - Bytes::new(2);
    }
}
