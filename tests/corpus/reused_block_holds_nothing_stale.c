// A pointer that an earlier owner left in a block does not keep anything once the block is allocated again.
// run: HEAPCHECK=normal -> leak direct 1001x50
// run: HEAPCHECK=normal HEAPCHECK_ZERO=0 -> clean
#include "support.h"

static void *volatile kept[50];

static void work(void) {
    for (int i = 0; i < 50; i++) {
        void **first = (void **)allocate(512);
        first[30] = allocate(1001);
        release(first);
        kept[i] = allocate(512);
        REQUIRE(kept[i] == (void *)first);
    }
}

int main(void) {
    apart(work);
    return 0;
}
