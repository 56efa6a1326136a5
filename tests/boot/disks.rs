//! What becomes of file systems.

use std::process::Command;

use crate::machine::{Ending, Machine};
use crate::scratch;

#[test]
fn disks_are_put_away_before_the_end_and_one_in_use_can_only_be_read() {
    let mut machine =
        Machine::new(&[("write", "echo kept >/mnt/file; echo kept too >/mnt2/file; echo written")]);
    machine.add_foster("bin/foster");
    let disks = [machine.add_disk(), machine.add_disk()];
    // foster inherits a descriptor on the second one, so that it stays in use to the end.
    let init = "for module in 0 1 2 3 4 5; do insmod /modules/$module.ko; done\n\
                mount -t devtmpfs none /dev\n\
                mount -t ext4 /dev/vda /mnt\nmount -t ext4 /dev/vdb /mnt2\n\
                echo >/mnt2/open; exec 7</mnt2/open; exec foster write";
    machine.add("init", format!("#!/bin/sh\n{init}\n").as_bytes());
    let mut machine = machine.boot("");
    machine.expect("written");
    machine.expect("foster: info: powering off");
    machine.expect("foster: warning: cannot unmount /mnt2, which is in use: read-only now");
    assert_eq!(machine.ending(), Ending::PowerOff);
    let seen = machine.off();
    assert!(!seen.contains("cannot unmount /mnt,"), "{seen}");
    for (disk, text) in disks.iter().zip(["kept\n", "kept too\n"]) {
        let state = scratch::run(Command::new("/sbin/dumpe2fs").arg("-h").arg(disk));
        assert!(state.contains("Filesystem state:         clean"), "{state}");
        assert!(!state.contains("needs_recovery"), "{state}");
        let cat = scratch::run(Command::new("/sbin/debugfs").args(["-R", "cat file"]).arg(disk));
        assert_eq!(cat, text);
    }
}
