// A block whose only pointer is in a block that was freed is lost.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

static void **volatile dangling;

static void work(void) {
    dangling = (void **)allocate(500);
    dangling[7] = allocate(1001);
    release((void *)dangling);
}

int main(void) {
    apart(work);
    return 0;
}
