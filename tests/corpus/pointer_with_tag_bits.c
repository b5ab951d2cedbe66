// A pointer whose low bits carry a tag keeps its block.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001x7, ...
#include "support.h"

static volatile uintptr_t tagged[7];

static void work(void) {
    for (int tag = 1; tag <= 7; tag++) tagged[tag - 1] = (uintptr_t)allocate(1001) | (uintptr_t)tag;
}

int main(void) {
    apart(work);
    return 0;
}
