//! Situations: what foster runs, in what world, and how it ends. All of it follows from a seed.

use crate::support::dice::Dice;
use crate::support::skip::is_root;

/// All that there is to say about one run of foster.
#[derive(Debug, Clone)]
pub struct Situation {
    pub seed: u64,
    pub cast: Cast,
    pub world: World,
    pub end: End,
    /// Whether foster is PID 1, or a subreaper.
    pub is_pid_1: bool,
    /// Whether signals go to the child alone, with their values.
    pub to_child: bool,
    /// Whether it says all that it does.
    pub is_verbose: bool,
}

/// What foster runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// A plain command that counts, beside a busy process of its own.
    Command,
    /// A service that counts, and so many that run wild.
    Services(u64),
    /// One service, which runs wild.
    Wild,
}

/// Where it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    pub without_signalfd: bool,
    pub without_proc: bool,
    /// A root that can be read only, without /tmp.
    pub bare_root: bool,
    pub eight_descriptors: bool,
    /// A limit on processes, for a user of its own (RLIMIT_NPROC).
    pub user_limit: Option<u64>,
    /// A limit on processes, for a cgroup (pids.max).
    pub group_limit: Option<u64>,
    /// System calls fail with ENOMEM, EAGAIN, EMFILE and ENFILE.
    pub judged: bool,
    /// One system call fails for good, with EPERM or ENOSYS.
    pub refused: Option<(&'static str, &'static str)>,
    pub closed: bool,
    pub stderr: Stderr,
}

/// What stderr is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    Read,
    /// A pipe that somebody has open, and nobody reads.
    Unread,
    /// A pipe that nobody has open.
    Broken,
    /// A pipe that is full.
    Stuck,
    FullDisk,
    Closed,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The service that counts exits with a code when it gets TERM.
    Exits(u8),
    /// It dies by a signal when it gets TERM.
    Dies(&'static str),
    /// It ignores TERM.
    Killed,
    /// The command ends by itself.
    ByItself(u8),
}

impl Situation {
    /// The situation of a seed. Of a row of seeds, each has something else for certain.
    pub fn of(seed: u64) -> Situation {
        let mut dice = Dice::new(seed);
        let world = World::of(seed % WORLDS, &mut dice);
        let cast = match dice.between(0, 4) {
            0 | 1 => Cast::Command,
            2 => Cast::Wild,
            _ => Cast::Services(dice.between(1, 3)),
        };
        let code = dice.pick(&[0, 3, 42, 100]);
        let end = match (cast, dice.between(0, 5)) {
            (Cast::Wild, _) => End::Dies("TERM"),
            (_, 0 | 1) => End::Exits(code),
            (_, 2) => End::Dies("TERM"),
            (_, 3) => End::Killed,
            (Cast::Command, 4) => End::Dies(dice.pick(&["SEGV", "KILL", "HUP", "40"])),
            (Cast::Command, _) => End::ByItself(code),
            (Cast::Services(_), _) => End::Exits(code),
        };
        let to_child = cast == Cast::Command && dice.one_in(3);
        // The busy process is out of the group then, and nobody else would end it.
        let is_pid_1 = to_child || dice.one_in(2);
        Situation { seed, cast, world, end, is_pid_1, to_child, is_verbose: dice.one_in(2) }
    }

    /// Whether it can be had here; it takes root for some.
    pub fn is_possible(&self) -> bool {
        let World { user_limit, group_limit, .. } = self.world;
        let needs_root = self.world.bare_root
            || user_limit.is_some()
            || group_limit.is_some()
            || self.world.judged;
        is_root() || !needs_root
    }

    /// Whether foster can tell what a run left outside its group, and so promises to kill it.
    pub fn finds_leftovers(&self) -> bool {
        match self.cast {
            Cast::Command => false,
            Cast::Services(_) => !self.is_blind(),
            Cast::Wild => true,
        }
    }

    /// Whether it can tell that one is nobody's, and so promises to leave it alone.
    pub fn knows_strangers(&self) -> bool {
        self.cast != Cast::Command && !self.is_blind()
    }

    /// Whether there is something that foster does not see of others.
    pub fn is_blind(&self) -> bool {
        self.world.without_proc || self.world.eight_descriptors || self.world.judged
    }

    /// Whether a restart may fail because there are too many processes.
    pub fn may_lack_starts(&self) -> bool {
        let World { user_limit, group_limit, judged, .. } = self.world;
        let lacks = judged || user_limit.is_some() || group_limit.is_some();
        lacks && self.cast != Cast::Command
    }

    /// The code that foster has to end with.
    pub fn code(&self) -> i32 {
        let is_command = self.cast == Cast::Command;
        match self.end {
            End::Exits(code) | End::ByItself(code) => i32::from(code),
            End::Killed => 128 + 9,
            // What dies by the stop signal did what it was asked to.
            End::Dies("TERM") if !is_command => 0,
            End::Dies(signal) => 128 + crate::support::signals::number(signal),
        }
    }
}

impl World {
    fn of(certain: u64, dice: &mut Dice) -> World {
        let mut has = |number| certain == number || dice.one_in(8);
        let mut world = World {
            without_signalfd: has(1),
            without_proc: has(2),
            bare_root: has(3),
            eight_descriptors: has(4),
            user_limit: has(5).then_some(0),
            group_limit: has(6).then_some(0),
            judged: has(7),
            refused: has(0).then_some(REFUSED[0]),
            closed: has(8),
            stderr: if has(9) { Stderr::Stuck } else { Stderr::Read },
        };
        // Programs that another user may execute are in that root.
        world.bare_root |= world.user_limit.is_some();
        world.user_limit = world.user_limit.map(|_| dice.between(7, 16));
        world.group_limit = world.group_limit.map(|_| dice.between(7, 24));
        if world.stderr == Stderr::Read {
            world.stderr = dice.pick(&[
                Stderr::Read,
                Stderr::Read,
                Stderr::Unread,
                Stderr::Broken,
                Stderr::FullDisk,
                Stderr::Closed,
            ]);
        }
        if world.closed {
            world.stderr = Stderr::Closed;
        }
        // Who is blind besides does not do all in time without these.
        let is_whole = !(world.without_proc || world.eight_descriptors || world.judged);
        world.refused = world.refused.filter(|_| is_whole).map(|_| dice.pick(&REFUSED));
        world
    }
}

/// Calls that foster does without, and no probe needs.
const REFUSED: [(&str, &str); 10] = [
    ("epoll_create1", "EPERM"),
    ("epoll_create1", "ENOSYS"),
    ("timerfd_create", "EPERM"),
    ("pidfd_open", "EPERM"),
    ("pidfd_open", "ENOSYS"),
    ("pidfd_send_signal", "ENOSYS"),
    ("shared-clone", "EPERM"),
    ("shared-clone", "ENOSYS"),
    ("pwritev2", "EPERM"),
    ("pwritev2", "ENOSYS"),
];

/// How many seeds in a row it takes to have been everywhere.
pub const WORLDS: u64 = 10;
