// 300 bytes at 256, 301 at 64 and 1302 after a realloc are 1903 bytes, not what an allocator makes of them.
// run: HEAPCHECK=normal -> leak direct 300, direct 301, direct 1302
#include "support.h"
#include <malloc.h>

static void work(void) {
    static uintptr_t sum;
    void *block = NULL;
    REQUIRE(posix_memalign(&block, 256, 300) == 0 && (uintptr_t)block % 256 == 0);
    sum += (uintptr_t)block;
    block = memalign(64, 301);
    REQUIRE((uintptr_t)block % 64 == 0);
    sum += (uintptr_t)block;
    sum += (uintptr_t)realloc(allocate(651), 1302);
    sum = 0;
}

int main(void) {
    apart(work);
    return 0;
}
