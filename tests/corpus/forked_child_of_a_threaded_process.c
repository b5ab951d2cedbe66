// In the child of a threaded process the threads are gone, but what they held is no leak.
// run: HEAPCHECK=normal -> clean; child clean; children 1
#include "support.h"
#include <sys/wait.h>

static __thread void *volatile thread_held;

static void *thread(void *unused) {
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    thread_held = allocate(1002);
    scrub();
    announce();
    pause_for_ever();
    return held[1] ? unused : thread_held;
}

int main(void) {
    start_detached(thread, NULL);
    await(1);
    pid_t child = fork();
    if (child == 0) exit(0);
    int status = 0;
    waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}
