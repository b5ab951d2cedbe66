// A file of leak: lines suppresses the leaks whose stack has the named function.
// build: -rdynamic
// run: HEAPCHECK=normal HEAPCHECK_SUPPRESSIONS=$CORPUS/include/known.supp -> leak direct 1002
// run: HEAPCHECK=normal LSAN_OPTIONS=suppressions=$CORPUS/include/known.supp -> leak direct 1002
// run: HEAPCHECK=normal HEAPCHECK_SUPPRESSIONS=$CORPUS/include/all.supp -> clean
// run: HEAPCHECK=normal -> leak direct 1001, direct 1002
#include "support.h"

NOINLINE void known_loser(void) {
    lose(1001);
    scrub();
}

NOINLINE void other_loser(void) {
    lose(1002);
    scrub();
}

int main(void) {
    known_loser();
    other_loser();
    return 0;
}
