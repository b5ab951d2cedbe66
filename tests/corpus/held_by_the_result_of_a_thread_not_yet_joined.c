// A block that an exited thread returned is reachable as long as nobody has joined the thread.
// run: HEAPCHECK=normal -> clean
#include "support.h"

static void *thread(void *unused) {
    (void)unused;
    void *block = allocate(1001);
    announce();
    return block;
}

static pthread_t handle;

static void work(void) { pthread_create(&handle, NULL, thread, NULL); }

int main(void) {
    apart(work);
    await(1);
    usleep(50000);
    return 0;
}
