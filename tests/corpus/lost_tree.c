// Of a lost tree the root is the direct leak, however its branches share their leaves.
// run: HEAPCHECK=normal -> leak direct 1001, indirect 500x2, indirect 48x3; keeps 1144
#include "support.h"

static void work(void) {
    void **root = (void **)allocate(1001);
    void **branches[2];
    for (int i = 0; i < 2; i++) root[i] = branches[i] = (void **)allocate(500);
    for (int i = 0; i < 3; i++) branches[i / 2][i] = allocate(48);
    branches[1][5] = branches[0][0];
}

int main(void) {
    apart(work);
    return 0;
}
