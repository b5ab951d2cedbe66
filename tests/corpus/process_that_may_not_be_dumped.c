// A process that made itself undumpable, whose files in /proc belong to root, is checked as ever.
// run: HEAPCHECK=normal -> leak direct 1001
// run: HEAPCHECK=normal args clean -> clean
#include "support.h"
#include <sys/prctl.h>

static void *thread(void *unused) {
    void *volatile held[3] = {NULL, allocate(1002), NULL};
    scrub();
    announce();
    pause_for_ever();
    return held[1] ? unused : NULL;
}

int main(int count, char **arguments) {
    (void)arguments;
    REQUIRE(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
    start_detached(thread, NULL);
    await(1);
    if (count == 1) lose(1001);
    return 0;
}
