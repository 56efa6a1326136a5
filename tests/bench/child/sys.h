/* System calls without a libc: what is timed must be the init, not its child. */
#include <asm/unistd.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/wait.h>

#define always_inline static inline __attribute__((always_inline))

#if defined(__x86_64__)
always_inline long sys(long number, long a, long b, long c, long d, long e) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
/* This kernel interface returns from a handler only through a restorer. */
__asm__(".globl restorer\nrestorer: mov $15, %eax\n syscall\n");
extern void restorer(void);
#define HANDLER(function) {.sa_handler = (function), .sa_flags = SA_RESTORER, .sa_restorer = restorer}
#elif defined(__aarch64__)
always_inline long sys(long number, long a, long b, long c, long d, long e) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                     : "memory");
    return x0;
}
__asm__(".globl _start\n_start: mov x0, sp\n and sp, x0, #-16\n bl begin\n");
#define HANDLER(function) {.sa_handler = (function)}
#elif defined(__riscv) && __riscv_xlen == 64
always_inline long sys(long number, long a, long b, long c, long d, long e) {
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4)
                     : "memory");
    return a0;
}
__asm__(".globl _start\n_start: mv a0, sp\n andi sp, sp, -16\n call begin\n");
#define HANDLER(function) {.sa_handler = (function)}
#elif defined(__arm__)
always_inline long sys(long number, long a, long b, long c, long d, long e) {
    register long r7 __asm__("r7") = number;
    register long r0 __asm__("r0") = a;
    register long r1 __asm__("r1") = b;
    register long r2 __asm__("r2") = c;
    register long r3 __asm__("r3") = d;
    register long r4 __asm__("r4") = e;
    __asm__ volatile("svc 0"
                     : "+r"(r0)
                     : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4)
                     : "memory");
    return r0;
}
__asm__(".globl _start\n_start: mov r0, sp\n bic sp, sp, #7\n bl begin\n");
#define HANDLER(function) {.sa_handler = (function)}
#else
#error "no system calls are written down for this architecture"
#endif

#define SET_SIZE 8 /* what the kernel calls a signal set */

typedef unsigned long long set_t;

struct moment {
    long seconds, nanoseconds;
};

always_inline struct moment now(void) {
    struct moment moment;
    sys(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, (long)&moment, 0, 0, 0);
    return moment;
}

always_inline void leave(int status) {
    for (;;)
        sys(__NR_exit_group, status, 0, 0, 0, 0);
}

always_inline int fork(void) {
    return sys(__NR_clone, SIGCHLD, 0, 0, 0, 0);
}

/* Starts a program as vfork and exec do. Inlined, so that the child, which borrows the stack,
   never returns into it. */
always_inline int start(char **argv, char **envp, const set_t *mask) {
    int pid = sys(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        if (mask)
            sys(__NR_rt_sigprocmask, SIG_SETMASK, (long)mask, 0, SET_SIZE, 0);
        sys(__NR_execve, (long)argv[0], (long)argv, (long)envp, 0, 0);
        leave(127);
    }
    return pid;
}

always_inline void sleep_for_ever(void) {
    for (;;)
        sys(__NR_ppoll, 0, 0, 0, 0, 0);
}

/* argc, argv and the environment, as the kernel lays them out. */
int run(long argc, char **argv, char **envp);

void begin(long *stack) {
    char **argv = (char **)(stack + 1);
    leave(run(stack[0], argv, argv + stack[0] + 1));
}
