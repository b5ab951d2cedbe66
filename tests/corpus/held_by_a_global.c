// A block whose only pointer is in an initialised global is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001, ...
#include "support.h"

struct { long number; void *held; } global = {7, NULL};

static void work(void) { global.held = allocate(1001); }

int main(void) {
    apart(work);
    return 0;
}
