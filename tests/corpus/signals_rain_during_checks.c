// Checks on demand while a timer's signals rain on all threads neither hang nor err.
// run: HEAPCHECK=normal -> clean; stdout found 0
#include "heapcheck.h"
#include "support.h"
#include <sys/time.h>

static void handler(int signal) { (void)signal; }

static void *thread(void *unused) {
    void *volatile held = allocate(1001);
    announce();
    for (;;) release(allocate(64));
    return held ? unused : NULL;
}

int main(void) {
    struct itimerval timer = {{0, 100}, {0, 100}};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(SIGALRM, &action, NULL);
    for (int i = 0; i < 4; i++) start_detached(thread, NULL);
    await(4);
    setitimer(ITIMER_REAL, &timer, NULL);
    long found = 0;
    for (int i = 0; i < 100; i++) found += heapcheck_check_now();
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("found %ld\n", found);
    return 0;
}
