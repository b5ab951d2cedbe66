// A pointer to any byte of a block keeps it, however large the block and however odd the offset.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001, 5003, 3000007, ...
#include "support.h"

static char *volatile inside[3];

static void work(void) {
    inside[0] = (char *)allocate(1001) + 1000;
    inside[1] = (char *)allocate(5003) + 2501;
    inside[2] = (char *)allocate(3000007) + 2999999;
}

int main(void) {
    apart(work);
    return 0;
}
