//! The foster program: reads its command line, and runs the state machine on the platform.
#![no_main]
#![deny(unsafe_op_in_unsafe_fn)]

mod log;
mod sys;

use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use foster::cli::{self, Outcome};
use foster::driver;
use foster::supervisor::Supervisor;

/// Runs foster with its arguments, its own name first; returns the exit code. The platform's entry
/// point calls it.
fn run(args: Vec<OsString>, world: sys::World) -> u32 {
    let config = match cli::parse(args, &world) {
        Outcome::Run(config) => config,
        Outcome::Say(say) => return sys::say_last(world, &say),
    };
    // The end of the process frees everything.
    let mut started = ManuallyDrop::new(sys::Sys::new(Rc::clone(&config), world));
    let platform = match &mut *started {
        Ok(platform) => platform,
        Err(error) => return sys::say_last(world, &error.say(&config, &world)),
    };
    let mut supervisor = ManuallyDrop::new(Supervisor::new(config, platform.facts()));
    let code = driver::run(&mut supervisor, platform);
    platform.finish();
    code
}
