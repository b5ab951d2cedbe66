// A program may bring its own LSAN_OPTIONS; the environment's win.
// build: -rdynamic
// run: HEAPCHECK=normal -> leak direct 1001; exit 42
// run: HEAPCHECK=normal LSAN_OPTIONS=exitcode=43 -> leak direct 1001; exit 43
#include "support.h"

const char *__lsan_default_options(void) { return "exitcode=42"; }

int main(void) {
    lose(1001);
    return 0;
}
