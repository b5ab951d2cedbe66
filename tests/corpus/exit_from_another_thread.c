// exit called by a thread other than main is checked, and main's stack still counts.
// run: HEAPCHECK=normal -> leak direct 1001
// run: HEAPCHECK=strict -> leak direct 1001
#include "support.h"

static void *thread(void *unused) {
    lose(1001);
    exit(0);
    return unused;
}

int main(void) {
    void *volatile held[3] = {NULL, allocate(1002), NULL};
    scrub();
    start_detached(thread, NULL);
    pause_for_ever();
    return held[1] != NULL;
}
