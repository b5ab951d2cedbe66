// What the parent lost before it forked is lost in the child as well, and each tells its own.
// run: HEAPCHECK=normal -> leak direct 1001; child leak direct 1001, direct 1002
#include "support.h"
#include <sys/wait.h>

int main(void) {
    lose(1001);
    pid_t child = fork();
    if (child == 0) {
        lose(1002);
        return 0;
    }
    waitpid(child, NULL, 0);
    scrub();
    return 0;
}
