/* Leaks a block that holds the only pointer to another, and ends with the status it is given. */
#include <stdlib.h>
#include <string.h>

static void lose(void) {
    void **outer = malloc(1021);
    outer[0] = malloc(1022);
    memset(outer[0], 1, 1022);
}

static void scrub(void) {
    volatile char stack[8192];
    for (size_t at = 0; at < sizeof stack; at++) stack[at] = 0;
}

int main(int count, char **arguments) {
    lose();
    scrub();
    return count > 1 ? atoi(arguments[1]) : 0;
}
