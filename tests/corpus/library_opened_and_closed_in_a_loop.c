// A library that is opened and closed again and again, while another thread allocates, disturbs nobody.
// library: holder.c
// run: HEAPCHECK=normal -> leak direct 1001x30
#include "support.h"
#include <dlfcn.h>

static void *thread(void *unused) {
    announce();
    for (;;) release(allocate(100));
    return unused;
}

static void work(void) {
    for (int i = 0; i < 30; i++) {
        void *library = dlopen(getenv("CASE_LIBRARY"), RTLD_NOW);
        REQUIRE(library != NULL);
        ((void (*)(size_t))dlsym(library, "hold_nowhere"))(1001);
        REQUIRE(dlclose(library) == 0);
    }
}

int main(void) {
    start_detached(thread, NULL);
    await(1);
    apart(work);
    return 0;
}
