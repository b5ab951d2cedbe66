// Blocks of every size are zeroed, aligned for any type, and no two of them overlap.
// run: HEAPCHECK=normal -> clean
#include "support.h"

enum { COUNT = 3000 };

int main(void) {
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    unsigned seed = 12345;
    for (int round = 0; round < 60000; round++) {
        seed = seed * 1103515245 + 12345;
        int at = (int)(seed >> 8) % COUNT;
        if (blocks[at]) {
            for (size_t i = 0; i < sizes[at]; i += 7) REQUIRE(blocks[at][i] == (unsigned char)at);
            release(blocks[at]);
        }
        sizes[at] = (seed >> 20) % 100 ? (seed >> 12) % 600 : (seed >> 4) % 200000;
        blocks[at] = (unsigned char *)(seed % 2 ? allocate(sizes[at]) : calloc(1, sizes[at]));
        REQUIRE((uintptr_t)blocks[at] % 16 == 0 || sizes[at] < 16);
        for (size_t i = 0; i < sizes[at]; i++) REQUIRE(blocks[at][i] == 0);
        memset(blocks[at], at, sizes[at]);
    }
    return 0;
}
