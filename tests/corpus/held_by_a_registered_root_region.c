// A block whose only pointer is in a mapping that the program registered as a root region is reachable.
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps,-regions -> leak 1001
// run: HEAPCHECK=strict FORGET=1 -> leak 1001
#include "heapcheck.h"
#include "support.h"
#include <sys/mman.h>

static void work(void) {
    void **page = (void **)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    heapcheck_root_region_add(page, 4096);
    page[511] = allocate(1001);
    if (getenv("FORGET")) heapcheck_root_region_remove(page, 4096);
}

int main(void) {
    apart(work);
    return 0;
}
