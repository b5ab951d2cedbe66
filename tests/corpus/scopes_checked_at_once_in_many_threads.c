// Checks of scopes that end at the same moment in many threads wait for each other, find what is theirs, and hang never.
// run: HEAPCHECK=local -> leak 1001x40, 1002x40, 1003x40, 1004x40, 1005x40, 1006x40, 1007x40, 1008x40; stdout told 320
#include "heapcheck.h"
#include "support.h"

enum { THREADS = 8, ROUNDS = 40 };

static int told;

static void *work(void *size) {
    for (int round = 0; round < ROUNDS; round++) {
        unsigned scope = heapcheck_scope_begin("one of many");
        lose((size_t)size);
        if (heapcheck_scope_check(scope) == (long)size) __atomic_fetch_add(&told, 1, __ATOMIC_RELAXED);
        heapcheck_scope_end(scope);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (size_t number = 0; number < THREADS; number++)
        REQUIRE(pthread_create(&threads[number], NULL, work, (void *)(1001 + number)) == 0);
    for (int number = 0; number < THREADS; number++) pthread_join(threads[number], NULL);
    printf("told %d\n", told);
    return 0;
}
