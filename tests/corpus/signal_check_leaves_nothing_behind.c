// What a check that a signal asked for has left on its own stack keeps nothing alive: what leaked then is a leak at the end.
// run: HEAPCHECK=normal HEAPCHECK_SIGNAL=12 -> leak 1001; check 1 leak 1001
#include "support.h"
#include <dirent.h>

/* The bytes of what the process has recorded. A check is recorded while the program stands still. */
static long recorded(void) {
    long bytes = 0;
    const char *name = getenv("HEAPCHECK_OUT");
    DIR *folder = opendir(name ? name : ".");
    struct stat file;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (fstatat(dirfd(folder), entry->d_name, &file, 0) == 0 && S_ISREG(file.st_mode)) bytes += file.st_size;
    closedir(folder);
    return bytes;
}

int main(void) {
    lose(1001);
    long before = recorded();
    kill(getpid(), SIGUSR2);
    while (recorded() == before) usleep(1000);
    return 0;
}
