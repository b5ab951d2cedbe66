// _exit means at once: no check runs, the status stays, and the record says so.
// run: HEAPCHECK=normal -> no-check; exit 0
// run: HEAPCHECK=normal args 4 -> no-check; exit 4
#include "support.h"

int main(int count, char **arguments) {
    lose(1001);
    _exit(count > 1 ? atoi(arguments[1]) : 0);
}
