// A lost block that points at itself does not keep itself alive.
// run: HEAPCHECK=normal -> leak 1001
#include "support.h"

static void work(void) {
    void **block = (void **)allocate(1001);
    block[3] = block;
}

int main(void) {
    apart(work);
    return 0;
}
