// A block that two lost blocks point at is indirect once.
// run: HEAPCHECK=normal -> leak direct 1001, direct 1002, indirect 48
#include "support.h"

static void work(void) {
    void **first = (void **)allocate(1001), **second = (void **)allocate(1002);
    first[3] = second[4] = allocate(48);
}

int main(void) {
    apart(work);
    return 0;
}
