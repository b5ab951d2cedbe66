// Without a tool to read the record the runtime itself prints bytes, kind and function, after the program's own output.
// build: -rdynamic
// run: HEAPCHECK=normal HEAPCHECK_REPORT=plain -> leak direct 1001; stderr 1,001 bytes; stderr known_loser; no-stderr __libc_start_main; stdout before
// run: HEAPCHECK=normal HEAPCHECK_REPORT=none -> leak direct 1001; no-stderr 1,001
// run: HEAPCHECK=normal HEAPCHECK_REPORT=plain args clean -> clean; no-stderr direct
#include "support.h"

NOINLINE void known_loser(void) {
    lose(1001);
    scrub();
}

int main(int count, char **arguments) {
    (void)arguments;
    printf("before");
    if (count == 1) known_loser();
    return 0;
}
