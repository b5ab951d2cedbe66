// Under gdb and strace, which hold the one seat of a tracer, the check works as ever.
// run: HEAPCHECK=normal under gdb -> leak direct 1001; exit 23
// run: HEAPCHECK=normal under strace -> leak direct 1001; exit 23
// run: HEAPCHECK=normal under strace args clean -> clean
// run: HEAPCHECK=normal under gdb args clean -> clean
#include "support.h"

static void *thread(void *unused) {
    void *volatile held[3] = {NULL, allocate(1002), NULL};
    scrub();
    announce();
    pause_for_ever();
    return held[1] ? unused : NULL;
}

int main(int count, char **arguments) {
    (void)arguments;
    start_detached(thread, NULL);
    await(1);
    if (count == 1) lose(1001);
    return 0;
}
