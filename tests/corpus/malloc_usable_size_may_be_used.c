// All that malloc_usable_size promises may be written, and the leak still has the size that was asked for.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"
#include <malloc.h>

static void work(void) {
    for (size_t size = 0; size < 5000; size += 13) {
        char *block = (char *)allocate(size);
        size_t usable = malloc_usable_size(block);
        REQUIRE(usable >= size);
        memset(block, 0xff, usable);
        release(block);
    }
    REQUIRE(malloc_usable_size(NULL) == 0);
    char *block = (char *)allocate(1001);
    memset(block, 0, malloc_usable_size(block));
}

int main(void) {
    apart(work);
    return 0;
}
