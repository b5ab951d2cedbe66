// A pointer to the byte after a block keeps it, doubtfully, whether or not the allocator rounds the block's size up.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> leak 1001, 4096, 100000
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-ends -> leak direct 1001, 4096, 100000
#include "support.h"

static char *volatile ends[3];

static void work(void) {
    ends[0] = (char *)allocate(1001) + 1001;
    ends[1] = (char *)allocate(4096) + 4096;
    ends[2] = (char *)allocate(100000) + 100000;
}

int main(void) {
    apart(work);
    return 0;
}
