// A ring that a lost block points at is indirect: the owner is what was lost.
// run: HEAPCHECK=normal -> leak direct 1000, indirect 1001, indirect 1002
#include "support.h"

static void work(void) {
    void **owner = (void **)allocate(1000);
    void **first = (void **)allocate(1001), **second = (void **)allocate(1002);
    owner[0] = first;
    first[0] = second;
    second[0] = first;
}

int main(void) {
    apart(work);
    return 0;
}
