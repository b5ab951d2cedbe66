// Blocks that are lost at one place are one leak with their number.
// run: HEAPCHECK=normal -> leak direct 1337x20
// run: HEAPCHECK=normal HEAPCHECK_STACKS=short -> leak direct 1337x20
// run: HEAPCHECK=normal HEAPCHECK_STACKS=off -> leak direct 1337x20
#include "support.h"

int main(void) {
    for (int i = 0; i < 20; i++) lose(1337);
    return 0;
}
