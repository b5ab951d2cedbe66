// Knobs of gperftools and LeakSanitizer that still make sense are obeyed.
// run: HEAPCHECK=normal LSAN_OPTIONS=exitcode=5 -> leak direct 1001; exit 5
// run: HEAPCHECK=normal LSAN_OPTIONS=verbosity=1:exitcode=0 -> leak direct 1001; exit 0
// run: HEAPCHECK=normal LSAN_OPTIONS=detect_leaks=0 -> no-check
// run: HEAPCHECK=normal HEAPCHECK_EXITCODE=6 LSAN_OPTIONS=exitcode=5 -> leak direct 1001; exit 6
#include "support.h"

int main(void) {
    lose(1001);
    return 0;
}
