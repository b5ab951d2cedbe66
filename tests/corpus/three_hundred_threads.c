// Three hundred running threads each hold a block on their stack, and one of them lost another.
// run: HEAPCHECK=normal -> leak direct 1337
#include "support.h"

static void *thread(void *number) {
    void *volatile held = allocate(1001);
    if ((intptr_t)number == 177) lose(1337);
    scrub();
    announce();
    pause_for_ever();
    return held;
}

int main(void) {
    for (intptr_t i = 0; i < 300; i++) start_detached(thread, (void *)i);
    await(300);
    return 0;
}
