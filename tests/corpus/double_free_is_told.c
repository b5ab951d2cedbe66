// A block that is freed twice is told, and the program goes on.
// run: HEAPCHECK=normal -> clean; fault double-free; stdout went on
#include "support.h"

int main(void) {
    void *volatile block = allocate(1001);
    release(block);
    release(block);
    printf("went on\n");
    return 0;
}
