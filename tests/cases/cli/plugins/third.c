/* The third plug-in. */
#include <stdlib.h>
#include <string.h>
int unused_1(int x) { return x / 7 + 1; }
int unused_2(int x) { return x / 7 + 2; }

static void lose_third(void) {
    memset(malloc(1023), 1, 1023);
}

void work(void) {
    lose_third();
}
