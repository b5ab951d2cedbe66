// mallinfo2, mallopt, malloc_trim, malloc_stats and malloc_info may be called.
// run: HEAPCHECK=normal -> clean
#include "support.h"
#include <malloc.h>

int main(void) {
    void *block = allocate(1001);
    struct mallinfo2 numbers = mallinfo2();
    REQUIRE(numbers.uordblks < ((size_t)1 << 40));
    mallopt(M_MMAP_THRESHOLD, 4096);
    malloc_trim(0);
    malloc_stats();
    FILE *file = fopen("/dev/null", "w");
    malloc_info(0, file);
    fclose(file);
    release(block);
    return 0;
}
