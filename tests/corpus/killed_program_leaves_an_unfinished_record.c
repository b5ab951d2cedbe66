// A program that was killed leaves a record without an end, which is never taken for a clean one.
// run: HEAPCHECK=normal -> unfinished; signal 9
#include "support.h"

int main(void) {
    raise(SIGKILL);
    return 0;
}
