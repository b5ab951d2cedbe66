// A block whose only pointer is in a thread-local of a library that was loaded while the program ran is reachable.
// The loader keeps such thread-locals in blocks that only its own table of the thread points at.
// library: holder.c
// run: HEAPCHECK=normal -> clean
// The first thread's table lies in the loader's own data, which is a global.
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-dtv -> leak 1002, ...
#include "support.h"
#include <dlfcn.h>

static void (*hold)(size_t);

static void work(void) { hold(1001); }
static void other_work(void) { hold(1002); }

static void *thread(void *unused) {
    (void)unused;
    apart(other_work);
    announce();
    pause_for_ever();
    return NULL;
}

int main(void) {
    void *library = dlopen(getenv("CASE_LIBRARY"), RTLD_NOW);
    REQUIRE(library != NULL);
    hold = (void (*)(size_t))dlsym(library, "hold_in_thread");
    apart(work);
    start_detached(thread, NULL);
    await(1);
    return 0;
}
