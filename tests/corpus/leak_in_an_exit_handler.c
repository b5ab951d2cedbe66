// What an exit handler loses is after the check of normal mode and before that of strict mode.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal args exit -> clean
// run: HEAPCHECK=strict -> leak direct 1001
// run: HEAPCHECK=strict args exit -> leak direct 1001
#include "support.h"

static void handler(void) { lose(1001); }

int main(int count, char **arguments) {
    (void)arguments;
    atexit(handler);
    if (count > 1) exit(0);
    return 0;
}
