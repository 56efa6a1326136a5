//! One situation after the other: a storm, then quiet, then the end, and what has to be true then.

use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::libc;

use crate::judge::Judge;
use crate::look::{await_no_zombies, binary, own_memory};
use crate::situation::{Cast, End, Situation, Stderr, WORLDS};
use crate::support::board::{self, Board};
use crate::support::cgroup::Cgroup;
use crate::support::dice::Dice;
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::running::send;
use crate::support::skip::is_root;
use crate::support::stream::{await_any, process_descriptor};
use crate::support::{Launch, Place, Running, Status, probe};

#[test]
fn whatever_happens_nothing_is_left_and_nothing_is_lost() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seconds = number("CHAOS_SECONDS").unwrap_or(8);
    let spell = Duration::from_millis(seconds * 1000) / SPELLS;
    if let Some(seed) = number("CHAOS_SEED") {
        let done = Weather::new(seed, spell).map(Weather::pass);
        return eprintln!("{:?}", done.expect("it is to be had here"));
    }
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("a later year");
    let first = since_1970.as_millis() as u64;
    let next = AtomicU64::new(first);
    let (next, end) = (&next, Instant::now() + Duration::from_secs(seconds));
    let total = Mutex::new(Tally::default());
    let so_far = || total.lock().unwrap_or_else(|poison| poison.into_inner());
    let lane = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            // A slow machine takes longer to reach and see everything.
            let rounds = (seed - first) / WORLDS;
            let is_over = Instant::now() > end && rounds > 0;
            if is_over && (so_far().is_enough() || rounds >= ROUNDS) {
                return;
            }
            match Weather::new(seed, spell) {
                Ok(weather) => {
                    let done = weather.pass();
                    so_far().add(&done);
                }
                Err(Lacking::Root) => so_far().without_root += 1,
                Err(Lacking::Cgroup) => so_far().without_cgroup += 1,
            }
        }
    };
    thread::scope(|scope| {
        for lane in [scope.spawn(lane), scope.spawn(lane)] {
            lane.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
    let total = so_far();
    // Past the harness, which keeps to itself what a test that passes prints.
    let _ = writeln!(std::io::stderr(), "{total:?}");
    // A storm in which nothing happened would prove nothing.
    assert!(total.is_enough(), "{total:?}");
    assert!(!is_root() || total.without_root == 0, "{total:?}");
}

/// What a situation takes that cannot be had.
#[derive(Debug)]
enum Lacking {
    Root,
    /// A cgroup for processes that one could make.
    Cgroup,
}

/// What happened.
#[derive(Debug, Default)]
struct Tally {
    situations: u64,
    without_root: u64,
    without_cgroup: u64,
    signals: u64,
    kills: u64,
    runs: u64,
    refused_forks: u64,
    refused_calls: u64,
    /// By how much foster's memory was above that of the start at the most, in kB.
    memory: u64,
    /// How many without a mark were left alone behind a crash and a stop.
    strangers: u64,
    refusals: u64,
    deeds: [u64; 14],
}

/// A situation under way.
struct Weather {
    situation: Situation,
    spell: Duration,
    dice: Dice,
    board: Board,
    run: Running,
    foster: i32,
    /// What is never killed: the process that counts, and the busy one beside it.
    spared: Vec<i32>,
    judge: Option<Judge>,
    /// Real-time signals that foster got, by number, and the sum of their values.
    sent: [u64; 65],
    values: u64,
    /// Who was killed or stopped here, by their ids in the namespace.
    hit: Vec<i32>,
    done: Tally,
    /// Gone behind the processes in them.
    _folder: Folder,
    _cgroup: Option<Cgroup>,
}

impl Weather {
    /// Starts foster in the situation of a seed, unless that cannot be had here.
    fn new(seed: u64, spell: Duration) -> Result<Weather, Lacking> {
        let situation = Situation::of(seed);
        eprintln!("CHAOS_SEED={seed}: {situation:?}");
        if !situation.is_possible() {
            return Err(Lacking::Root);
        }
        let cgroup = situation.world.group_limit.map(Cgroup::new);
        let cgroup = cgroup.map(|cgroup| cgroup.ok_or(Lacking::Cgroup)).transpose()?;
        let folder = Folder::new(seed);
        let board = folder.0.join("board");
        let file = fs::File::create_new(&board).expect("a file can be made");
        file.set_len(board::SIZE as u64).expect("it can have a length");
        let file = fs::File::options().read(true).write(true).open(&board).expect("it is ours");
        let board = Board::of(file.as_raw_fd()).expect("a file can be mapped");
        let limited = situation.world.user_limit.or(situation.world.group_limit).is_some();
        let limited = u64::from(limited) * if situation.is_blind() { 2 } else { 1 };
        board[board::LIMITED].store(limited, Relaxed);
        board[board::STRANGERS].store(situation.knows_strangers().into(), Relaxed);
        let mut run = launch(&situation, &folder.0, cgroup.as_ref()).start();
        if situation.world.stderr == Stderr::Broken {
            run.close_errors();
        }
        let foster = run.pid();
        let judge = situation.world.judged.then(|| Judge::of(foster, board, seed));
        let mut spared = Vec::new();
        if situation.cast != Cast::Wild {
            until("nobody counts", || (board[board::COUNTERS].load(Relaxed) > 0).then_some(()));
            // It is the first that foster started.
            spared.push(run.child());
            spared.extend(procfs::children(spared[0]));
        } else {
            until("nobody runs", || (board[board::RUNS].load(Relaxed) > 0).then_some(()));
        }
        let dice = Dice::new(!seed);
        let (sent, values, hit, done) = ([0; 65], 0, Vec::new(), Tally::default());
        Ok(Weather {
            situation,
            spell,
            dice,
            board,
            run,
            foster,
            spared,
            judge,
            sent,
            values,
            hit,
            done,
            _folder: folder,
            _cgroup: cgroup,
        })
    }

    /// The storm and what comes after; gives what happened.
    fn pass(mut self) -> Tally {
        let witness = Witness(self.situation.clone());
        if let Some(judge) = &self.judge {
            judge.be_harsh();
        }
        let alive = process_descriptor(self.foster).expect("foster lives");
        let mut memory = vec![own_memory(self.foster)];
        self.storm(&alive, self.spell / 2);
        memory.push(own_memory(self.foster));
        let descriptors = self.descriptors();
        self.storm(&alive, self.spell / 2);
        self.come_to_rest();
        memory.push(own_memory(self.foster));
        let what = format!("descriptors stay open, more than {descriptors}");
        until(&what, || (self.descriptors() <= descriptors).then_some(()));
        // What is rare may happen for the first time in any half. But what grows with the storm
        // grows in every one.
        while memory.is_sorted_by(|before, after| before < after) {
            assert!(memory.len() <= HALVES, "{memory:?} kB: more from half to half of the storm");
            self.storm(&alive, self.spell / 2);
            self.come_to_rest();
            memory.push(own_memory(self.foster));
        }
        let most = memory[0] + FIRST_TOUCHED;
        assert!(memory.iter().all(|kb| *kb <= most), "{memory:?} kB: not what it was at first");
        self.done.memory = memory.iter().max().map_or(0, |most| most - memory[0]);
        self.check_end();
        // Not one more came with the end.
        self.check_counts();

        for (place, deeds) in self.done.deeds.iter_mut().enumerate() {
            *deeds = self.board[board::DEEDS + place].load(Relaxed);
        }
        self.done.situations = 1;
        self.done.refusals = u64::from(self.situation.world.refused.is_some());
        self.done.runs = self.board[board::RUNS].load(Relaxed);
        self.done.refused_forks = self.board[board::REFUSED].load(Relaxed);
        drop(self.run);
        if let Some(judge) = self.judge {
            self.done.refused_calls = judge.refused();
            judge.retire();
        }
        drop(witness);
        self.done
    }

    fn storm(&mut self, alive: &OwnedFd, spell: Duration) {
        let end = Instant::now() + spell;
        while Instant::now() < end {
            let ended = await_any(&[alive.as_fd()], Instant::now());
            assert!(!ended, "foster ended: {}", self.run.errors());
            match self.dice.between(0, 9) {
                0 => self.send_many(),
                1..4 => self.send_any(),
                4..7 => self.hit_somebody(),
                7 if self.situation.world.stderr == Stderr::Read => drop(self.run.errors()),
                _ => thread::sleep(Duration::from_micros(self.dice.between(0, 3000))),
            }
        }
    }

    /// Sends real-time signals, with values and without.
    fn send_many(&mut self) {
        // Who has no signalfd has handlers, and the C library keeps some signals from those.
        let first = if self.situation.world.without_signalfd { 35 } else { 32 };
        let many = self.dice.pick(&[1, 10, 100, 1000]);
        for count in 0..self.dice.between(1, many) {
            if count % 50 == 0 && self.is_queue_half_full() {
                return;
            }
            let number = self.dice.between(first, 64) as usize;
            let value = self.dice.between(1, 9);
            // SAFETY: these are numbers; nobody follows the value as a pointer.
            let sent = unsafe {
                if self.dice.one_in(2) {
                    self.values += value;
                    queue(self.foster, number as i32, value)
                } else {
                    libc::kill(self.foster, number as i32)
                }
            };
            // Others that are the same user may have taken the room; nobody counts these.
            if sent != 0 && Errno::last() == Errno::EAGAIN && self.situation.cast == Cast::Wild {
                return;
            }
            assert_eq!(sent, 0, "foster is there, and so is room for a signal");
            self.sent[number] += 1;
        }
    }

    /// Whether the kernel keeps half of the signals that it keeps for foster's user at most: foster
    /// may stand still behind a child that was stopped (docs/SECURITY.md), and with no room left a
    /// signal is refused, or kept without being counted (signal(7)).
    fn is_queue_half_full(&self) -> bool {
        let queue = procfs::status(self.foster, "SigQ").expect("foster lives");
        let (kept, limit) = queue.split_once('/').expect("two numbers");
        let number = |text: &str| text.parse::<u64>().expect("a number");
        number(kept) >= number(limit) / 2
    }

    /// Sends some other signal that asks for no stop.
    fn send_any(&mut self) {
        let asks = [
            libc::SIGKILL,
            libc::SIGSTOP,
            libc::SIGTERM,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGPWR,
        ];
        let number = self.dice.between(1, 31) as i32;
        if !asks.contains(&number) {
            // SAFETY: these are numbers.
            assert_eq!(unsafe { libc::kill(self.foster, number) }, 0, "foster is there");
        }
    }

    /// Kills, stops or wakes one of the processes below foster.
    fn hit_somebody(&mut self) {
        let mut all = procfs::descendants(self.foster);
        let stranger = self.board[board::CANDIDATE].load(Relaxed) as i32;
        all.retain(|pid| {
            !self.spared.contains(pid) && procfs::inner_pid(*pid).is_some_and(|own| own != stranger)
        });
        if all.is_empty() {
            return;
        }
        // A stopped process outside its group stays, where nobody promises to kill it.
        let may_stay = !self.situation.is_pid_1 && !self.situation.finds_leftovers();
        let mut signals = vec![libc::SIGKILL, libc::SIGSEGV, libc::SIGTERM, 40];
        signals.extend([libc::SIGCONT; 3]);
        if !may_stay {
            signals.push(libc::SIGSTOP);
        }
        let (pid, number) = (self.dice.pick(&all), self.dice.pick(&signals));
        self.hit.extend(procfs::inner_pid(pid));
        // It may be gone by now, but its id is nobody else's so soon.
        // SAFETY: these are numbers.
        unsafe { libc::kill(pid, number) };
        self.done.kills += 1;
    }

    /// Wakes a child that was stopped before it executed its command: foster stands still until it
    /// has (docs/SECURITY.md).
    fn wake_what_is_foster_still(&self) {
        let mut all = procfs::children(self.foster);
        all.retain(|pid| procfs::stat(*pid).is_some_and(|stat| stat.name == "foster"));
        all.into_iter().for_each(|pid| send(pid, "CONT"));
    }

    /// Waits until all that the storm has left to do is done.
    fn come_to_rest(&mut self) {
        self.wake_what_is_foster_still();
        self.check_counts();
        await_no_zombies(self.foster);
    }

    /// Waits until the process that counts has all signals that foster got, and no more.
    fn check_counts(&mut self) {
        if self.situation.cast == Cast::Wild {
            return;
        }
        for number in 32..=64 {
            let sent = self.sent[number];
            until(&format!("signals {number} are lost, of {sent}"), || {
                (self.counted(number) >= sent).then_some(())
            });
            assert_eq!(self.counted(number), sent, "signals {number}");
        }
        if self.situation.to_child {
            assert_eq!(self.board[board::VALUES].load(Relaxed), self.values, "their values");
        }
        assert_eq!(self.board[board::COUNTERS].load(Relaxed), 1, "it was started again");
        self.done.signals = self.sent.iter().sum();
    }

    /// The process whose id in its namespace stands at this place of the board, if it is there.
    fn by_board(&self, place: usize) -> Option<i32> {
        let inner = self.board[place].load(Relaxed);
        let is_it = |pid: &i32| procfs::inner_pid(*pid).is_some_and(|own| own as u64 == inner);
        // 1 is foster, or who is to be one. A list of children may lack some while others end.
        let tries = if inner > 1 { 20 } else { 0 };
        (0..tries).find_map(|_| procfs::descendants(self.foster).into_iter().find(is_it))
    }

    /// Has nobody change his mark any more; one that was killed amid that counts for ever.
    fn end_copying(&self) {
        self.board[board::ENDING].store(1, Relaxed);
        let end = Instant::now() + Duration::from_millis(300);
        while self.board[board::COPYING].load(Relaxed) > 0 && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops foster, and looks at what it ends with and what it leaves behind.
    fn check_end(&mut self) {
        self.end_copying();
        let candidate = self.by_board(board::CANDIDATE);
        // It has outlived a crash when it says so.
        let says = self.board[board::STRANGER].load(Relaxed);
        let stranger = self.by_board(board::STRANGER);
        let was_hit = self.hit.iter().any(|pid| *pid as u64 == says);
        let is_there = says == 0 || was_hit || stranger.is_some();
        assert!(is_there, "a stranger ({says}) was killed: {}", self.run.errors());
        if let End::ByItself(_) = self.situation.end {
            self.board[board::OVER].store(1, Relaxed);
            // SAFETY: these are numbers.
            unsafe { libc::kill(self.spared[0], libc::SIGUSR2) };
        } else {
            self.run.signal("TERM");
        }
        let status = self.run.wait_for_status();
        // What is left in a namespace of which foster was PID 1 the kernel kills.
        let mut left = Vec::new();
        if !self.situation.is_pid_1 {
            left = self.run.everything();
            if !self.situation.finds_leftovers() {
                until("something is left", || (self.run.everything().len() == 1).then_some(()));
                left.truncate(1);
            }
        }
        // A zombie is about to be reaped by the namespace's PID 1.
        let others = left.iter().skip(1).filter(|pid| Some(**pid) != candidate);
        let stats = others.filter_map(|pid| procfs::stat(*pid));
        let names: Vec<_> = stats.filter(|stat| !"ZX".contains(stat.state)).collect();
        assert!(names.is_empty(), "left behind: {names:?}: {}", self.run.errors());
        if let Some(stranger) = stranger
            && !self.situation.is_pid_1
        {
            let lives = procfs::stat(stranger).is_some_and(|stat| !"ZX".contains(stat.state));
            assert!(lives, "a stranger was killed in the stop: {}", self.run.errors());
            self.done.strangers = 1;
        }
        let ends_well = status == Status::Code(self.situation.code());
        // A service that could not be started at the last try has not succeeded.
        let lacks_start = self.situation.may_lack_starts() && status == Status::Code(125);
        assert!(ends_well || lacks_start, "{status:?}: {}", self.run.errors());
    }

    fn counted(&self, number: usize) -> u64 {
        self.board[board::SIGNALS + number].load(Relaxed)
    }

    /// How many descriptors foster has, without the queue, the timer, its own way to what stderr is,
    /// and the guard of a service's group: it opens one of each when it needs it for the first time.
    fn descriptors(&self) -> usize {
        let all = procfs::open_files(self.foster);
        let stderr = all.iter().find(|(fd, _)| *fd == 2).map(|(_, file)| file.as_str());
        let late = [
            all.iter().any(|(fd, file)| *fd > 2 && Some(file.as_str()) == stderr),
            all.iter().any(|(_, file)| file.contains("eventpoll")),
            all.iter().any(|(_, file)| file.contains("timerfd")),
            all.iter().any(|(_, file)| file.contains("pidfd")),
        ];
        all.len() - late.iter().filter(|there| **there).count()
    }
}

impl Tally {
    /// Whether everything has happened that may happen here.
    fn is_enough(&self) -> bool {
        let refused = [self.refused_forks, self.refused_calls];
        self.signals > 1000
            && self.kills > 100
            && self.runs > 10
            && self.strangers > 0
            && self.refusals > 0
            // Limits and judges take root, and the last deed takes limits.
            && self.deeds.iter().take(if is_root() { 14 } else { 13 }).all(|count| *count > 0)
            && (!is_root() || refused.iter().all(|count| *count > 0))
    }

    fn add(&mut self, other: &Tally) {
        self.situations += other.situations;
        self.signals += other.signals;
        self.kills += other.kills;
        self.runs += other.runs;
        self.refused_forks += other.refused_forks;
        self.refused_calls += other.refused_calls;
        self.strangers += other.strangers;
        self.refusals += other.refusals;
        self.memory = self.memory.max(other.memory);
        self.deeds.iter_mut().zip(other.deeds).for_each(|(all, more)| *all += more);
    }
}

/// foster as the situation wants it.
fn launch(situation: &Situation, folder: &Path, cgroup: Option<&Cgroup>) -> Launch {
    let world = &situation.world;
    let mut odd = vec![format!("open={}", folder.join("board").display())];
    odd.extend(cgroup.map(|cgroup| cgroup.joined()));
    match world.stderr {
        Stderr::Read | Stderr::Unread | Stderr::Broken => {}
        Stderr::Stuck => {
            let path = folder.join("stderr");
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
            odd.push(format!("close=2 full={}", path.display()));
        }
        Stderr::FullDisk => odd.push("close=2 open=/dev/full".into()),
        Stderr::Closed => odd.push("close=2".into()),
    }
    let (mut program, mut probe) = (binary(), probe().to_owned());
    if world.bare_root {
        let root = folder.join("root");
        fs::create_dir(&root).expect("a folder can be made");
        odd.push(format!("bare={}:{program}:{probe}", root.display()));
        (program, probe) = ("/foster".into(), "/probe".into());
    }
    if world.without_proc {
        odd.push("proc=none".into());
    }
    if world.without_signalfd {
        odd.push("deny=signalfd4,timerfd_create:ENOSYS".into());
    }
    if world.judged {
        odd.push("judged".into());
    }
    if let Some((call, error)) = world.refused {
        odd.push(format!("deny={call}:{error}"));
    }
    if world.closed {
        odd.push("close=0 close=1".into());
    }
    if world.eight_descriptors {
        odd.push("limit=nofile:8".into());
    }
    if let Some(limit) = world.user_limit {
        // Nobody else is this user.
        let user = 100_000 + situation.seed % 1_000_000;
        odd.push(format!("limit=nproc:{limit} uid={user}"));
    }

    let seed = situation.seed;
    let end = match situation.end {
        End::Exits(code) | End::ByItself(code) => format!("count=exit:{code}"),
        End::Dies(signal) => format!("count=die:{signal}"),
        End::Killed => "count=ignore".into(),
    };
    let timeout = if situation.end == End::Killed { "200ms" } else { "50s" };
    let says = if situation.is_verbose { "-vvv" } else { "-q" };
    let mut launch = Launch::new(program).args([says, "--stop-timeout", timeout]);
    launch = launch.args(match situation.to_child {
        true => ["--forward-to", "child", "--stop-to", "leader"],
        false => [
            "--forward-to",
            "group",
            "--stop-to",
            if seed.is_multiple_of(2) { "group" } else { "leader-first" },
        ],
    });
    if situation.cast == Cast::Command {
        let leaves = if situation.to_child { "setsid " } else { "" };
        let script = format!("-- {probe} fork {{ {leaves}busy={seed} }} {end}");
        launch = launch.args(script.split(' '));
    } else {
        launch = launch.args(["--backoff", "1ms", "--backoff-max", "20ms"]);
        // What runs wild ends in any way, and may not be startable; what counts does neither.
        for code in std::iter::once(1).chain(129..=192) {
            launch = launch.args(["--success", &code.to_string()]);
        }
        let spell = if situation.finds_leftovers() { 50_000 } else { 200 };
        let wild = |number| format!("{probe} wild={},{spell}", seed + number);
        let lines = match situation.cast {
            Cast::Services(count) => {
                let counts = [format!("{probe} {end}")];
                counts.into_iter().chain((0..count).map(wild)).collect()
            }
            Cast::Wild | Cast::Command => vec![wild(0)],
        };
        launch = launch.args(lines.iter().flat_map(|line| ["--wrap", line]));
    }
    let place = if situation.is_pid_1 { Place::Pid1 } else { Place::Job };
    launch.inheriting(&odd.join(" ")).place(place)
}

/// Sends a signal with a value (rt_sigqueueinfo(2)), those that the C library hides too.
///
/// # Safety
/// None but that of any signal.
unsafe fn queue(pid: i32, number: i32, value: u64) -> i32 {
    // As the kernel lays it out on 64 bits: signal, error, code, then pid, user and value.
    let mut info = [0_u64; 16];
    info[0] = number as u64;
    info[1] = libc::SI_QUEUE as u32 as u64;
    info[2] = u64::from(std::process::id());
    info[3] = value;
    // SAFETY: the record is as long as the 128 bytes that the kernel reads.
    unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid, number, info.as_ptr()) as i32 }
}

/// Says which situation it was, should the test fail in it.
struct Witness(Situation);

impl Drop for Witness {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("\nThis was CHAOS_SEED={}: {:?}", self.0.seed, self.0);
        }
    }
}

/// A folder of a situation's own.
struct Folder(PathBuf);

impl Folder {
    fn new(seed: u64) -> Folder {
        let name = format!("foster-chaos-{}-{seed}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder can be made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Into how many spells the whole time is cut; two run at a time.
const SPELLS: u32 = 16;

/// How often a storm may have all worlds before it has to have seen everything.
const ROUNDS: u64 = 10;

/// How many halves a storm may have before one has to pass in which foster's memory does not grow.
const HALVES: usize = 12;

/// By how much that may be above what it was at the start, in kB: of every page of data, heap and
/// stack there is one first time.
const FIRST_TOUCHED: u64 = 32;
