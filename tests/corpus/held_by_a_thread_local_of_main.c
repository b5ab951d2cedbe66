// A block whose only pointer is in a thread-local of the main thread is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-tls -> leak 1001, ...
#include "support.h"

static __thread void *volatile held;

static void work(void) { held = allocate(1001); }

int main(void) {
    apart(work);
    return 0;
}
