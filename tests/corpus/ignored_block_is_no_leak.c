// A block that the program says to ignore is no leak, nor is what it points at; any address inside names it.
// run: HEAPCHECK=normal -> leak direct 1002
// run: HEAPCHECK=strict -> leak direct 1002
#include "heapcheck.h"
#include "support.h"

static void work(void) {
    void **block = (void **)allocate(1001);
    block[7] = allocate(500);
    heapcheck_ignore((char *)block + 333);
    lose(1002);
}

int main(void) {
    apart(work);
    return 0;
}
