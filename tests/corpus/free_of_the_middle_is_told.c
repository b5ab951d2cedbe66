// Freeing an address inside a block is told, and the block stays what it was.
// run: HEAPCHECK=normal -> clean; fault free-of-an-interior-pointer; fault free-of-an-interior-pointer
#include "support.h"

int main(void) {
    char *block = (char *)allocate(1001), *large = (char *)allocate(300000);
    memset(block, 7, 1001);
    release(block + 16);
    release(large + 65536);
    for (int i = 0; i < 1001; i++) REQUIRE(block[i] == 7);
    release(block);
    release(large);
    return 0;
}
