// A block whose only pointer is in a global of a library that was loaded while the program ran is reachable.
// library: holder.c
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001, ...
#include "support.h"
#include <dlfcn.h>

static void work(void) {
    void *library = dlopen(getenv("CASE_LIBRARY"), RTLD_NOW);
    REQUIRE(library != NULL);
    void (*hold)(size_t) = (void (*)(size_t))dlsym(library, "hold_in_global");
    hold(1001);
}

int main(void) {
    apart(work);
    return 0;
}
