// A block whose only pointer is stored complemented is lost: a word must be an address to be one.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

static volatile uintptr_t hidden;

static void work(void) { hidden = ~(uintptr_t)allocate(1001); }

int main(void) {
    apart(work);
    return 0;
}
