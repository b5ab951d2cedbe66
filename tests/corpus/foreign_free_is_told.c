// Freeing what was never allocated is told: an address on the stack, in a global, in a mapping.
// run: HEAPCHECK=normal -> clean; fault invalid-free; fault invalid-free; fault invalid-free
#include "support.h"
#include <sys/mman.h>

static char global[64];

int main(void) {
    char local[64];
    release(local + 16);
    release(global + 16);
    release(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    return 0;
}
