// What libc keeps for itself, the environment, a locale, a stream that stays open, is no leak.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"
#include <locale.h>
#include <time.h>

static FILE *volatile stream;

int main(void) {
    char name[32];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "NAME_%d", i % 50);
        setenv(name, "a value of some length that is kept", 1);
    }
    setlocale(LC_ALL, "");
    time_t now = time(NULL);
    REQUIRE(localtime(&now) != NULL);
    stream = fopen("/dev/null", "w");
    setvbuf(stream, NULL, _IOFBF, 10000);
    fprintf(stream, "%s", "something");
    return 0;
}
