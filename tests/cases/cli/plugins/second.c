/* The second plug-in. */
#include <stdlib.h>
#include <string.h>
int unused_1(int x) { return x / 7 + 1; }

static void lose_second(void) {
    memset(malloc(1022), 1, 1022);
}

void work(void) {
    lose_second();
}
