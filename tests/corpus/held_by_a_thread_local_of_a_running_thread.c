// A block whose only pointer is in a thread-local of a running thread is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-tls -> leak 1001, ...
#include "support.h"

static __thread void *volatile held;

static void work(void) { held = allocate(1001); }

static void *thread(void *unused) {
    (void)unused;
    apart(work);
    announce();
    pause_for_ever();
    return NULL;
}

int main(void) {
    start_detached(thread, NULL);
    await(1);
    return 0;
}
