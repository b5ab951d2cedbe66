// A program that is annotated for LeakSanitizer works as it is: disable, enable, ignore_object.
// run: HEAPCHECK=normal -> leak direct 1003
#include "support.h"

void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));
void __lsan_ignore_object(const void *) __attribute__((weak));

static void work(void) {
    if (!__lsan_disable) return;
    __lsan_disable();
    lose(1001);
    __lsan_enable();
    void *block = allocate(1002);
    __lsan_ignore_object(block);
    lose(1003);
}

int main(void) {
    apart(work);
    return 0;
}
