// A leak below a callback from libc is told like any other.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

static int done;

static int compare(const void *first, const void *second) {
    if (!done++) lose(1001);
    return *(const int *)first - *(const int *)second;
}

int main(void) {
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof *numbers, compare);
    scrub();
    return numbers[0] != 1;
}
