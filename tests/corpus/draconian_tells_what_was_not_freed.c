// Draconian mode reports what is still reachable at the very end, and normal mode does not.
// run: HEAPCHECK=draconian -> leak unfreed 1001, unfreed 1002
// run: HEAPCHECK=normal -> clean
#include "support.h"

static void *volatile held[2];

int main(void) {
    held[0] = allocate(1001);
    held[1] = allocate(1002);
    return 0;
}
