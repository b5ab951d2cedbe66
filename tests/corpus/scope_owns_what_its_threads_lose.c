// A scope owns what the threads that were started in it allocate, and not what other threads do meanwhile.
// run: HEAPCHECK=local -> leak 1001; stdout inside 1001
#include "heapcheck.h"
#include "support.h"

static void *other(void *unused) {
    announce();
    while (__atomic_load_n(&announced, __ATOMIC_SEQ_CST) < 2) usleep(500);
    lose(1002);
    announce();
    pause_for_ever();
    return unused;
}

static void *inner(void *unused) {
    lose(1001);
    return unused;
}

int main(void) {
    start_detached(other, NULL);
    await(1);
    unsigned scope = heapcheck_scope_begin("mine");
    pthread_t handle;
    pthread_create(&handle, NULL, inner, NULL);
    pthread_join(handle, NULL);
    announce();
    await(3);
    scrub();
    printf("inside %ld\n", heapcheck_scope_check(scope));
    heapcheck_scope_end(scope);
    return 0;
}
