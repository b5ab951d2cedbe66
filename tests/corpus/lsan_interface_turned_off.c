// A program that turns LeakSanitizer off turns the check off.
// run: HEAPCHECK=normal -> no-check
// build: -rdynamic
#include "support.h"

int __lsan_is_turned_off(void) { return 1; }

int main(void) {
    lose(1001);
    return 0;
}
