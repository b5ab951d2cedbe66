// A block whose only pointer is in an anonymous mapping is doubtful: it does not count in normal mode and does in strict.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> leak 1001
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps -> leak direct 1001
#include "support.h"
#include <sys/mman.h>

static void work(void) {
    void **page = (void **)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    page[5] = allocate(1001);
}

int main(void) {
    apart(work);
    return 0;
}
