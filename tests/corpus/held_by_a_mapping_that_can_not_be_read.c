// A mapping that was made unreadable after a pointer was put there holds nothing, and looking at it harms nobody.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"
#include <sys/mman.h>

static void work(void) {
    void **page = (void **)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    page[5] = allocate(1001);
    mprotect(page, 8192, PROT_NONE);
}

int main(void) {
    apart(work);
    return 0;
}
