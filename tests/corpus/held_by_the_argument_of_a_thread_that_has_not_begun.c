// Blocks that are handed to threads as their argument are reachable before those threads have run their first instruction.
// All threads share one processor with main, so that most of them have not begun when main ends. Which ones is chance:
// there is no other side to this case.
// run: HEAPCHECK=normal ROUND=1 -> clean
// run: HEAPCHECK=normal ROUND=2 -> clean
// run: HEAPCHECK=normal ROUND=3 -> clean
#include "support.h"
#include <sched.h>

static void *thread(void *argument) {
    void *volatile held = argument;
    pause_for_ever();
    return held;
}

static void work(void) {
    for (int i = 0; i < 60; i++) start_detached(thread, allocate(1001));
}

int main(void) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    apart(work);
    return 0;
}
