// A thread that blocks every signal can't be stopped by one: its stack is found all the same.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_STOP=signal,stack -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-stacks -> leak 1001, ...
#include "support.h"

static void *thread(void *unused) {
    (void)unused;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    scrub();
    announce();
    pause_for_ever();
    return held[1];
}

int main(void) {
    start_detached(thread, NULL);
    await(1);
    return 0;
}
