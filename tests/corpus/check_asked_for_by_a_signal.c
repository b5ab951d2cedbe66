// A signal asks for a check while the program runs, and the program goes on.
// run: HEAPCHECK=normal HEAPCHECK_SIGNAL=12 -> leak 1001, 1002; check 1 leak 1001; stdout ran on
// run: HEAPCHECK=normal -> early; signal 12
#include "support.h"
#include <dirent.h>

static void *thread(void *unused) {
    for (;;) release(allocate(64));
    return unused;
}

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
    start_detached(thread, NULL);
    lose(1001);
    long before = recorded();
    kill(getpid(), SIGUSR2);
    while (recorded() == before) usleep(1000);
    printf("ran on\n");
    lose(1002);
    return 0;
}
