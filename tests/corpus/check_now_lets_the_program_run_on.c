// A check on demand gives the bytes lost so far, and the program goes on, its threads too.
// run: HEAPCHECK=normal -> leak 1001, 1002; check 1 clean; check 2 leak 1001; stdout found 0 1001
#include "heapcheck.h"
#include "support.h"

static volatile int beats;

static void *thread(void *unused) {
    for (;;) {
        __atomic_add_fetch(&beats, 1, __ATOMIC_SEQ_CST);
        release(allocate(64));
        usleep(100);
    }
    return unused;
}

int main(void) {
    start_detached(thread, NULL);
    long first = heapcheck_check_now();
    lose(1001);
    long second = heapcheck_check_now();
    int before = beats;
    while (beats < before + 10) usleep(100);
    printf("found %ld %ld\n", first, second);
    fflush(stdout);
    lose(1002);
    return 0;
}
