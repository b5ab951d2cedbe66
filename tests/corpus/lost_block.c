// A block that nothing points at is a direct leak of its exact size.
// run: HEAPCHECK=minimal -> leak direct 1001
// run: HEAPCHECK=normal -> leak direct 1001
// run: HEAPCHECK=strict -> leak direct 1001
#include "support.h"

int main(void) {
    lose(1001);
    return 0;
}
