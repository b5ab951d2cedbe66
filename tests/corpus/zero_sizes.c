// A block of no bytes is a block: it has an address of its own, may be freed, and may leak.
// run: HEAPCHECK=normal -> leak direct 0x2
#include "support.h"

static void lose_one_of_each(void) {
    static volatile uintptr_t hidden;
    hidden = disguise(allocate(0));
    hidden = disguise(calloc(0, 8));
}

int main(void) {
    void *first = allocate(0), *second = allocate(0);
    REQUIRE(first && second && first != second);
    release(first);
    release(second);
    REQUIRE(realloc(allocate(100), 0) == NULL);
    release(NULL);
    first = second = NULL;
    apart(lose_one_of_each);
    return 0;
}
