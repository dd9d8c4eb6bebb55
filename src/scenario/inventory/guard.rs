//! Keeps what a library cannot read from ending the program: damaged files make readers panic.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Readings under way: while there is one, a panic is told by its result and not on stderr, whichever thread it is on.
static READING: AtomicUsize = AtomicUsize::new(0);
static HOOK: Once = Once::new();

/// What `read` gives; a panic in it is an error like any other.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if READING.load(Ordering::SeqCst) == 0 {
                before(info);
            }
        }));
    });
    READING.fetch_add(1, Ordering::SeqCst);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    READING.fetch_sub(1, Ordering::SeqCst);
    result.unwrap_or_else(|_| Err("its contents contradict each other".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded(|| Ok(3)), Ok(3));
        assert!(guarded(|| -> Result<(), String> { panic!("as a damaged file makes a reader do") }).is_err());
    }
}
