// A leak turns exit(0) into 23.
// run: HEAPCHECK=normal -> leak direct 1001; exit 23
// run: HEAPCHECK=normal HEAPCHECK_EXITCODE=77 -> leak direct 1001; exit 77
// run: HEAPCHECK=normal HEAPCHECK_EXITCODE=0 -> leak direct 1001; exit 0
// run: HEAPCHECK= -> unchecked; exit 0
// run: -> unchecked; exit 0
#include "support.h"

int main(void) {
    lose(1001);
    exit(0);
}
