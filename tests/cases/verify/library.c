// Loaded, called and unloaded again and again. Builds with different values of FRAME have the same code at the same
// places, behind frames of different sizes.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static __thread char own[5000];
volatile char library_sink;

__attribute__((noinline)) void library_inner(void (*one)(size_t), int depth) {
    volatile char room[FRAME];
    room[FRAME - 1] = (char)depth;
    free(malloc(64));
    one(32);
    library_sink = room[FRAME - 1];
}

void library_work(void (*one)(size_t), int depth) {
    volatile char room[4096 - FRAME];
    room[depth] = 1;
    own[depth] = 2;
    library_inner(one, depth);
    if (depth > 0) library_work(one, depth - 1);
    library_sink = room[depth] + own[depth];
}
