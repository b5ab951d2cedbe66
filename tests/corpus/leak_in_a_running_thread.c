// A block that a thread lost is a leak while the thread still runs.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

static void *thread(void *unused) {
    lose(1001);
    announce();
    pause_for_ever();
    return unused;
}

int main(void) {
    start_detached(thread, NULL);
    await(1);
    return 0;
}
