// Blocks that a running thread lost are leaks, also when it has had them before and gave them back.
// run: HEAPCHECK=normal -> leak direct 1001x100
#include "support.h"

static void *thread(void *unused) {
    void *blocks[200];
    for (int i = 0; i < 200; i++) blocks[i] = allocate(1001);
    for (int i = 0; i < 200; i++) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
    for (int i = 0; i < 100; i++) lose(1001);
    announce();
    pause_for_ever();
    return unused;
}

int main(void) {
    start_detached(thread, NULL);
    await(1);
    return 0;
}
