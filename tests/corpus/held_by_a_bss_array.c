// A block whose only pointer is deep in a large zero-initialised array is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001, ...
#include "support.h"

void *many[1 << 20];

static void work(void) { many[(1 << 20) - 3] = allocate(1001); }

int main(void) {
    apart(work);
    return 0;
}
