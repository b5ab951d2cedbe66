// A fatal signal ends the program as it would without heapcheck, and the record says that no check ran.
// run: HEAPCHECK=normal -> no-check; signal 11
// run: HEAPCHECK=normal args term -> early; signal 15
#include "support.h"

int main(int count, char **arguments) {
    (void)arguments;
    lose(1001);
    if (count > 1) raise(SIGTERM);
    *(volatile int *)(uintptr_t)(count - 1) = 1;
    return 0;
}
