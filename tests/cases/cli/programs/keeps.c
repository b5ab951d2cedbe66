/* Keeps ten blocks in a global, and loses one; with `more` it keeps another, with `fork` a child does the last part of it. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *cache[11];

static void fill(int from, int to) {
    for (int at = from; at < to; at++) cache[at] = malloc(300);
}

static void lose(void) {
    ((volatile char *) malloc(77))[0] = 1;
}

static void scrub(void) {
    volatile char stack[8192];
    for (size_t at = 0; at < sizeof stack; at++) stack[at] = 0;
}

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "";
    fill(0, 8);
    if (strcmp(how, "more") == 0) cache[10] = malloc(1000);
    if (strcmp(how, "fork") == 0 && fork() > 0) {
        wait(NULL);
        return 0;
    }
    fill(8, 10);
    lose();
    scrub();
    return 0;
}
