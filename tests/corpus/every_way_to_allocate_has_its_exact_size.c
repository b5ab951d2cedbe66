// Every function of the malloc family gives a block of exactly the size that was asked for.
// run: HEAPCHECK=normal -> leak direct 1001, direct 1002, direct 1003, direct 1004, direct 1088, direct 1006, direct 1007, direct 1008, direct 1009, direct 4096
#include "support.h"
#include <malloc.h>

static void work(void) {
    static uintptr_t sum;
    void *block = NULL;
    sum += (uintptr_t)allocate(1001);
    sum += (uintptr_t)calloc(3, 334);
    sum += (uintptr_t)realloc(NULL, 1003);
    sum += (uintptr_t)reallocarray(NULL, 4, 251);
    sum += (uintptr_t)aligned_alloc(64, 1088);
    REQUIRE(posix_memalign(&block, 256, 1006) == 0);
    sum += (uintptr_t)block;
    sum += (uintptr_t)memalign(32, 1007);
    sum += (uintptr_t)valloc(1008);
    sum += (uintptr_t)realloc(realloc(allocate(5000), 300), 1009);
    sum += (uintptr_t)pvalloc(100);
    sum = 0;
}

int main(void) {
    apart(work);
    return 0;
}
