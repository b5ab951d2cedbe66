// What a check that a signal asked for has left on its own stack keeps nothing alive: what leaked then is a leak at the end.
// run: HEAPCHECK=normal HEAPCHECK_SIGNAL=12 -> leak 1001; check 1 leak 1001
#include "support.h"

int main(void) {
    lose(1001);
    long before = recorded();
    kill(getpid(), SIGUSR2);
    while (recorded() == before) usleep(1000);
    return 0;
}
