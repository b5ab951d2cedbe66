// What a function has left on the stack before a check is asked for holds nothing, in whatever frames of the runtime that lies then.
// run: HEAPCHECK=normal args now -> leak 1001x4096; check 1 leak 1001x4096
// run: HEAPCHECK=strict args now -> leak 1001x4096; check 1 leak 1001x4096
// run: HEAPCHECK=normal args scope -> leak 1001x4096; stdout found 4100096
// run: HEAPCHECK=normal args recoverable -> leak 1001x4096; check 1 leak 1001x4096
// run: HEAPCHECK=normal args final -> leak 1001x4096
// run: HEAPCHECK=normal args quick -> leak 1001x4096
// run: HEAPCHECK=strict args quick -> leak 1001x4096
// run: HEAPCHECK=normal args return -> leak 1001x4096
// run: HEAPCHECK=strict args return -> leak 1001x4096
// run: HEAPCHECK=normal args pthread_exit -> leak 1001x4096
// run: HEAPCHECK=strict args pthread_exit -> leak 1001x4096
// run: HEAPCHECK=normal args main -> leak 1001x4096
// run: HEAPCHECK=strict args main -> leak 1001x4096
#include "heapcheck.h"
#include "support.h"

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
extern void __lsan_do_leak_check(void) __attribute__((weak));

// Each word of the stack is a block of its own: one that is looked at hides one block.
NOINLINE static void litter(void) {
    char *volatile words[4096];
    for (int number = 0; number < 4096; number++) words[number] = malloc(1001);
}

static pthread_t first;
static const char *way;

// The last thread of the process: libc ends it when this one is over.
static void *last(void *nothing) {
    pthread_join(first, NULL);
    usleep(20000);
    litter();
    if (strcmp(way, "pthread_exit") == 0) pthread_exit(NULL);
    return nothing;
}

int main(int count, char **arguments) {
    way = count > 1 ? arguments[1] : "now";
    if (strcmp(way, "return") == 0 || strcmp(way, "pthread_exit") == 0) {
        pthread_t thread;
        first = pthread_self();
        REQUIRE(pthread_create(&thread, NULL, last, NULL) == 0);
        pthread_exit(NULL);
    }
    unsigned scope = strcmp(way, "scope") == 0 ? heapcheck_scope_begin("a scope") : 0;
    litter();
    if (strcmp(way, "now") == 0) heapcheck_check_now();
    if (strcmp(way, "scope") == 0) printf("found %ld\n", heapcheck_scope_check(scope));
    if (strcmp(way, "recoverable") == 0) __lsan_do_recoverable_leak_check();
    if (strcmp(way, "final") == 0) __lsan_do_leak_check();
    if (strcmp(way, "quick") == 0) quick_exit(0);
    if (strcmp(way, "main") == 0) pthread_exit(NULL);
    return 0;
}
