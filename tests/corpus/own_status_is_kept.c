// A program's own nonzero status is kept, with a leak and without.
// run: HEAPCHECK=normal -> leak direct 1001; exit 3
// run: HEAPCHECK=strict -> leak direct 1001; exit 3
// run: HEAPCHECK=normal args clean -> clean; exit 3
// run: HEAPCHECK= -> unchecked; exit 3
#include "support.h"

int main(int count, char **arguments) {
    (void)arguments;
    if (count == 1) lose(1001);
    exit(3);
}
