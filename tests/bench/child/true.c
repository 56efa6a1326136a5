/* The trivial child: it ends at once. */
#include "sys.h"

int run(long argc, char **argv, char **envp) {
    return 0;
}
