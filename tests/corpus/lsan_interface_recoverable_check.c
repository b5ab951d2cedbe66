// LeakSanitizer's recoverable check says whether something leaked, and the program runs on.
// run: HEAPCHECK=normal -> leak direct 1001; stdout found 0 1
#include "support.h"

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

int main(void) {
    int (*check)(void) = __lsan_do_recoverable_leak_check;
    int first = check ? check() : -1;
    lose(1001);
    int second = check ? check() : -1;
    printf("found %d %d\n", first, second != 0);
    return 0;
}
