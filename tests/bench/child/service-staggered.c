/* The same, but it ends within a second of its SIGTERM, each at a moment of its own. */
#define STAGGERED
#include "service.c"
