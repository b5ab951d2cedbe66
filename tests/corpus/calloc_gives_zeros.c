// What calloc gives reads as zeros, also in a process that is left alone and where no other block is cleared.
// run: HEAPCHECK= -> unchecked
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ZERO=0 -> clean
#include "support.h"

int main(void) {
    for (size_t size = 8; size < 300000; size = size * 3 / 2) {
        unsigned char *dirty = malloc(size);
        memset(dirty, 0xff, size);
        free(dirty);
        volatile unsigned char *zeros = calloc(1, size);
        for (size_t at = 0; at < size; at++) {
            if (zeros[at] != 0) return 9;
        }
        memset((void *)zeros, 0xff, size);
        free((void *)zeros);
    }
    return 0;
}
