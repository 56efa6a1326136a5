/* The app of the documents' images: says how it was called and what it gets, ends on a stop signal. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct { int number; const char *name; } signals[] = {
    {SIGTERM, "TERM"}, {SIGQUIT, "QUIT"}, {SIGINT, "INT"}, {SIGHUP, "HUP"}, {SIGUSR1, "USR1"}};

int main(int count, char **words) {
    sigset_t all;
    sigemptyset(&all);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&all, signals[i].number);
    sigprocmask(SIG_BLOCK, &all, NULL);
    char line[1024];
    const char *name = strrchr(words[0], '/');
    snprintf(line, sizeof line, "up: %s", name ? name + 1 : words[0]);
    for (int i = 1; i < count; i++) {
        strncat(line, " ", sizeof line - strlen(line) - 1);
        strncat(line, words[i], sizeof line - strlen(line) - 1);
    }
    printf("%s, parent %d\n", line, (int)getppid());
    fflush(stdout);
    for (;;) {
        int number = sigwaitinfo(&all, NULL);
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
            if (signals[i].number == number)
                printf("got %s\n", signals[i].name);
        fflush(stdout);
        if (number != SIGHUP && number != SIGUSR1)
            return 0;
    }
}
