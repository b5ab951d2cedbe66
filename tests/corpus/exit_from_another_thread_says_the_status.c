// A wait in main that comes back because the check has stopped it does not end the process in the place of who called exit.
// run: HEAPCHECK=normal -> clean; exit 0
// run: HEAPCHECK=strict -> clean; exit 0
// run: HEAPCHECK=normal args lose -> leak 1001
// run: HEAPCHECK=normal args quick -> clean; exit 0
#include "support.h"

static char **arguments;

static void *end(void *nothing) {
    (void)nothing;
    usleep(20000);
    if (arguments[1] && strcmp(arguments[1], "lose") == 0) lose(1001);
    if (arguments[1] && strcmp(arguments[1], "quick") == 0) quick_exit(0);
    exit(0);
}

int main(int count, char **values) {
    (void)count;
    arguments = values;
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, end, NULL) == 0);
    pause();
    return 9;
}
