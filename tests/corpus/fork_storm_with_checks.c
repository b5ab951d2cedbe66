// A thousand forks while threads allocate: no child hangs, and each is checked and clean.
// run: HEAPCHECK=normal -> clean; child clean; children 1000
#include "support.h"
#include <sys/wait.h>
#include <unistd.h>

static void *thread(void *unused) {
    announce();
    // So that a child need not wait for its turn: a thread that is interrupted in the allocator is what matters.
    nice(19);
    for (unsigned i = 0;; i++) {
        void *volatile block = allocate(16 + i % 2000);
        release(block);
    }
    return unused;
}

int main(void) {
    for (int i = 0; i < 3; i++) start_detached(thread, NULL);
    await(3);
    for (int i = 0; i < 1000; i++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            void *block = allocate(100);
            release(block);
            exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return 0;
}
