// Under ulimit -v the runtime makes do with little address space, and running out of it is an answer, not an end.
// run: HEAPCHECK=normal under ulimit -> leak direct 1001
#include "support.h"

int main(void) {
    static void *blocks[4096];
    int count = 0;
    while (count < 4096 && (blocks[count] = allocate(1 << 20)) != NULL) count++;
    REQUIRE(count > 50 && count < 2000 && errno == ENOMEM);
    for (int i = 0; i < count; i++) release(blocks[i]);
    void *again = allocate(32 << 20);
    REQUIRE(again != NULL);
    release(again);
    memset(blocks, 0, sizeof blocks);
    lose(1001);
    return 0;
}
