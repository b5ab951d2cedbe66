// realloc of a block that was freed is told and gives nothing.
// run: HEAPCHECK=normal -> clean; fault double-free
#include "support.h"

int main(void) {
    void *volatile block = allocate(1001);
    release(block);
    void *again = realloc(block, 2000);
    release(again);
    return 0;
}
