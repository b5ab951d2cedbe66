// A block whose only pointer is on the stack of main is reachable when main's thread ends the program.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-stacks -> leak 1001, ...
#include "support.h"

NOINLINE static void end(void *volatile *held) {
    scrub();
    REQUIRE(*held != NULL);
    scrub();
    exit(0);
}

int main(void) {
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    end(held + 1);
    return (int)(intptr_t)held[1];
}
