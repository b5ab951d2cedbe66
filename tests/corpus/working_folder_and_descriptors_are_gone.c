// A program that leaves its folder and closes every descriptor is checked, and its record is found.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

int main(void) {
    lose(1001);
    if (chdir("/") != 0) return 70;
    for (int descriptor = 0; descriptor < 1024; descriptor++) close(descriptor);
    return 0;
}
