//! The runtime that turns run on, with threads that give way to those of the sockets.

use std::io;

#[cfg(target_os = "linux")]
use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Runtime};

/// By how much threads of turns are nicer than those of sockets (setpriority(2)). Where both have work and there are not enough
/// processors, about three quarters of the time go to reading what clients say and writing what they wait for, and the
/// rest to turns; where there are enough, it makes no difference.
#[cfg(target_os = "linux")]
const TURNS_NICER_BY: i32 = 5;

/// The nicest that there is.
#[cfg(target_os = "linux")]
const NICENESS_MAX: i32 = 19;

/// A runtime for a server's turns, and whatever serves them: models, databases, logs. The sockets have threads of their own.
///
/// # Errors
/// The system gives no threads.
pub fn turns_runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(give_way)
        .build()
}

/// Lowers the priority of this thread alone, which Linux, other than POSIX, can.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        let own = getpriority_process(None);
        let lowered = own.and_then(|own| {
            setpriority_process(None, own.saturating_add(TURNS_NICER_BY).min(NICENESS_MAX))
        });
        if let Err(error) = lowered {
            // Nobody may be kept from being nicer, but a sandbox can forbid the call itself.
            tracing::debug!(%error, "threads of turns keep their priority");
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn threads_of_turns_are_nicer_than_the_one_that_made_them() {
        let runtime = turns_runtime().expect("a runtime");
        let own = getpriority_process(None).expect("a priority");
        let of_turns = runtime
            .block_on(runtime.spawn(async { getpriority_process(None) }))
            .expect("no panic");
        assert_eq!(of_turns, Ok((own + TURNS_NICER_BY).min(NICENESS_MAX)));
        assert_eq!(getpriority_process(None), Ok(own));
    }
}
