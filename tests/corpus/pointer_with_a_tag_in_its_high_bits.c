// A pointer with something else in its topmost 16 bits (a counter against ABA, a boxed NaN) keeps its block, doubtfully.
// run: HEAPCHECK=normal -> clean 1001, 1002x2, 1003
// run: HEAPCHECK=strict -> leak 1001, 1002x2, 1003
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-tags -> leak direct 1001, direct 1002x2, indirect 1003
#include "support.h"

static volatile uintptr_t tagged[3];

static void work(void) {
    void **owner = allocate(1001);
    owner[3] = allocate(1003);
    tagged[0] = (uintptr_t)owner | (uintptr_t)1 << 48;
    tagged[1] = ((uintptr_t)allocate(1002) + 1001) | (uintptr_t)0xfff8 << 48;
    tagged[2] = (uintptr_t)allocate(1002) | (uintptr_t)0x8000 << 48 | 5;
}

int main(void) {
    apart(work);
    return 0;
}
