//! How long the harness waits for what should happen at once.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The deadline for anything awaited: generous, since a passing test never reaches it.
pub fn patience() -> Duration {
    PATIENCE.get()
}

/// Runs `body` with a shorter deadline, where waiting in vain is what is expected.
pub fn impatiently<T>(deadline: Duration, body: impl FnOnce() -> T) -> T {
    let before = PATIENCE.replace(deadline);
    let result = body();
    PATIENCE.set(before);
    result
}

/// Waits until `probe` finds something that cannot be awaited, such as a state in /proc.
///
/// Panics at the deadline, and says what did not happen.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "timed out: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Short enough not to be noticed, long enough to leave the processor to the others.
const PAUSE: Duration = Duration::from_millis(1);

thread_local! {
    static PATIENCE: Cell<Duration> = const { Cell::new(Duration::from_secs(60)) };
}
