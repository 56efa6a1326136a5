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
    let init = "mkdir '/a b'\nmount -t devtmpfs none /dev\nmount -t ext4 /dev/vda '/a b'\n\
                mount -t ext4 /dev/vdb /mnt\nmount -t ext4 /dev/vdc /mnt2\n\
                echo >/mnt/open; exec 7</mnt/open 8>/mnt2/open 9>/open; exec foster write";
    machine.add("init", format!("{WITH_MODULES}{init}\n").as_bytes());
    let mut machine = machine.boot("");
    machine.expect("written");
    machine.expect("foster: info: powering off");
    machine.expect_part("cannot unmount /mnt2, which is in use, nor make it read-only: ");
    machine.expect("foster: warning: cannot unmount /mnt, which is in use: it is read-only now");
    machine.expect_part("foster: warning: cannot make / read-only: ");
    assert_eq!(machine.ending(), Ending::PowerOff);
    let seen = machine.off();
    assert_eq!(seen.matches("warning").count(), 3, "{seen}");
    let [unmounted, read_only, written] = &disks;
    assert_clean(unmounted);
    assert_clean(read_only);
    // The written data is there nevertheless.
    replay_journal(written);
    for (disk, place) in disks.iter().zip(["/a b", "/mnt", "/mnt2"]) {
        assert_eq!(file_on(disk), format!("kept {place}\n"));
    }
}

#[test]
fn what_unmounting_one_file_system_writes_into_another_that_is_in_use_reaches_the_disk() {
    let mut machine = Machine::new(&[("write", "echo inner >/mnt2/file; echo written")]);
    machine.add_foster("bin/foster");
    let disk = machine.add_disk();
    // On the disk, which stays in use to the end, there is a disk in a file. Its file system never
    // has anything flushed; that it is clean is written as it is unmounted.
    let init = "mount -t devtmpfs none /dev\nmount -t ext4 /dev/vda /mnt\n\
                truncate -s 1M /mnt/disk; mke2fs -F /mnt/disk >/dev/null\n\
                mount -t ext2 -o loop,nobarrier /mnt/disk /mnt2\n\
                exec 7>/mnt/open; exec foster write";
    machine.add("init", format!("{WITH_MODULES}{init}\n").as_bytes());
    let mut machine = machine.boot("");
    machine.expect("written");
    machine.expect_part("cannot unmount /mnt, which is in use, nor make it read-only: ");
    assert_eq!(machine.ending(), Ending::PowerOff);
    machine.off();
    replay_journal(&disk);
    let inner = disk.with_extension("inner");
    let dump = format!("dump disk {}", inner.display());
    scratch::run(Command::new("/sbin/debugfs").args(["-R", &dump]).arg(&disk));
    assert_clean(&inner);
    assert_eq!(file_on(&inner), "inner\n");
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
fn a_root_without_room_for_file_systems_is_reported_and_runs() {
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

#[test]
fn a_disk_with_a_swap_file_is_still_unmounted() {
    let mut machine = Machine::new(&[("write", "echo kept >/mnt/file; grep -c /mnt /proc/swaps")]);
    machine.add_foster("bin/foster");
    let disk = machine.add_disk();
    let init = "mount -t devtmpfs none /dev\nmount -t ext4 /dev/vda /mnt\n\
                dd if=/dev/zero of=\"/mnt/s w\" bs=4k count=64 2>/dev/null\n\
                mkswap \"/mnt/s w\" >/dev/null; swapon \"/mnt/s w\"; exec foster write";
    machine.add("init", format!("{WITH_MODULES}{init}\n").as_bytes());
    let mut machine = machine.boot("");
    machine.expect("1");
    assert_eq!(machine.ending(), Ending::PowerOff);
    let seen = machine.off();
    assert!(!seen.contains("cannot unmount"), "{seen}");
    assert_clean(&disk);
    assert_eq!(file_on(&disk), "kept\n");
}

/// What the kernel would have nothing to repair on.
#[track_caller]
fn assert_clean(disk: &Path) {
    let state = scratch::run(Command::new("/sbin/dumpe2fs").arg("-h").arg(disk));
    assert!(state.contains("Filesystem state:         clean"), "{state}");
    assert!(!state.contains("needs_recovery"), "{state}");
}

/// Makes that seen which is in the journal and nowhere else yet.
#[track_caller]
fn replay_journal(disk: &Path) {
    let state = Command::new("/sbin/e2fsck").args(["-fy"]).arg(disk).output();
    let state = state.expect("e2fsck is installed");
    assert!(matches!(state.status.code(), Some(0 | 1)), "{state:?}");
}

fn file_on(disk: &Path) -> String {
    scratch::run(Command::new("/sbin/debugfs").args(["-R", "cat file"]).arg(disk))
}

/// How an init starts that is to see disks.
const WITH_MODULES: &str =
    "#!/bin/sh\nfor module in 0 1 2 3 4 5 6; do insmod /modules/$module.ko; done\n";
