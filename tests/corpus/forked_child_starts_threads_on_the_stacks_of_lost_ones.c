// What the threads of the parent held is no leak of the child, also when its own threads overwrite their stacks.
// run: HEAPCHECK=normal -> clean; child clean; children 1
#include "support.h"
#include <sys/wait.h>

static void *thread(void *unused) {
    void *volatile held = allocate(1001);
    scrub();
    announce();
    pause_for_ever();
    return held ? unused : NULL;
}

static void *overwrite(void *unused) {
    char room[500000];
    memset(room, 0, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    return unused;
}

int main(void) {
    for (int i = 0; i < 4; i++) start_detached(thread, NULL);
    await(4);
    pid_t child = fork();
    if (child == 0) {
        pthread_t ids[4];
        for (int i = 0; i < 4; i++) pthread_create(&ids[i], NULL, overwrite, NULL);
        for (int i = 0; i < 4; i++) pthread_join(ids[i], NULL);
        exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}
