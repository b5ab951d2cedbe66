// Blocks that point at each other in a ring are a cycle, and what hangs on the ring is indirect.
// run: HEAPCHECK=normal -> leak cycle 1001, cycle 1002, cycle 1003, indirect 48; keeps 48
#include "support.h"

static void work(void) {
    void **first = (void **)allocate(1001), **second = (void **)allocate(1002), **third = (void **)allocate(1003);
    first[0] = second;
    second[0] = third;
    third[0] = first;
    third[9] = allocate(48);
}

int main(void) {
    apart(work);
    return 0;
}
