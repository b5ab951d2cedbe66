// A signal asks for a check while the program runs, and the program goes on.
// run: HEAPCHECK=normal HEAPCHECK_SIGNAL=12 -> leak 1001, 1002; check 1 leak 1001; stdout ran on
// run: HEAPCHECK=normal -> early; signal 12
#include "support.h"

static void *thread(void *unused) {
    for (;;) release(allocate(64));
    return unused;
}

int main(void) {
    start_detached(thread, NULL);
    lose(1001);
    long before = recorded();
    kill(getpid(), SIGUSR2);
    while (recorded() == before) usleep(1000);
    printf("ran on\n");
    lose(1002);
    return 0;
}
