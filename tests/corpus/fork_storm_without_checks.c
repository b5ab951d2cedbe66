// Four thousand forks while threads allocate and start threads: no child hangs in its first allocation.
// run: HEAPCHECK=normal -> clean; child no-check; children 4000
#include "support.h"
#include <sys/wait.h>

static void *brief(void *block) {
    release(block);
    return NULL;
}

static void *thread(void *unused) {
    announce();
    for (unsigned i = 0;; i++) {
        void *volatile block = allocate(16 + i % 2000);
        if (i % 500 == 0) {
            pthread_t handle;
            if (pthread_create(&handle, NULL, brief, allocate(777)) == 0) pthread_join(handle, NULL);
        }
        release(block);
    }
    return unused;
}

int main(void) {
    for (int i = 0; i < 3; i++) start_detached(thread, NULL);
    await(3);
    for (int i = 0; i < 4000; i++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            release(allocate(100));
            release(allocate(100000));
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return 0;
}
