// A program that uses the stop signal itself, or blocks it, is checked all the same; another one can be chosen.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_STOP_SIGNAL=40 -> clean
#include "support.h"

static void ours(int signal) { (void)signal; }

static void *thread(void *unused) {
    void *volatile held[3] = {NULL, allocate(1002), NULL};
    scrub();
    announce();
    pause_for_ever();
    return held[1] ? unused : NULL;
}

int main(void) {
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) signal(number, ours);
    start_detached(thread, NULL);
    await(1);
    return 0;
}
