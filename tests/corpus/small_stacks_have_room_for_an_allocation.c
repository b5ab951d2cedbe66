// An allocation takes less than 3.5 KiB of the stack that it happens on: coroutines and signal handlers have little.
// build: -Wl,-z,now
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_STACKS=full -> clean
#include "support.h"
#include <ucontext.h>

enum { SIZE = 64 * 1024, PAINT = 0xa5 };

static _Alignas(16) unsigned char stack[SIZE];
static ucontext_t there, back;
static unsigned char *volatile top;

static void coroutine(void) {
    top = __builtin_frame_address(0);
    free(malloc(1001));
    free(realloc(calloc(3, 1001), 100000));
}

int main(void) {
    memset(stack, PAINT, sizeof stack);
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    there.uc_link = &back;
    makecontext(&there, coroutine, 0);
    swapcontext(&back, &there);
    unsigned char *low = stack;
    while (*low == PAINT) low++;
    printf("%d bytes\n", (int)(top - low));
    REQUIRE(top - low < 3584);
    return 0;
}
