// What a library lost is told with the names of its functions, also when it was closed long before.
// library: holder.c
// run: HEAPCHECK=normal HEAPCHECK_REPORT=plain -> leak direct 1001; stderr hold_nowhere
#include "support.h"
#include <dlfcn.h>

static void work(void) {
    void *library = dlopen(getenv("CASE_LIBRARY"), RTLD_NOW);
    REQUIRE(library != NULL);
    ((void (*)(size_t))dlsym(library, "hold_nowhere"))(1001);
    REQUIRE(dlclose(library) == 0);
}

int main(void) {
    apart(work);
    return 0;
}
