// A signal handler that allocates and frees, against the manual, does not hang the thread that it interrupts.
// run: HEAPCHECK=normal -> clean
#include "support.h"
#include <sys/time.h>

static void handler(int signal) {
    (void)signal;
    release(allocate(333));
}

int main(void) {
    struct itimerval timer = {{0, 200}, {0, 200}};
    signal(SIGALRM, handler);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (int i = 0; i < 2000000; i++) release(allocate(16 + (size_t)i % 500));
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    return 0;
}
