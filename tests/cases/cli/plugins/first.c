/* The first plug-in. */
#include <stdlib.h>
#include <string.h>

static void lose_first(void) {
    memset(malloc(1021), 1, 1021);
}

void work(void) {
    lose_first();
}
