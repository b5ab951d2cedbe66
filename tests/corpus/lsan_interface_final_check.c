// LeakSanitizer's check ends the program at once when something leaked, and does nothing otherwise.
// run: HEAPCHECK=normal -> leak direct 1001; stdout still here; exit 23
// run: HEAPCHECK=normal args clean -> clean; stdout the end
#include "support.h"

void __lsan_do_leak_check(void) __attribute__((weak));

int main(int count, char **arguments) {
    (void)arguments;
    if (!__lsan_do_leak_check) return 70;
    __lsan_do_leak_check();
    printf("still here\n");
    if (count == 1) lose(1001);
    __lsan_do_leak_check();
    if (count == 1) REQUIRE(!"this line is not reached");
    printf("the end\n");
    return 0;
}
