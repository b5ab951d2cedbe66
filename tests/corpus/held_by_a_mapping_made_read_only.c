// A block whose only pointer is in a mapping that was frozen after it had been filled is doubtful, as in one that was not.
// run: HEAPCHECK=normal -> clean 1001
// run: HEAPCHECK=strict -> leak 1001
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps -> leak direct 1001
#include "support.h"
#include <sys/mman.h>

static void work(void) {
    void **page = (void **)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    page[5] = allocate(1001);
    REQUIRE(mprotect(page, 4096, PROT_READ) == 0);
}

int main(void) {
    apart(work);
    return 0;
}
