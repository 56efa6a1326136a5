//! Whose a process is, on a kernel that is older than those that people test on: it shows other
//! things of a process that ends.

use crate::machine::{Booted, Ending, Machine};
use crate::starts::CONSOLE;

/// What is done to a mark, as instructions for a probe, which speaks when it has; see
/// `tests/system/marks.rs`. The exec gives one the environment that it has chosen.
const TREATMENTS: [&str; 6] = [
    "setsid rename",
    "unsetenv=FOSTER_RUN setsid exec /bin/probe",
    "setsid mainless",
    "setsid uid=65534",
    "setsid uid=65534 undumpable mainless",
    // As pam_limits does it (su, login): here the environment tells.
    "setsid limit=locks:hard",
];

/// The leader of a service that leaves all of these behind when it gets USR1; from its second run on
/// it stays. It speaks as who it is, and writes its pid into /run.
fn leaving(name: &str) -> String {
    let mut script = format!("if [ -e /run/{name} ]; then exec probe say={name}:again pause; fi\n");
    script += &format!("echo $$ >/run/{name}\n");
    for (number, treatment) in TREATMENTS.iter().enumerate() {
        script += &format!("probe orphan {{ {treatment} say={name}:{number} pause }}\n");
    }
    // One that takes its time to end, in the group, and what it leaves, which is not; and one that
    // is a stranger's by both marks.
    script += &format!(
        "probe fork {{ setsid say={name}:below pause }} eat=80 say={name}:large pause &\n\
         probe orphan {{ limit=locks:hard unsetenv=FOSTER_RUN setsid exec /bin/probe \
         say={name}:stranger pause }}\n\
         exec probe block=USR1 say={name}:up await=USR1 exit=1"
    );
    script
}

/// What all that [`leaving`] starts says.
fn says(name: &str) -> Vec<String> {
    let numbers = (0..TREATMENTS.len()).map(|number| number.to_string());
    let others = ["below", "large", "stranger", "up"].map(String::from);
    numbers.chain(others).map(|what| format!("{name}:{what}")).collect()
}

fn expect_all(machine: &mut Booted, says: &[String]) {
    let says: Vec<&str> = says.iter().map(String::as_str).collect();
    machine.expect_parts(&says);
}

/// Has the console count the probes, zombies too; it does not see itself.
fn expect_probes(machine: &mut Booted, count: usize) {
    machine.type_line("echo $(probe processes | grep -c \" probe$\") are left");
    machine.expect(&format!("{count} are left"));
}

#[test]
fn a_crash_and_a_stop_leave_nothing_but_strangers_on_an_older_kernel() {
    let (app, job) = (leaving("app"), leaving("job"));
    let scripts = [
        ("console", CONSOLE),
        ("app", &app),
        ("job", &job),
        ("other", "exec probe say=other pause"),
    ];
    let mut machine = Machine::new(&scripts);
    machine.add_foster("bin/foster");
    // As PID 1, with services of which one says nothing.
    let options = "-- --backoff 10ms --wrap console --wrap app --wrap other";
    let mut machine = machine.boot(options);
    let mut said = says("app");
    said.extend(["other".into(), "console: listening".into()]);
    expect_all(&mut machine, &said);
    machine.type_line("kill -USR1 $(cat /run/app)");
    // Who sees the second run sees nothing of the first.
    machine.expect_parts(&["app:again"]);
    // The other, the second run, the stranger.
    let rest = 3;
    expect_probes(&mut machine, rest);

    // As a subreaper under it.
    machine.type_line("foster -q --backoff 10ms --wrap job --wrap other & job=$!");
    let mut said = says("job");
    said.push("other".into());
    expect_all(&mut machine, &said);
    machine.type_line("kill -TERM $job; wait $job; echo status $?");
    machine.expect("status 0");
    expect_probes(&mut machine, rest + 1);
    machine.type_line("kill -USR2 1");
    assert_eq!(machine.ending(), Ending::PowerOff);
    machine.off();
}
