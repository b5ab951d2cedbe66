// What a constructor lost before main is quiet in minimal mode and a leak in normal mode.
// run: HEAPCHECK=minimal -> clean
// run: HEAPCHECK=normal -> leak direct 1001
// run: HEAPCHECK=strict -> leak direct 1001
#include "support.h"

__attribute__((constructor)) static void early(void) { lose(1001); }

int main(void) { return 0; }
