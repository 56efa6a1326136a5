/* The child that says when: one record on its standard output when it starts, one for each
   SIGUSR1, taken as its first instructions. SIGTERM ends it, as it ends every program that does
   nothing about it. */
#include "sys.h"

static void say(struct moment moment) {
    struct {
        unsigned long long nanoseconds;
        unsigned int pid, zero;
    } record;
    record.nanoseconds = moment.seconds * 1000000000ULL + moment.nanoseconds;
    record.pid = sys(__NR_getpid, 0, 0, 0, 0, 0);
    record.zero = 0;
    sys(__NR_write, 1, (long)&record, sizeof record, 0, 0);
}

static void on_signal(int signal) {
    say(now());
}

#ifdef STAGGERED
static void on_stop(int signal) {
    /* By the golden ratio: those whose numbers follow each other are spread over the second. */
    unsigned int spread = (unsigned int)sys(__NR_getpid, 0, 0, 0, 0, 0) * 2654435769U;
    struct moment rest = {0, (spread >> 22) * 976562L};
    sys(__NR_nanosleep, (long)&rest, 0, 0, 0, 0);
    leave(0);
}
#endif

int run(long argc, char **argv, char **envp) {
    struct moment started = now();
    struct sigaction action = HANDLER(on_signal);
    sys(__NR_rt_sigaction, SIGUSR1, (long)&action, 0, SET_SIZE, 0);
#ifdef STAGGERED
    struct sigaction stop = HANDLER(on_stop);
    sys(__NR_rt_sigaction, SIGTERM, (long)&stop, 0, SET_SIZE, 0);
#endif
    say(started);
#ifdef READY
    sys(__NR_write, READY, (long)"\n", 1, 0, 0);
#endif
    sleep_for_ever();
    return 0;
}
