// What strdup, asprintf, getline and open_memstream allocate is the program's to free, and leaks when it is not.
// run: HEAPCHECK=normal -> leak direct 1012, direct 2001, direct 5, ...
#include "support.h"

static void work(void) {
    static uintptr_t sum;
    char text[1012], *printed = NULL, *line = NULL;
    memset(text, 'x', 1011);
    text[1011] = 0;
    sum += (uintptr_t)strdup(text);
    REQUIRE(asprintf(&printed, "%2000d", 7) == 2000);
    sum += (uintptr_t)printed;
    sum += (uintptr_t)strndup(text, 4);
    FILE *file = fopen("/proc/self/cmdline", "r");
    size_t size = 0;
    REQUIRE(getline(&line, &size, file) > 0);
    fclose(file);
    sum += (uintptr_t)line;
    sum = 0;
}

int main(void) {
    apart(work);
    return 0;
}
