// Where output and errors go to one file, the report comes behind what the program has printed and libc still held.
// run: HEAPCHECK=normal HEAPCHECK_REPORT=plain -> leak 1001; stdout printed first, heapcheck: leaked 1,001 bytes
// run: HEAPCHECK=strict HEAPCHECK_REPORT=plain -> leak 1001; stdout printed first, heapcheck: leaked 1,001 bytes
#include "support.h"

int main(void) {
    dup2(STDOUT_FILENO, STDERR_FILENO);
    lose(1001);
    printf("printed first, ");
    return 0;
}
