// A block whose only pointer is in a static variable of a function is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001, ...
#include "support.h"

static void work(void) {
    static void *volatile held;
    held = allocate(1001);
}

int main(void) {
    apart(work);
    return 0;
}
