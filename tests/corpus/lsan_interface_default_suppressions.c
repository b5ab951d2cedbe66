// A program may bring its own suppressions.
// build: -rdynamic
// run: HEAPCHECK=normal -> leak direct 1002
#include "support.h"

const char *__lsan_default_suppressions(void) { return "leak:known_loser\n"; }

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
