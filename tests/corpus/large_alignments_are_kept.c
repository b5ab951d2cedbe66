// Every power of two up to a megabyte is an alignment that is kept, for small blocks and for large ones.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"

int main(void) {
    for (size_t alignment = 8; alignment <= 1 << 20; alignment *= 2) {
        size_t sizes[] = {1, 24, alignment - 1, alignment, alignment + 1, 300000};
        for (int i = 0; i < 6; i++) {
            char *block = NULL;
            REQUIRE(posix_memalign((void **)&block, alignment, sizes[i]) == 0);
            REQUIRE((uintptr_t)block % alignment == 0);
            memset(block, 0xff, sizes[i]);
            block = (char *)realloc(block, sizes[i] * 2);
            REQUIRE(block[sizes[i] - 1] == (char)0xff);
            release(block);
        }
    }
    return 0;
}
