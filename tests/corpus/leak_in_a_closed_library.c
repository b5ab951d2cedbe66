// What a library lost before it was closed is a leak, and what it held in its global is one after.
// library: holder.c
// run: HEAPCHECK=normal -> leak direct 1001, direct 1002
#include "support.h"
#include <dlfcn.h>

static void work(void) {
    void *library = dlopen(getenv("CASE_LIBRARY"), RTLD_NOW);
    REQUIRE(library != NULL);
    ((void (*)(size_t))dlsym(library, "hold_nowhere"))(1001);
    ((void (*)(size_t))dlsym(library, "hold_in_global"))(1002);
    REQUIRE(dlclose(library) == 0);
}

int main(void) {
    apart(work);
    return 0;
}
