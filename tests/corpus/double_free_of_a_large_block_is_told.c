// A block that had pages of its own is freed twice: it is told as such, although nothing of it is left by then.
// run: HEAPCHECK=normal -> clean; fault double-free; fault double-free; stdout went on
#include "support.h"

int main(void) {
    void *volatile block = allocate(100000);
    void *volatile other = allocate(5 << 20);
    release(other);
    release(block);
    release(other);
    release(block);
    printf("went on\n");
    return 0;
}
