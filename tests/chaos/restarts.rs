//! A thousand times kill -9.

use crate::look::{await_no_zombies, binary, own_memory};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::running::send;
use crate::support::{Launch, Place, Running, Status, probe};

#[test]
fn after_each_of_a_thousand_kill_9_there_is_exactly_one_live_child() {
    for (place, times) in [(Place::Pid1, 1000), (Place::Job, 100)] {
        kill_the_leader(&mut launch("pause").place(place).start(), times, 1);
    }
}

#[test]
fn after_each_of_hundreds_of_kill_9_nothing_is_left_of_the_run_before() {
    // One in the group, one in a session of its own, an orphan in another: four in all.
    let script = "fork { pause } fork { setsid pause } orphan { setsid pause } pause";
    kill_the_leader(&mut launch(script).place(Place::Job).start(), 300, 4);
}

fn launch(script: &str) -> Launch {
    let script = script.replace('{', "'{'").replace('}', "'}'");
    let line = format!("{} {script}", probe());
    Launch::new(binary()).args(["-q", "--backoff", "0ms", "--backoff-max", "0ms", "--wrap", &line])
}

/// Kills the service's first process so many times. Each time there is another one then, nothing
/// of the run before, and in the end `each` processes.
fn kill_the_leader(run: &mut Running, times: usize, each: usize) {
    let foster = run.pid();
    let complete = || {
        let all = alive(foster);
        assert!(all.len() <= each + usize::from(each > 1), "{all:?}: more than one run");
        // The orphan is foster's, and no longer that of a process in between.
        let own = |pid: &&i32| procfs::stat(**pid).is_some_and(|stat| stat.parent == foster);
        let adopted = all.iter().filter(own).count() == 1 + usize::from(each > 1);
        (all.len() == each && adopted).then_some(all)
    };
    let mut memory = 0;
    for time in 0..times {
        let before = until("the run is not complete", complete);
        // The oldest: foster starts it first, and adopts the others from it.
        send(before[0], "KILL");
        until("no new child", || {
            // Who sees a new child sees nothing of the run before.
            let now = alive(foster);
            let new = now.first().is_some_and(|pid| !before.contains(pid));
            let old = now.iter().any(|pid| before.contains(pid));
            assert!(!new || !old, "{now:?}, but {before:?} before kill {time}");
            new.then_some(())
        });
        if time == times / 10 {
            memory = own_memory(foster);
        }
    }
    until("the last run is not complete", complete);
    await_no_zombies(foster);
    let after = own_memory(foster);
    // Some page of stack or heap may be touched for the first time as late as that.
    assert!(after <= memory + 8, "{memory} kB, and {after} kB after {times} restarts");
    run.signal("TERM");
    assert_eq!(run.wait_for_status(), Status::Code(0));
}

/// All below foster that lives.
fn alive(foster: i32) -> Vec<i32> {
    let mut all = procfs::descendants(foster);
    all.retain(|pid| procfs::stat(*pid).is_some_and(|stat| !"ZX".contains(stat.state)));
    all
}
