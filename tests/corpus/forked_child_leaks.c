// A forked child has a check and a status of its own.
// run: HEAPCHECK=normal -> clean; child leak direct 1001; children 1; stdout child ended with 23
#include "support.h"
#include <sys/wait.h>

int main(void) {
    pid_t child = fork();
    if (child == 0) {
        lose(1001);
        exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("child ended with %d\n", WEXITSTATUS(status));
    return 0;
}
