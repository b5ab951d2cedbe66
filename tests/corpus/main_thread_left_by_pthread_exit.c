// A program whose main thread left by pthread_exit is checked when its last thread ends.
// run: HEAPCHECK=normal -> leak direct 1001
// run: HEAPCHECK=strict -> leak 1001
#include "support.h"

static void *thread(void *unused) {
    usleep(50000);
    lose(1001);
    return unused;
}

int main(void) {
    start_detached(thread, NULL);
    pthread_exit(NULL);
}
