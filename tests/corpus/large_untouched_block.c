// A gigabyte that the program never touched is reachable, and looking at it does not take the memory it stands for.
// run: HEAPCHECK=normal -> clean
#include "support.h"
#include <sys/resource.h>

static void *volatile held;

__attribute__((destructor)) static void measure(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    REQUIRE(usage.ru_maxrss < 200 * 1024);
}

int main(void) {
    held = allocate((size_t)1 << 30);
    REQUIRE(held != NULL);
    return 0;
}
