//! What becomes of file systems.

use std::path::Path;
use std::process::Command;

use crate::machine::{Ending, Machine};
use crate::scratch;

#[test]
fn disks_are_put_away_before_the_end_and_those_in_use_as_far_as_can_be() {
    let write = "for place in '/a b' /mnt /mnt2; do echo \"kept $place\" >\"$place/file\"; done\n\
                 echo written";
    let mut machine = Machine::new(&[("write", write)]);
    machine.add_foster("bin/foster");
    let disks = [machine.add_disk(), machine.add_disk(), machine.add_disk()];
    // foster inherits a descriptor on each of the last two, and one on the root, so that they stay
    // in use to the end.
    let init = "for module in 0 1 2 3 4 5; do insmod /modules/$module.ko; done\n\
                mkdir '/a b'\nmount -t devtmpfs none /dev\nmount -t ext4 /dev/vda '/a b'\n\
                mount -t ext4 /dev/vdb /mnt\nmount -t ext4 /dev/vdc /mnt2\n\
                echo >/mnt/open; exec 7</mnt/open 8>/mnt2/open 9>/open; exec foster write";
    machine.add("init", format!("#!/bin/sh\n{init}\n").as_bytes());
    let mut machine = machine.boot("");
    machine.expect("written");
    machine.expect("foster: info: powering off");
    machine.expect_part("cannot unmount /mnt2, which is in use, nor make it read-only: ");
    machine.expect("foster: warning: cannot unmount /mnt, which is in use: read-only now");
    machine.expect_part("foster: warning: cannot make / read-only: ");
    assert_eq!(machine.ending(), Ending::PowerOff);
    let seen = machine.off();
    assert_eq!(seen.matches("warning").count(), 3, "{seen}");
    let [unmounted, read_only, written] = &disks;
    assert_clean(unmounted);
    assert_clean(read_only);
    // What was written is there all the same, in the journal if nowhere else.
    let state = Command::new("/sbin/e2fsck").args(["-fy"]).arg(written).output();
    let state = state.expect("e2fsck is installed");
    assert!(matches!(state.status.code(), Some(0 | 1)), "{state:?}");
    for (disk, place) in disks.iter().zip(["/a b", "/mnt", "/mnt2"]) {
        assert_eq!(file_on(disk), format!("kept {place}\n"));
    }
}

#[test]
fn a_root_on_a_disk_is_read_only_and_clean_before_the_end() {
    let machine = Machine::new(&[("write", "echo kept >/file; echo written")]);
    let (mut machine, disk) = machine.boot_from_disk("rw -- write");
    machine.expect("written");
    assert_eq!(machine.ending(), Ending::PowerOff);
    let seen = machine.off();
    assert_eq!(seen.matches("foster: info: mounted").count(), 4, "{seen}");
    assert!(!seen.contains("warning"), "{seen}");
    assert_clean(&disk);
    assert_eq!(file_on(&disk), "kept\n");
}

#[test]
fn a_root_without_room_for_file_systems_is_told_of_and_runs_all_the_same() {
    let machine = Machine::new(&[("look", "echo running")]);
    let (mut machine, _) = machine.boot_from_disk("ro -- look");
    for (kind, place) in
        [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")]
    {
        machine.expect(&format!(
            "foster: warning: cannot mount {kind} on {place}: No such file or directory"
        ));
    }
    machine.expect("running");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

/// What the kernel would have nothing to repair on.
#[track_caller]
fn assert_clean(disk: &Path) {
    let state = scratch::run(Command::new("/sbin/dumpe2fs").arg("-h").arg(disk));
    assert!(state.contains("Filesystem state:         clean"), "{state}");
    assert!(!state.contains("needs_recovery"), "{state}");
}

fn file_on(disk: &Path) -> String {
    scratch::run(Command::new("/sbin/debugfs").args(["-R", "cat file"]).arg(disk))
}
