// Of a lost chain the head is the direct leak and the rest is indirect.
// run: HEAPCHECK=normal -> leak direct 1001, indirect 1002, indirect 1003; keeps 2005
#include "support.h"

static void work(void) {
    void **head = (void **)allocate(1001);
    head[0] = allocate(1002);
    void **middle = (void **)head[0];
    middle[20] = allocate(1003);
}

int main(void) {
    apart(work);
    return 0;
}
