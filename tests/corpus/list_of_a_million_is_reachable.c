// A list of a million nodes hangs on one global, and following it needs no deep recursion.
// run: HEAPCHECK=normal -> clean
#include "support.h"

static void **volatile list;

static void work(void) {
    for (int i = 0; i < 1000000; i++) {
        void **node = (void **)allocate(48);
        node[0] = list;
        list = node;
    }
}

int main(void) {
    apart(work);
    return 0;
}
