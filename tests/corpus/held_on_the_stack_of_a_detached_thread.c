// A block whose only pointer is on the stack of a detached thread that still runs is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_STOP=stack -> clean
// run: HEAPCHECK=normal HEAPCHECK_STOP=ptrace,stack -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-stacks -> leak 1001, ...
#include "support.h"

static void *thread(void *unused) {
    (void)unused;
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    scrub();
    announce();
    pause_for_ever();
    return held[1];
}

int main(void) {
    start_detached(thread, NULL);
    await(1);
    return 0;
}
