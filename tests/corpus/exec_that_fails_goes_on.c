// A program whose exec fails goes on and is checked at its end.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

int main(void) {
    lose(1001);
    execl("/nowhere/nothing", "nothing", (char *)NULL);
    REQUIRE(errno == ENOENT);
    scrub();
    return 0;
}
