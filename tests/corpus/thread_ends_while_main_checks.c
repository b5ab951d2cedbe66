// Threads that begin and end all the time do not disturb a check.
// run: HEAPCHECK=normal ROUND=1 -> clean
// run: HEAPCHECK=normal ROUND=2 -> clean
#include "support.h"

static void *brief(void *block) {
    release(block);
    return NULL;
}

static void *breeder(void *unused) {
    announce();
    for (;;) {
        pthread_t handle;
        if (pthread_create(&handle, NULL, brief, allocate(777)) == 0) pthread_join(handle, NULL);
    }
    return unused;
}

int main(void) {
    for (int i = 0; i < 4; i++) start_detached(breeder, NULL);
    await(4);
    usleep(30000);
    return 0;
}
