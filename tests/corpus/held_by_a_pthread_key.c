// A block whose only pointer is the value of one of a thread's first keys is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-keys -> leak 1001, 1002, ...
#include "support.h"

static pthread_key_t key;

static void work(void) { pthread_setspecific(key, allocate(1001)); }
static void other_work(void) { pthread_setspecific(key, allocate(1002)); }

static void *thread(void *unused) {
    (void)unused;
    apart(other_work);
    announce();
    pause_for_ever();
    return NULL;
}

int main(void) {
    pthread_key_create(&key, NULL);
    apart(work);
    start_detached(thread, NULL);
    await(1);
    return 0;
}
