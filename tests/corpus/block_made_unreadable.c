// A block whose pages the program made unreadable is not read, and harms nobody.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"
#include <sys/mman.h>

static void *blocks[3];

int main(void) {
    size_t sizes[] = {4096, 65536, 1 << 20};
    for (int i = 0; i < 3; i++) {
        REQUIRE(posix_memalign(&blocks[i], 4096, sizes[i]) == 0);
        REQUIRE(mprotect(blocks[i], sizes[i], PROT_NONE) == 0);
    }
    return 0;
}
